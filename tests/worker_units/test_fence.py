"""A worker publishes only while nobody else can have its partitions."""

import asyncio
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.transport.drivers import aiokafka as driver

from stream.worker.transport import CONFIRMED_FOR, BatchConsumer, BatchConsumerThread
from tests.worker_units.fakes import SETTINGS, TWO, A, Line, Thread, nothing, settled

LATELY = SETTINGS.session_timeout * CONFIRMED_FOR
"""Seconds for which a sign of membership counts."""


@pytest.mark.parametrize(("age", "says", "expected"), [(0.9, [], True), (1.1, [True], True), (1.1, [False], False)])
async def test_the_group_is_asked_when_its_last_sign_is_old(
    consumer: BatchConsumer, thread: Thread, age: float, says: list[bool], expected: bool
) -> None:
    thread.membership = says
    consumer.confirmed_at = monotonic() - age * LATELY
    assert await consumer.may_publish() is expected
    assert thread.membership == [], "it was asked"


async def test_a_worker_that_was_frozen_before_it_published_publishes_nothing(line: Line, thread: Thread) -> None:
    line.producer.acknowledges.set()
    line.consumer.confirmed_at = monotonic() - 2 * SETTINGS.session_timeout
    thread.membership = [False]
    await line.run(*TWO)
    assert line.partitions[0].offsets == [9]
    assert (line.producer.sent, line.crashes) == ([], [])
    await line.consumer.commit()
    assert thread.commits == []
    processor = line.processor
    assert (processor.is_running(), list(processor.partitions()), processor.shipments.holds(0)) == (False, [1], False)


async def test_nor_the_next_step_of_one_that_was_frozen_while_it_published(line: Line, thread: Thread) -> None:
    """What was sent while the partition was ours is acknowledged; of the next step nothing is sent."""
    await line.run(*TWO)
    line.consumer.confirmed_at = monotonic() - 2 * SETTINGS.session_timeout
    thread.membership = [False]
    line.producer.acknowledges.set()
    await settled()
    await line.consumer.commit()
    assert thread.commits == [{A: 10}]
    assert (line.partitions[0].offsets, len(line.producer.sent)) == ([9, 19], 1)


async def test_a_heartbeat_counts_from_when_it_was_sent(
    consumer: BatchConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coordinator counts from when it came, which is later: so our session never ends after its."""
    answers, sent = [True, False], asyncio.Event()

    async def beat() -> bool:
        sent.set()
        await asyncio.sleep(0.05)
        return answers.pop(0)

    coordinator = SimpleNamespace(_do_heartbeat=beat)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_start", nothing)
    thread = BatchConsumerThread(consumer, loop=consumer.loop, beacon=consumer.beacon)
    thread.thread_loop.close()  # it is never started
    monkeypatch.setattr(thread, "_consumer", SimpleNamespace(_coordinator=coordinator))
    await thread.on_start()
    consumer.confirmed_at = 0.0
    before = monotonic()
    assert await cast("Any", coordinator)._do_heartbeat()
    assert before <= consumer.confirmed_at <= monotonic() - 0.04
    confirmed_at = consumer.confirmed_at
    assert not await cast("Any", coordinator)._do_heartbeat()
    assert consumer.confirmed_at == confirmed_at
