"""What stands in for the broker, and for what is not under test; and how tests drive what is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from time import time
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata
from faust.events import Event
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message

from stream.records import Alert
from stream.settings import Settings
from stream.worker.app import VtrApp
from stream.worker.consumer import BatchConsumer, Records
from stream.worker.dead_letters import DeadLetter
from stream.worker.partition import Batch
from stream.worker.publisher import Outgoing

SETTINGS = Settings(web_port=0)
TOPIC, CHANGELOG, ALERTS = SETTINGS.order_shipped_topic, SETTINGS.changelog_topic, SETTINGS.alerts_topic
A, B = TP(TOPIC, 0), TP(TOPIC, 1)

Fetch = Mapping[TP, Records]
T = TypeVar("T")


class Thread:
    """What the consumer asks its thread, which would ask the broker."""

    def __init__(self) -> None:
        self.assigned = {A, B}
        self.committed: dict[TP, int] = {}
        self.commits: list[Mapping[TP, int]] = []
        self.takes_commits = True
        self.seek_error: Exception | None = None
        self.seeks = 0
        self.membership: list[bool] = []
        self._consumer: object = None

    def assignment(self) -> set[TP]:
        return set(self.assigned)

    def highwater(self, *_: object) -> int:
        return 0

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        self.commits.append(dict(offsets))
        if self.takes_commits:
            self.committed.update(offsets)
        return self.takes_commits

    async def is_still_member(self) -> bool:
        return self.membership.pop(0)

    async def call_thread(self, fun: Callable[[], Awaitable[T]]) -> T:
        return await fun()

    async def seek_to_committed(self) -> Mapping[TP, int]:
        self.seeks += 1
        if self.seek_error is not None:
            raise self.seek_error
        return {tp: self.committed[tp] for tp in self.assigned if tp in self.committed}


async def nothing(*_: object) -> None:
    """A callback that has nothing to do."""


def on_thread(consumer: driver.Consumer, thread: Thread) -> driver.Consumer:
    consumer._thread.thread_loop.close()  # that of the real one, which is never started
    consumer._thread = cast("driver.AIOKafkaConsumerThread", thread)
    return consumer


def records(tp: TP, *offsets: int) -> Records:
    return [ConsumerRecord(tp.topic, tp.partition, at, 5000, 0, b"A1", b"{}", None, 0, 0, ()) for at in offsets]


def serve(consumer: driver.Consumer, *fetches: Fetch, during: Callable[[], None] = lambda: None) -> asyncio.Event:
    """Let the consumer fetch these, one after the other; ``during`` is called in each. The event tells the end."""
    left, ended = list(fetches), asyncio.Event()

    async def wait_next_records(timeout: float) -> tuple[Fetch | None, set[TP] | None]:  # noqa: ARG001, ASYNC109
        during()
        if left:
            return left[0], set(left.pop(0))
        ended.set()
        return None, None

    consumer._wait_next_records = wait_next_records  # type: ignore[method-assign]
    return ended


async def read(consumer: driver.Consumer, *fetches: Fetch) -> list[Message]:
    """Faust's own loop over what the consumer yields of these fetches."""
    messages: list[Message] = []

    async def take(message: Message) -> None:
        messages.append(message)

    consumer.callback = take
    await consumer._drain_messages(cast("Any", SimpleNamespace(_stopped=serve(consumer, *fetches))))
    return messages


async def done(consumer: driver.Consumer, *batches: Records) -> None:
    """Read, process and commit batches, one after the other."""
    for batch in batches:
        for message in await read(consumer, {TP(batch[0].topic, batch[0].partition): batch}):
            message.ack(consumer)
        await consumer.commit()


class Client:
    """What of aiokafka's consumer is asked."""

    def __init__(self) -> None:
        self.states: dict[TopicPartition, SimpleNamespace] = {}
        self.buffered: dict[TopicPartition, object] = {}
        self.connections: dict[object, SimpleNamespace] = {}
        self.is_rebalancing = False
        self._client = SimpleNamespace(_conns=self.connections)
        self._fetcher = SimpleNamespace(_records=self.buffered)

    @property
    def _subscription(self) -> SimpleNamespace:
        assignment = SimpleNamespace(tps=set(self.states), state_value=self.states.get)
        return SimpleNamespace(
            subscription=SimpleNamespace(assignment=assignment), reassignment_in_progress=self.is_rebalancing
        )

    def has(self, tp: TopicPartition, position: int, highwater: int | None, age: float = 0.0) -> None:
        self.states[TopicPartition(*tp)] = SimpleNamespace(
            has_valid_position=True,
            position=position,
            highwater=highwater,
            timestamp=(time() - age) * 1000,
            paused=False,
        )


class Partition:
    """Records what it is given, and leads to one dead letter; or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.alerts: list[Alert] = []
        self.engine: object = None
        self.steps: list[list[int]] = []
        """The last offsets of each step's batches."""

    @property
    def offsets(self) -> list[int]:
        """The last offset of each batch."""
        return [offset for step in self.steps for offset in step]

    def process(self, batches: Sequence[Batch], *_: object) -> Outgoing:
        assert {topic for topic, _ in batches} == {TOPIC}
        self.steps.append([records[-1].offset for _, records in batches])
        if self.error is not None:
            raise self.error
        return Outgoing(alerts=self.alerts, dead_letters=[DeadLetter(None, b"", [])])


class Producer:
    """Acknowledges what is sent once it is told to; or fails with the next of its errors."""

    def __init__(self) -> None:
        self.acknowledges = asyncio.Event()
        self.errors: list[Exception] = []

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(1000, 0)

    async def send_batch(self, *_: object, **__: object) -> "asyncio.Future[RecordMetadata]":
        await self.acknowledges.wait()
        future: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        if self.errors:
            future.set_exception(self.errors.pop(0))
        else:
            future.set_result(RecordMetadata(TOPIC, 0, TopicPartition(TOPIC, 0), 0, None, 0, 0))
        return future


class Line:
    """The processor over batches of two partitions, and what became of the app."""

    def __init__(self, app: VtrApp, consumer: BatchConsumer) -> None:
        self.app, self.consumer, self.processor = app, consumer, app.processor
        self.partitions, self.producer = {0: Partition(), 1: Partition()}, Producer()
        self.processor._partitions.update(cast("Any", self.partitions))
        app.producer._ensure_producer = lambda: self.producer  # type: ignore[attr-defined]
        self.crashes: list[BaseException] = []
        self.task: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        app.crash = self._crash  # type: ignore[method-assign]

    async def _crash(self, reason: BaseException) -> None:
        self.crashes.append(reason)

    async def run(self, *fetches: Fetch) -> None:
        for number in self.partitions:
            await self.processor.shipments.take(number)
            await self.processor.alerts.take(number)
        messages = await read(self.consumer, *fetches)
        await settled()

        async def events() -> AsyncIterator[Any]:
            for message in messages:
                yield Event(self.app, None, message.value, {}, message)
                await asyncio.sleep(0)  # a step begins: what waits together would be of one step
                await asyncio.sleep(0)

        self.task = asyncio.create_task(self.processor.process(events()))
        await settled()


async def settled() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


TWO = ({A: records(A, 0, 9)}, {A: records(A, 10, 19)})
