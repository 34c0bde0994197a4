"""What a rebalance may come between: a fetch that waits, recovery, a commit, the last batch."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import IllegalStateError
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery, ServiceStopped
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream.kafka.clients import BrokerError
from stream.worker import consumer as consumer_module
from stream.worker import consumer_thread
from stream.worker.app import VtrApp
from stream.worker.changelog import ChangelogRows
from stream.worker.consumer import BatchConsumer, Records
from stream.worker.consumer_thread import BatchConsumerThread
from tests.worker_units.fakes import CHANGELOG, TOPIC, TWO, A, B, Line, Thread, nothing, read, records, serve, settled
from tests.worker_units.test_changelog import fetched, sent

C = TP(CHANGELOG, 0)


class _IdleFetcher(Fetcher):  # type: ignore[misc]
    """The client's own, but for what it would ask of a broker."""

    async def _fetch_requests_routine(self) -> None:
        """Nothing comes but what a test lets come."""


class Client:
    """aiokafka's consumer as far as its thread reads it, with two partitions of an input and one of a changelog."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._subscription = SubscriptionState(loop=loop)
        self._subscription.subscribe({TOPIC, CHANGELOG})
        self._fetcher = _IdleFetcher(SimpleNamespace(_loop=loop, _metadata_max_age_ms=0), self._subscription)
        self._closed = False
        self.assigns()

    def assigns(self) -> None:
        """A rebalance ends, or the first assignment comes."""
        self._subscription.assign_from_subscribed([A, B, C])

    def receives(self, tp: TP, answer: object = None) -> None:
        """The broker has answered with this, or the record at offset 0."""
        assignment = self._subscription.subscription.assignment
        assignment.state_value(tp).seek(0)
        answer = _Answer(records(tp, 0)) if answer is None else answer
        self._fetcher._records[tp] = FetchResult(tp, assignment=assignment, partition_records=answer, backoff=0)
        for waiter in self._fetcher._fetch_waiters:
            self._fetcher._notify(waiter)

    def position(self, tp: TP) -> int:
        """The offset of the record that is read next."""
        return int(self._subscription.subscription.assignment.state_value(tp).position)


class _Answer:
    def __init__(self, batch: Records) -> None:
        self._left = list(batch)
        self.next_fetch_offset = batch[0].offset

    def __iter__(self) -> "_Answer":
        return self

    def __next__(self) -> object:
        if not self._left:
            raise StopIteration
        record = self._left.pop(0)
        self.next_fetch_offset = record.offset + 1
        return record


@pytest.fixture
async def client(thread: Thread) -> AsyncIterator[Client]:
    client = Client()
    thread._consumer = client
    yield client
    await client._fetcher.close()


Fetch = Callable[[set[TP]], Coroutine[Any, Any, dict[TP, Records]]]


def fetch_on(consumer: driver.Consumer, client: Client) -> Fetch:
    thread = consumer._new_consumer_thread()
    thread.thread_loop.close()  # never started: what it does is done in the test's own
    return lambda active: thread._fetch_records(cast("Any", client), active, 0.2, 100)  # type: ignore[return-value]


@pytest.fixture
async def fetch(consumer: BatchConsumer, client: Client) -> Fetch:
    return fetch_on(consumer, client)


# --- A fetch that waits ----------------------------------------------------------------------------------------------


async def through_a_rebalance(fetch: Fetch, client: Client) -> dict[TP, Records]:
    """A fetch begins, a rebalance comes and ends, and records are there before recovery asks for any."""
    active = {A, B}
    waiting = asyncio.create_task(fetch(active))
    await settled()
    client._subscription.begin_reassignment()
    active.clear()
    await settled()
    client.assigns()
    await settled()
    client.receives(C)
    client.receives(A)
    return await waiting


async def test_a_fetch_that_waits_for_a_rebalance_reads_nothing_that_nobody_asked_for(
    line: Line, fetch: Fetch, client: Client
) -> None:
    assert line.processor.is_running()
    assert await through_a_rebalance(fetch, client) == {}
    assert (client.position(C), client.position(A)) == (0, 0)
    assert {tp: len(batch) for tp, batch in (await fetch({C})).items()} == {C: 1}, "it is there for whoever asks"


async def test_trap_fausts_own_reads_what_nobody_asked_for(fausts_own: driver.Consumer, client: Client) -> None:
    fetch = fetch_on(fausts_own, client)
    assert {*await through_a_rebalance(fetch, client)} == {C, A}
    assert client.position(C) == 1, "and recovery, which waits for this very record, will never see it"


async def test_inputs_are_read_only_when_all_is_restored(line: Line, fetch: Fetch, client: Client) -> None:
    await line.processor.pause()
    for tp in (A, B, C):
        client.receives(tp)
    assert {*await fetch({A, B, C})} == {C}
    assert {*await fetch({A, B})} == set()
    line.processor.resume()
    assert {*await fetch({A})} == {A}


async def test_changelogs_are_read_as_rows_and_inputs_as_records(line: Line, fetch: Fetch, client: Client) -> None:
    assert line.processor.is_running()
    for tp in (A, C):
        client.receives(tp, fetched(sent(0, (b"a", b"1"), (b"a", b"2"))))
    read: dict[TP, Any] = {**await fetch({A, C})}
    assert read[C] == [ChangelogRows({b"a": b"2"}, 1, 5_001, 0)]
    assert [record.value for record in read[A]] == [b"1", b"2"]
    assert (client.position(A), client.position(C)) == (2, 2)


async def test_a_fetch_waits_for_records_and_no_longer(line: Line, fetch: Fetch, client: Client) -> None:
    waiting = asyncio.create_task(fetch({A}))
    await settled()
    assert not waiting.done()
    client.receives(A)
    await settled()
    assert waiting.done()
    assert {*waiting.result()} == {A}
    client._subscription.begin_reassignment()
    async with asyncio.timeout(5):
        assert await fetch({A}) == {}, "not even for a rebalance to end: the thread has other things to do"
    line.consumer.stop_flow()
    waiting = asyncio.create_task(fetch({A}))
    await settled()
    assert waiting.done()


async def test_what_was_read_after_a_rebalance_is_handed_on(app: VtrApp, consumer: BatchConsumer) -> None:
    """However long ago the fetch began. A changelog's batch that is dropped keeps recovery waiting for ever."""
    serve(consumer, {C: records(C, 5)}, during=lambda: setattr(app, "consumer_generation_id", 2))
    assert [(tp, message.generation_id) async for tp, message in consumer.getmany(0)] == [(C, 2)]


