"""What a worker sends, it sends only while nobody else can have its partitions."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaTimeoutError, RebalanceInProgressError, UnknownMemberIdError
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from faust.transport.drivers import aiokafka as driver

from stream.worker import consumer_thread, session
from stream.worker.app import VtrApp
from stream.worker.consumer import BatchConsumer
from stream.worker.consumer_thread import BatchConsumerThread
from stream.worker.session import Session

HEARTBEAT = HeartbeatRequest("group", 1, "me")
SYNC = SyncGroupRequest("group", 1, "me", "", [])
PRODUCE = ProduceRequest(None, -1, 1000, [])


class Clock:
    """Monotonic seconds as a test sets them."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (session, consumer_thread):
        monkeypatch.setattr(module, "monotonic", clock)
    return clock


def test_a_session_holds_for_half_of_its_timeout(clock: Clock) -> None:
    it = Session(session_timeout=30, rebalance_timeout=60)
    assert not it.holds(), "nobody has confirmed it yet"
    it.confirm(100)
    for now, holds in ((100, True), (114.9, True), (115, False)):
        clock.now = now
        assert it.holds() is holds
    it.confirm(110)
    assert it.holds()


def test_a_rebalance_waits_no_longer_for_a_member_that_goes_on_beating(clock: Clock) -> None:
    """From some moment between the last answer that knew of none, and the first that did."""
    it = Session(session_timeout=30, rebalance_timeout=40)
    it.confirm(100)
    for beat in (103, 106, 109, 112, 115, 118):
        it.confirm(beat, is_rebalancing=True)
    clock.now = 119.9
    assert it.holds()
    clock.now = 120
    assert not it.holds()
    it.confirm(121)
    assert it.holds()


# --- What confirms it ------------------------------------------------------------------------------------------------


class Coordinator:
    """Answers with an error code, after a while."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.error = 0
        self.seconds = 0.0

    async def _send_req(self, _: object) -> object:
        self._clock.now += self.seconds
        return SimpleNamespace(error_code=self.error)


@pytest.fixture
async def coordinator(consumer: BatchConsumer, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401
    """One whose answers the consumer's thread notes."""
    coordinator = Coordinator(clock)
    thread = BatchConsumerThread(consumer, loop=consumer.loop, beacon=consumer.beacon)
    thread.thread_loop.close()  # it is never started
    client = SimpleNamespace(_coordinator=coordinator, start=lambda: asyncio.sleep(0))
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_create_consumer", lambda *_, **__: client)
    await thread.on_start()
    return coordinator


@pytest.mark.parametrize("request_", [HEARTBEAT, SYNC], ids=["heartbeat", "sync"])
@pytest.mark.parametrize(
    ("error", "holds"), [(0, True), (RebalanceInProgressError.errno, False), (UnknownMemberIdError.errno, False)]
)
async def test_the_coordinators_answers_confirm_a_session(
    consumer: BatchConsumer,
    coordinator: Any,  # noqa: ANN401
    request_: object,
    error: int,
    holds: bool,
) -> None:
    coordinator.error = error
    assert (await coordinator._send_req(request_)).error_code == error
    assert consumer.session.holds() is holds


async def test_a_rebalance_confirms_what_was_confirmed_before(
    consumer: BatchConsumer,
    coordinator: Any,  # noqa: ANN401
    clock: Clock,
) -> None:
    await coordinator._send_req(HEARTBEAT)
    clock.now += 14
    coordinator.error = RebalanceInProgressError.errno
    await coordinator._send_req(HEARTBEAT)
    clock.now += 14
    assert consumer.session.holds()


async def test_an_answer_that_was_read_late_confirms_little(consumer: BatchConsumer, coordinator: Any) -> None:  # noqa: ANN401
    """As it lay in the socket of a frozen worker."""
    coordinator.seconds = 20
    await coordinator._send_req(HEARTBEAT)
    assert not consumer.session.holds()


async def test_other_answers_confirm_nothing(consumer: BatchConsumer, coordinator: Any) -> None:  # noqa: ANN401
    await coordinator._send_req(MetadataRequest([]))
    assert not consumer.session.holds()


# --- What asks for it ------------------------------------------------------------------------------------------------


class Client:
    """aiokafka's client below a producer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.connects_within = 0.0
        self.sent: list[object] = []

    async def ready(self, _: int) -> bool:
        self._clock.now += self.connects_within
        return True

    async def send(self, _: int, request: object) -> None:
        self.sent.append(request)


@pytest.fixture
def client(app: VtrApp, consumer: BatchConsumer, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Client:
    """That of the app's producer, with the consumer's session confirmed."""
    client = Client(clock)
    monkeypatch.setattr(driver.Producer, "_new_producer", lambda *_: SimpleNamespace(client=client))
    cast("Any", app.producer)._new_producer()
    consumer.session.confirm(clock.now)
    return client


async def test_records_are_sent_while_the_session_holds(client: Client) -> None:
    await client.send(0, PRODUCE)
    assert client.sent == [PRODUCE]


@pytest.mark.parametrize("while_connecting", [False, True])
async def test_and_not_afterwards(client: Client, clock: Clock, while_connecting: bool) -> None:
    """A worker that was frozen goes on where it was."""
    if while_connecting:
        client.connects_within = 16
    else:
        clock.now += 16
    with pytest.raises(KafkaTimeoutError):
        await client.send(0, PRODUCE)
    assert client.sent == []


async def test_other_requests_are_sent_at_all_times(client: Client, clock: Clock) -> None:
    clock.now += 1000
    request = MetadataRequest([])
    await client.send(0, request)
    assert client.sent == [request]
