"""A worker that was frozen past its session goes on as if no time had passed, and must not undo what others did."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment
from tests.worker.expected import MEMORYLESS, alerts_are_whole, metrics_are_as_computed
from tests.worker.process import WorkerProcess
from tests.worker.shop import Shop

AGO = datetime.now(UTC) - timedelta(hours=5)
MARKER = 666

FREEZES = f"""
import os, signal
from aiokafka import AIOKafkaProducer
from stream.worker.publisher import Publisher
send, send_batch, state = Publisher._send, AIOKafkaProducer.send_batch, ["waits"]
async def looking(self, topic, partition, records):
    records = list(records)
    if state == ["waits"] and any(b"-{MARKER:07d}-" in (key or b"") for key, _, _ in records):
        state[:] = ["its row comes next"]
    if state == ["its row comes next"] and topic.endswith(STOPS_AT):
        state[:] = ["now"]
    return await send(self, topic, partition, records)
async def freezing(self, *args, **kwargs):
    delivery = await send_batch(self, *args, **kwargs)
    if state == ["now"]:
        state[:] = ["frozen"]
        os.kill(os.getpid(), signal.SIGSTOP)
    return delivery
Publisher._send, AIOKafkaProducer.send_batch = looking, freezing
"""
"""Frozen when the producer has the batch, and has not sent it."""


async def is_frozen(worker: WorkerProcess) -> None:
    assert worker.is_frozen(), worker.tail


async def has_joined_again(worker: WorkerProcess) -> None:
    assert sum("ready: partitions" in line for line in worker.lines) == 2, worker.tail


@pytest.mark.kafka_only(reason="a frozen worker's session takes it half a minute to end")
@pytest.mark.parametrize("stops_at", ["changelog", "metrics"])
async def test_what_a_frozen_worker_had_in_hand_is_not_published(deploy: Deploy, stops_at: str) -> None:
    """A row, or the metrics that follow from it; meanwhile its successor learns more of the same parcel."""
    deployment = await deploy(partitions=1, store="memory", **MEMORYLESS)
    shop = Shop(deployment.settings, "A1SELLER")
    before = shop.sends(range(1, 20), AGO)
    marker = shop.sends([MARKER], AGO, "N/A")
    after = [shop.tracks(MARKER, AGO + timedelta(hours=1), event_id="later"), *shop.sends(range(20, 30), AGO)]

    zombie = deployment.start(patch=f"STOPS_AT = {stops_at!r}" + FREEZES)
    await deployment.send(before)
    await deployment.eventually(deployment.all_committed)
    await deployment.send(marker)
    await deployment.eventually(is_frozen, zombie)
    successor = deployment.start()
    await deployment.send(after)
    history = [*before, *marker, *after]
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, history)
    await asyncio.sleep(deployment.settings.idle_after + 1)  # then it follows the clock, and has said so
    written = await all_written(deployment)

    zombie.thaw()
    await deployment.eventually(has_joined_again, zombie)
    assert await all_written(deployment) == written, "the zombie has published"
    assert "partition 0 went to another worker" in zombie.output
    successor.stop()
    zombie.stop()
    last = deployment.start()
    await deployment.eventually(metrics_are_as_computed, deployment, history)
    await deployment.send(shop.sends([30], AGO))
    await deployment.eventually(metrics_are_as_computed, deployment, [*history, *shop.sends([30], AGO)])
    await alerts_are_whole(deployment)
    last.stop()


async def all_written(deployment: Deployment) -> dict[str, int]:
    settings = deployment.settings
    topics = (settings.changelog_topic, settings.metrics_topic, settings.alerts_topic, settings.dead_letters_topic)
    return {place.topic: end for place, end in (await deployment.ends(*topics)).items()}
