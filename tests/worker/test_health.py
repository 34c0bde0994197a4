"""A worker tells whether it is ready, gets over an outage of its broker, and ends when it is told to."""

import asyncio
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest

from stream.embedded import free_port
from stream.kafka.clients import connected_admin
from tests.brokers import Broker, running
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment
from tests.worker.expected import metrics_are_as_computed
from tests.worker.process import WorkerProcess
from tests.worker.shop import shop_in
from tests.worker.web import get, is_not_ready, is_ready

AGO = datetime.now(UTC) - timedelta(hours=5)

STOPS_WITHIN = 10.0

SOON_STUCK = "import stream.worker.health as health; health.STUCK_AFTER = 2.0\n"
"""A test need not wait for as long as a probe."""

HANGS = """
import asyncio, stream.worker.run as run
from stream.worker.publisher import Publisher
publish = Publisher.publish
async def hanging(self, partition, *args):
    if partition == 1:
        await asyncio.sleep(3600)
    return await publish(self, partition, *args)
Publisher.publish = hanging
run.STOP_LIMIT = 1.0
"""

BLOCKS_ONCE = """
import time
from stream.engine import Engine
apply = Engine.apply
def blocking(self, events):
    Engine.apply = apply
    time.sleep(5)
    return apply(self, events)
Engine.apply = blocking
"""


@pytest.fixture(scope="module")
def own(broker: Broker) -> Iterator[Broker]:
    """A broker that other modules do not need."""
    with running("embedded" if broker.is_embedded else "kafka") as it:
        yield it


async def members(deployment: Deployment) -> int:
    """How many workers the group has, by the broker."""
    async with connected_admin(deployment.settings) as admin:
        (answer,) = await admin.describe_consumer_groups([deployment.settings.group])
        return len(answer.groups[0][5])


async def said_to_be_ready_again(worker: WorkerProcess) -> None:
    """Asserts what the log says at the latest a second after the fact."""
    assert "ready again after" in worker.lines[-1]


async def test_a_worker_is_ready_until_it_is_told_to_stop(deploy: Deploy, broker: Broker) -> None:
    deployment = await deploy(web_port=free_port())
    settings = deployment.settings
    events = [event for partition in (0, 1) for event in shop_in(deployment, partition).sends(range(10), AGO)]
    worker = deployment.start()
    with pytest.raises(AssertionError):
        await is_ready(settings)
    await deployment.eventually(is_ready, settings)
    await deployment.send(events)
    await deployment.eventually(metrics_are_as_computed, deployment, events)
    await deployment.eventually(deployment.all_committed)

    facts = (await get(settings, "/readyz")).json["facts"]
    assert (facts["assigned_partitions"], facts["restored_partitions"]) == ([0, 1], [0, 1])
    assert facts["lag_records"] == {f"{topic}/{number}": 0 for topic in settings.input_topics for number in (0, 1)}
    assert 0 <= facts["commit_age_seconds"] < 60
    alive = await get(settings, "/livez")
    assert (alive.status, alive.content_type, alive.json["alive"]) == (200, "application/json", True)
    assert {(await get(settings, path)).status for path in ("/", "/stats", "/table", "/router", "/graph")} == {404}

    # What arrives in the last moment is either committed or left for the next worker.
    late = [event for partition in (0, 1) for event in shop_in(deployment, partition).sends(range(10, 900), AGO)]
    await deployment.send(late)
    began = monotonic()
    worker.stop()
    assert monotonic() - began < STOPS_WITHIN
    if not broker.is_embedded:  # which goes on listing who has left
        assert await members(deployment) == 0, "the next one need not wait for the session to end"
    deployment.start()
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, [*events, *late])


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "killed"])
async def test_a_worker_gets_over_an_outage(deploy: Deploy, own: Broker, how: signal.Signals) -> None:
    if own.is_embedded and how == signal.SIGKILL:
        pytest.skip("the embedded broker forgets everything")
    deployment = await deploy(broker=own.url, web_port=free_port())
    settings, shop = deployment.settings, shop_in(deployment, 1)
    before, during = shop.sends(range(10), AGO), shop.sends(range(10, 20), AGO)
    worker = deployment.start(patch=SOON_STUCK)
    await deployment.send(before)
    await deployment.eventually(deployment.all_committed)
    await is_ready(settings)

    await deployment.send(during)
    assert own.process.pid is not None
    if how == signal.SIGSTOP:
        os.kill(own.process.pid, signal.SIGSTOP)
    else:
        own.process.kill()
    await deployment.eventually(is_not_ready, settings, "no broker has answered for")
    await asyncio.sleep(1)
    assert (await get(settings, "/livez")).status == 200, "a restart would not bring the broker back"
    said = [line for line in worker.lines if "not ready: no broker has answered for" in line]
    assert len(said) == 1, worker.output
    assert [line for line in worker.lines if "aiokafka" in line] == []
    if how == signal.SIGSTOP:
        os.kill(own.process.pid, signal.SIGCONT)
    else:
        await asyncio.to_thread(own.process.start)

    await deployment.eventually(is_ready, settings)
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, [*before, *during])
    await deployment.eventually(said_to_be_ready_again, worker)
    worker.stop()


async def test_a_worker_that_hangs_is_not_ready_and_can_be_ended(deploy: Deploy) -> None:
    deployment = await deploy(web_port=free_port())
    worker = deployment.start(patch=SOON_STUCK + HANGS)
    await deployment.eventually(is_ready, deployment.settings)
    await deployment.send(shop_in(deployment, 1).sends(range(10), AGO))
    await deployment.eventually(is_not_ready, deployment.settings, "publishing takes")
    await deployment.eventually(is_not_ready, deployment.settings, "no batch was done in")
    worker.terminate()
    assert worker.wait(STOPS_WITHIN) == 1
    assert "stopped by force" in worker.lines[-1]


async def test_a_worker_whose_loop_is_blocked_says_so(deploy: Deploy) -> None:
    deployment = await deploy(web_port=free_port())
    events = shop_in(deployment, 1).sends(range(10), AGO)
    deployment.start(patch=SOON_STUCK + BLOCKS_ONCE)
    await deployment.eventually(is_ready, deployment.settings)
    await deployment.send(events)
    await deployment.eventually(is_not_ready, deployment.settings, "the event loop is blocked for")
    await deployment.eventually(is_ready, deployment.settings)
    await deployment.eventually(metrics_are_as_computed, deployment, events)
