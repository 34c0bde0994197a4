"""What is acknowledged, and what is committed of it."""

from typing import Any, cast

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream.worker.consumer import BatchConsumer
from tests.worker_units.fakes import CHANGELOG, TOPIC, A, B, Thread, done, read, records


async def test_gaps_do_not_stop_commits(consumer: BatchConsumer, thread: Thread) -> None:
    await done(consumer, records(A, 0), records(A, 5), records(A, 6, 7, 1000), records(A, 2000))
    assert thread.commits == [{A: 1}, {A: 6}, {A: 1001}, {A: 2001}]
    assert consumer._gap == {}


async def test_trap_faust_stops_committing_at_a_gap_behind_offset_0(
    fausts_own: driver.Consumer, thread: Thread
) -> None:
    await done(fausts_own, records(A, 0), records(A, 5), records(A, 6, 7, 8))
    assert thread.commits == [{A: 1}]


async def test_trap_faust_keeps_gaps_in_memory(consumer: BatchConsumer, fausts_own: driver.Consumer) -> None:
    await read(fausts_own, {A: records(A, 3, 1000)})
    assert A in fausts_own._gap
    await read(consumer, {A: records(A, 3)}, {A: records(A, 1000)})
    await consumer._add_gap(A, 4, 999)
    assert A not in consumer._gap


async def test_an_unfinished_batch_holds_the_commit_back(consumer: BatchConsumer, thread: Thread) -> None:
    first, second, other = await read(consumer, {A: records(A, 0, 9)}, {A: records(A, 10, 19), B: records(B, 3)})
    second.ack(consumer)
    other.ack(consumer)
    await consumer.commit()
    assert thread.commits == [{B: 4}]
    first.ack(consumer)
    await consumer.commit()
    assert thread.commits == [{B: 4}, {A: 20}]
    await consumer.commit()
    assert len(thread.commits) == 2, "nothing new"


async def test_trap_faust_commits_past_what_is_in_flight(
    consumer: BatchConsumer, fausts_own: driver.Consumer, thread: Thread
) -> None:
    for each, early in ((fausts_own, [{A: 8}]), (consumer, [])):
        in_flight, *others = await read(each, {A: records(A, 5)}, {A: records(A, 6)}, {A: records(A, 7)})
        for message in others:
            message.ack(each)
        await each.commit()
        assert thread.commits == early, "5 is not done"
        in_flight.ack(each)
        thread.commits.clear()
        await each.commit()
    assert thread.commits == [{A: 8}]


async def test_topics_can_be_committed_by_name(consumer: BatchConsumer, thread: Thread) -> None:
    for message in await read(consumer, {A: records(A, 0), B: records(B, 0)}):
        message.ack(consumer)
    for topics in ({"other"}, {B}, {TOPIC}):
        await consumer.commit(cast("Any", topics))
    assert thread.commits == [{B: 1}, {A: 1}]


async def test_a_commit_that_failed_is_made_again(consumer: BatchConsumer, thread: Thread) -> None:
    thread.takes_commits = False
    await done(consumer, records(A, 0))
    assert consumer._committed_offset[A] is None
    assert consumer.last_commit_at is None
    thread.takes_commits = True
    assert await consumer.commit()
    assert thread.commits == [{A: 1}, {A: 1}]
    assert consumer._committed_offset[A] == 1
    assert consumer.last_commit_at is not None


async def test_trap_faust_takes_a_failed_commit_for_done(fausts_own: driver.Consumer, thread: Thread) -> None:
    thread.takes_commits = False
    await done(fausts_own, records(A, 0))
    thread.takes_commits = True
    assert not await fausts_own.commit()
    assert fausts_own._committed_offset[A] == 1
    assert thread.committed == {}


async def test_only_own_partitions_are_committed(consumer: BatchConsumer, thread: Thread) -> None:
    for message in await read(consumer, {A: records(A, 0), B: records(B, 0)}):
        message.ack(consumer)
    thread.assigned = {B}
    await consumer.commit()
    assert thread.commits == [{B: 1}]


async def test_changelogs_are_not_committed(consumer: BatchConsumer, thread: Thread) -> None:
    await done(consumer, records(TP(CHANGELOG, 0), 5))
    assert thread.commits == []
    assert not consumer._ledger.is_pending(TP(CHANGELOG, 0)), "nor waited for"


@pytest.mark.parametrize("revoked", [{A}, {A, B}])
async def test_a_partition_that_went_and_came_back_commits_on(
    consumer: BatchConsumer, thread: Thread, revoked: set[TP]
) -> None:
    await done(consumer, records(A, 0, 4))
    finished, unfinished = await read(consumer, {A: records(A, 5, 9)}, {A: records(A, 10, 14)})
    finished.ack(consumer)
    await consumer.on_partitions_revoked(revoked)
    assert thread.committed == {A: 10}, "what was finished is committed before anybody else may own the partition"
    unfinished.ack(consumer)
    await consumer.commit()
    await consumer.perform_seek()
    assert thread.committed == {A: 10}
    consumer.resume_flow()
    await done(consumer, records(A, 10, 19))
    assert thread.committed == {A: 20}
