"""What the consumer makes of what was fetched, and when a partition was read to the end."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.subscription_state import SubscriptionState
from faust.types import TP, ConsumerMessage

from stream.worker.app import VtrApp
from stream.worker.consumer import BatchConsumer
from stream.worker.consumer_thread import FETCH_WAIT_MS, BatchConsumerThread
from tests.worker_units.fakes import TOPIC, A, B, Fetch, Thread, read, records, serve

# --- Fetching --------------------------------------------------------------------------------------------------------


async def test_a_fetch_is_one_message_for_each_partition(consumer: BatchConsumer) -> None:
    fetch = {A: records(A, 3, 4, 9), TP(TOPIC, 2): [], B: records(B, 0)}
    messages = await read(consumer, fetch)
    assert [(message.tp, message.offset) for message in messages] == [(A, 9), (B, 0)]
    assert [cast("object", message.value) for message in messages] == [fetch[A], fetch[B]]
    assert {type(message) for message in messages} == {ConsumerMessage}
    assert {(message.timestamp, message.generation_id) for message in messages} == {(5.0, 1)}


@pytest.mark.parametrize(("buffered", "expected"), [(set(), [A]), ({B}, [A, B])])
async def test_partitions_that_are_not_active_wait(
    consumer: BatchConsumer, buffered: set[TP], expected: list[TP]
) -> None:
    async def wait_next_records(timeout: float) -> tuple[Fetch, set[TP]]:  # noqa: ARG001, ASYNC109
        return {A: records(A, 1), B: records(B, 1)}, {A}

    consumer._wait_next_records = wait_next_records  # type: ignore[method-assign]
    consumer._buffered_partitions = buffered
    assert [tp async for tp, _ in consumer.getmany(0)] == expected


async def test_a_rebalance_ends_the_batches_of_the_generation_before(
    app: VtrApp, consumer: BatchConsumer, thread: Thread
) -> None:
    begins: list[Callable[[], None]] = [lambda: setattr(app, "consumer_generation_id", 2), consumer.stop_flow]
    for begin in begins:
        serve(consumer, {A: records(A, 1), B: records(B, 1)})
        messages = []
        async for _, message in consumer.getmany(0):
            messages.append(message)
            begin()
        assert [message.tp for message in messages] == [A]
        await consumer.perform_seek()
        messages[0].ack(consumer)
        await consumer.commit()
        assert thread.commits == [], "all is read again, and counts only then"
        assert not consumer._ledger.is_pending(A)
        assert not consumer._ledger.is_pending(B)


async def test_what_was_fetched_while_a_rebalance_began_is_left(consumer: BatchConsumer, thread: Thread) -> None:
    """The next assignment begins at the committed offsets: nothing is sought while it is being made."""
    serve(consumer, {A: records(A, 8)}, during=consumer.stop_flow)
    assert [tp async for tp, _ in consumer.getmany(0)] == []
    assert thread.seeks == 0
    assert not consumer._ledger.is_pending(A)


async def test_trap_faust_drops_a_batch_that_ends_before_one_it_handed_on(
    consumer: BatchConsumer, thread: Thread
) -> None:
    thread.committed = {A: 7}
    await read(consumer, {A: records(A, 7, 8, 9)})
    await consumer.perform_seek()
    assert consumer._committed_offset[A] == 7
    assert consumer._read_offset[A] is None
    assert [message.offset for message in await read(consumer, {A: records(A, 7)})] == [7]


# --- Read to the end -------------------------------------------------------------------------------------------------


def at(thread: Thread, **positions: tuple[int | None, int | None]) -> None:
    """Position and high watermark of partitions, in the client's own subscription."""
    subscription = SubscriptionState(loop=asyncio.get_running_loop())
    subscription.assign_from_user([TopicPartition(*A), TopicPartition(*B)])
    for name, (position, highwater) in positions.items():
        state = subscription.subscription.assignment.state_value(TopicPartition(*{"a": A, "b": B}[name]))
        if position is not None:
            state.reset_to(position)
        state.highwater = highwater
    thread._consumer = SimpleNamespace(_subscription=subscription)


@pytest.mark.parametrize(
    ("position", "highwater", "expected"),
    [(5, 5, True), (0, 0, True), (4, 5, False), (5, None, False), (None, 5, False), (None, None, False)],
)
async def test_at_the_end_is_where_the_last_fetch_said(
    consumer: BatchConsumer, thread: Thread, position: int | None, highwater: int | None, expected: bool
) -> None:
    at(thread, a=(position, highwater))
    assert not consumer.is_at_end(A), "before the first fetch nobody knows"
    await read(consumer, {})
    assert (consumer.is_at_end(A), consumer.is_at_end(B)) == (expected, False)
    at(thread, a=(5, 6))
    await read(consumer, {})
    assert not consumer.is_at_end(A)


async def test_without_consumer_or_assignment_nothing_is_at_its_end(consumer: BatchConsumer, thread: Thread) -> None:
    for client in (None, SimpleNamespace(_subscription=SubscriptionState(loop=asyncio.get_running_loop()))):
        thread._consumer = client
        await read(consumer, {})
        assert not consumer.is_at_end(A)


async def test_a_batch_under_way_is_not_the_end(consumer: BatchConsumer, thread: Thread) -> None:
    at(thread, a=(5, 5), b=(5, 5))
    (message,) = await read(consumer, {A: records(A, 4)})
    assert (consumer.is_at_end(A), consumer.is_at_end(B)) == (False, True)
    message.ack(consumer)
    assert consumer.is_at_end(A)
    await consumer.perform_seek()
    assert not consumer.is_at_end(A), "it is read again"


async def test_nor_is_one_that_waits_for_another_partitions_to_be_taken(
    consumer: BatchConsumer, thread: Thread
) -> None:
    at(thread, a=(5, 5), b=(5, 5))
    serve(consumer, {A: records(A, 4), B: records(B, 4)})
    async for tp, _ in consumer.getmany(0):
        assert not consumer.is_at_end(A)
        assert not consumer.is_at_end(B), f"when the batch of {tp} is handed out"


async def test_trap_faust_lets_a_broker_hold_a_fetch_that_finds_nothing_for_long(consumer: BatchConsumer) -> None:
    """And meanwhile the client asks that broker for nothing else."""
    thread = BatchConsumerThread(consumer, loop=consumer.loop, beacon=consumer.beacon)
    thread.thread_loop.close()  # it is never started
    client = thread._create_consumer(thread.loop)
    client._closed = True  # it is never started either
    assert client._fetch_max_wait_ms == FETCH_WAIT_MS
