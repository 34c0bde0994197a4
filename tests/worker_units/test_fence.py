"""A worker publishes only while nobody else can have its partitions."""

import asyncio
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.producer.sender import Sender
from faust.transport.drivers import aiokafka as driver

from stream.worker.app import VtrApp
from stream.worker.fence import NotOursError
from stream.worker.transport import CONFIRMED_FOR, BatchConsumer, BatchConsumerThread, FencedProducer
from tests.worker_units.fakes import SETTINGS, TWO, A, B, Line, Thread, nothing

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


class Batch:
    """What of aiokafka's is asked."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []

    def failure(self, exception: Exception) -> None:
        self.failures.append(exception)


@pytest.mark.parametrize("is_member", [True, False])
async def test_no_request_leaves_a_worker_that_is_no_member(
    app: VtrApp, consumer: BatchConsumer, thread: Thread, monkeypatch: pytest.MonkeyPatch, is_member: bool
) -> None:
    """Whatever waited in the producer when the worker was frozen."""
    sent = []

    async def send(_: Sender, node_id: int, batches: object) -> None:
        sent.append((node_id, batches))

    monkeypatch.setattr(Sender, "_send_produce_req", send)
    assert isinstance(app.producer, FencedProducer)
    producer = app.producer._new_producer()
    producer._closed = True  # it was never opened
    sender = producer._sender
    consumer.confirmed_at = monotonic() - 2 * SETTINGS.session_timeout
    thread.membership = [is_member]
    batches = {A: Batch(), B: Batch()}
    sender._in_flight.add(7)
    sender._muted_partitions.update(batches)
    await sender._send_produce_req(7, batches)
    assert thread.membership == [], "the group was asked"
    if is_member:
        assert (sent, [batch.failures for batch in batches.values()]) == ([(7, batches)], [[], []])
    else:
        assert sent == []
        assert [[type(each) for each in batch.failures] for batch in batches.values()] == [[NotOursError]] * 2
        assert (sender._in_flight, sender._muted_partitions) == (set(), set()), "others can go on"


async def test_what_did_not_leave_is_not_acknowledged_and_its_partition_is_given_up(line: Line, thread: Thread) -> None:
    line.producer.errors = [NotOursError()]
    line.producer.acknowledges.set()
    await line.run(*TWO)
    assert (line.partitions[0].offsets, line.crashes) == ([9], [])
    await line.consumer.commit()
    assert thread.commits == []
    processor = line.processor
    assert (processor.is_running(), list(processor.partitions()), processor.shipments.holds(0)) == (False, [1], False)


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