# --- Recovery --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def recovery(line: Line, client: Client) -> AsyncIterator[Recovery]:
    """Faust's own recovery, with nothing to restore."""
    app, consumer = line.app, line.consumer
    tables = cast("TableManager", app.tables)
    assert client is consumer._thread._consumer
    consumer.highwaters = consumer._thread.earliest_offsets = no_offsets  # type: ignore[method-assign]
    consumer._thread.seek_wait = nothing  # type: ignore[method-assign, assignment]
    app.producer.flush = nothing  # type: ignore[method-assign]
    cast("Any", app)._fetcher.maybe_start = nothing
    await line.processor.pause()
    task = asyncio.create_task(cast("Any", Recovery._restart_recovery).fun(tables.recovery))
    yield tables.recovery
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def no_offsets(*_: object) -> dict[TP, int]:
    return {}


def assigned(app: VtrApp, recovery: Recovery, generation: int) -> None:
    """What Faust does with an assignment, as far as recovery goes."""
    app.consumer_generation_id = recovery._generation_id = generation
    recovery.signal_recovery_start.set()


@pytest.mark.parametrize("step", ["seek_wait", "seek_to_committed"])
@pytest.mark.parametrize("ended", [False, True])
async def test_recovery_lets_nothing_go_on_once_another_rebalance_has_begun(
    line: Line, recovery: Recovery, client: Client, thread: Thread, step: str, ended: bool
) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()
    before = getattr(thread, step)

    async def wait(*args: Any) -> object:  # noqa: ANN401
        reached.set()
        await go_on.wait()
        return await before(*args)

    setattr(thread, step, wait)
    line.consumer.stop_flow()
    assigned(line.app, recovery, 1)
    await reached.wait()
    client._subscription.begin_reassignment()
    line.consumer.stop_flow()
    if ended:  # and its assignment is still being dealt with
        client.assigns()
        line.app.consumer_generation_id = 2
    go_on.set()
    await settled()
    assert (line.consumer.flow_active, line.processor.is_running()) == (False, False)
    if not ended:
        client.assigns()
    assigned(line.app, recovery, 2)
    await settled()
    assert (line.consumer.flow_active, line.processor.is_running()) == (True, True), "it begins again"


async def never(*_: object) -> dict[TP, int]:
    await asyncio.Event().wait()
    return {}


async def test_a_worker_stops_where_nobody_gives_the_committed_offsets(
    line: Line, client: Client, thread: Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread.seek_to_committed = never  # type: ignore[method-assign]
    assert line.app.conf.broker_request_timeout > consumer_module.COMMITTED_WITHIN, "else recovery has ended before"
    monkeypatch.setattr(consumer_module, "COMMITTED_WITHIN", 0.05)
    with pytest.raises(BrokerError, match=r"^no broker gave the group's committed offsets within 0\.05 s$"):
        await asyncio.wait_for(line.consumer.perform_seek(), 5)
    client._subscription.begin_reassignment()
    with pytest.raises(IllegalStateError):  # the next assignment asks for them again
        await asyncio.wait_for(line.consumer.perform_seek(), 5)


async def test_trap_recovery_ends_without_an_error_where_it_has_waited_for_too_long(recovery: Recovery) -> None:
    with pytest.raises(ServiceStopped):
        await recovery._wait(never(), timeout=0.01)
    assert not recovery.should_stop


async def test_nor_when_it_begins_at_the_very_last_step(line: Line, client: Client) -> None:
    await line.processor.pause()
    client._subscription.begin_reassignment()
    line.app.on_rebalance_end()
    assert not line.processor.is_running()


async def test_nothing_flows_into_a_new_assignment(app: VtrApp, consumer: BatchConsumer) -> None:
    """Not even to a worker that had no partitions, where Faust had nothing to stop."""
    flows = []

    async def during(*_: object) -> None:
        flows.append((consumer.flow_active, app.flow_control.is_active()))

    consumer._on_partitions_assigned = during
    consumer.resume_flow()
    app.flow_control.resume()
    await consumer.on_partitions_assigned({A, C}, 2)
    assert flows == [(False, False)]


# --- The last batch and the last commit ------------------------------------------------------------------------------


async def test_a_pause_right_after_a_resume_is_a_pause(line: Line) -> None:
    await line.processor.pause()
    await line.run(*TWO)
    line.processor.resume()
    await line.processor.pause()  # before the task that waits has its turn
    await settled()
    assert line.partitions[0].offsets == []


async def test_what_was_finished_during_a_commit_is_committed_too(consumer: BatchConsumer, thread: Thread) -> None:
    takes, committing = thread.commit, asyncio.Event()

    async def slow(offsets: dict[TP, int]) -> bool:
        await committing.wait()
        return await takes(offsets)

    thread.commit = slow  # type: ignore[method-assign, assignment]
    first, second = await read(consumer, *TWO)
    first.ack(consumer)
    commit = asyncio.create_task(consumer.commit())
    await settled()
    second.ack(consumer)
    settle = asyncio.create_task(consumer.settle())
    await settled()
    committing.set()
    await asyncio.gather(commit, settle)
    assert thread.committed == {A: 20}
    assert thread.commits == [{A: 10}, {A: 20}]


class Coordinator:
    """A group's coordinator as aiokafka sees it: what its heartbeats come to, one after the other."""

    def __init__(self, generation: int, *heartbeats: bool | None) -> None:
        self.generation = generation
        self.heartbeats = list(heartbeats)

    async def ensure_coordinator_known(self) -> None:
        """It is known."""

    async def _do_heartbeat(self) -> bool:
        beat = self.heartbeats.pop(0)
        if beat is None:  # the group does not know us any more
            self.generation = -1
        return bool(beat)


@pytest.mark.parametrize(
    ("coordinator", "expected"),
    [
        (Coordinator(1, True), True),
        (Coordinator(1, False, False, True), True),
        (Coordinator(1, False, None), False),
        (Coordinator(-1), False),
        (Coordinator(2), False),
    ],
    ids=["yes", "yes, after a silence", "no", "not even a member", "of another generation"],
)
async def test_the_group_tells_whether_a_worker_is_still_its_member(
    consumer: BatchConsumer, monkeypatch: pytest.MonkeyPatch, coordinator: Coordinator, expected: bool
) -> None:
    monkeypatch.setattr(consumer_thread, "ASK_AGAIN", 0.0)
    thread = BatchConsumerThread(consumer, loop=consumer.loop, beacon=consumer.beacon)
    thread.thread_loop.close()  # it is never started
    monkeypatch.setattr(thread, "_consumer", SimpleNamespace(_coordinator=coordinator))
    assert await thread.is_still_member() is expected
    assert coordinator.heartbeats == []
