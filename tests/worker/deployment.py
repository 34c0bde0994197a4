"""A group of workers with topics of its own, and everything a test wants to know of it from outside."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import NamedTuple, ParamSpec, TypeVar

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.partitioner import DefaultPartitioner

from stream.kafka.clients import TopicPartition, connected_consumer, end_offsets
from stream.records import Alert, Metric, Scope, decode_alert, decode_key, decode_metric
from stream.settings import Settings
from tests.worker.process import WorkerProcess

PATIENCE = 60.0
"""Seconds until what must happen must have happened: starts and rebalances take up to ten on a busy machine."""

_POLL = 0.2

_LARGEST_REQUEST = 2 * 1024 * 1024

P = ParamSpec("P")
T = TypeVar("T")


class Input(NamedTuple):
    """A record to send. Without ``partition`` it goes to its key's, as with any producer."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int | None = None


class Deployment:
    """Settings, topics and workers of one test."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.workers: list[WorkerProcess] = []
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def start(self, settings: Settings | None = None, *, patch: str | None = None) -> WorkerProcess:
        """Start a worker and do not wait for it."""
        name = f"worker-{len(self.workers) + 1}"
        worker = WorkerProcess(settings or self.settings, self._folder, name, patch)
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """End what still runs. What the workers said is shown with a test that failed."""
        self.end()
        for worker in self.workers:
            print(f"--- {worker.name}\n{worker.tail}")

    def end(self) -> None:
        """End what still runs."""
        for worker in self.workers:
            worker.kill()

    async def eventually(self, check: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Repeat ``check`` until its assertions hold. Fails with the last one that did not, or as a worker ends."""
        deadline = monotonic() + PATIENCE
        while True:
            for worker in self.workers:
                worker.check()
            try:
                return await check(*args, **kwargs)
            except AssertionError:
                if monotonic() > deadline:
                    raise
            await asyncio.sleep(_POLL)

    # --- In ----------------------------------------------------------------------------------------------------------

    def partition_of(self, key: bytes) -> int:
        """The partition that producers send a key to."""
        partitions = list(range(self.settings.partitions))
        return int(DefaultPartitioner()(key, partitions, partitions))

    async def send(self, records: Iterable[Input]) -> dict[TopicPartition, int]:
        """Send records in their order and wait until they are there. Returns the last offset of each partition."""
        producer = AIOKafkaProducer(max_request_size=_LARGEST_REQUEST, **self.settings.client_options())
        last: dict[TopicPartition, int] = {}
        async with producer:
            deliveries = [
                await producer.send(
                    record.topic,
                    record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=record.partition,
                )
                for record in records
            ]
            for delivered in await asyncio.gather(*deliveries):
                last[TopicPartition(delivered.topic, delivered.partition)] = delivered.offset
        return last

    # --- Out ---------------------------------------------------------------------------------------------------------

    async def read(self, topic: str) -> "list[ConsumerRecord[bytes | None, bytes | None]]":
        """Everything a topic holds, to its real end, in order within each partition."""
        partitions = self._partitions(topic)
        ends = await end_offsets(self.settings, partitions)
        records: list[ConsumerRecord[bytes | None, bytes | None]] = []
        async with connected_consumer(self.settings) as consumer:
            consumer.assign(partitions)
            unread = {partition for partition, end in ends.items() if end > 0}
            while unread:
                for batch in (await consumer.getmany(timeout_ms=1000)).values():
                    records += batch
                unread = {partition for partition in unread if await consumer.position(partition) < ends[partition]}
        return records

    async def alerts(self) -> list[Alert]:
        """Every alert that was said, in order within each partition."""
        return [decode_alert(record.value or b"") for record in await self.read(self.settings.alerts_topic)]

    async def metrics(self) -> dict[Scope, Metric]:
        """The latest metric of each scope that there is."""
        latest: dict[Scope, Metric] = {}
        for record in await self.read(self.settings.metrics_topic):
            scope = decode_key(record.key or b"")
            latest.pop(scope, None)
            if record.value is not None:
                latest[scope] = decode_metric(record.value)
        return latest

    async def dead_letters(self) -> "list[ConsumerRecord[bytes | None, bytes | None]]":
        """Every dead letter, in order within each partition."""
        return await self.read(self.settings.dead_letters_topic)

    async def ends(self, *topics: str) -> dict[TopicPartition, int]:
        """The real end of every partition of the topics that ever had a record."""
        partitions = [partition for topic in topics for partition in self._partitions(topic)]
        ends = await end_offsets(self.settings, partitions)
        return {partition: end for partition, end in ends.items() if end > 0}

    async def input_ends(self) -> dict[TopicPartition, int]:
        """The same of the input topics."""
        return await self.ends(*self.settings.input_topics)

    async def committed(self) -> dict[TopicPartition, int]:
        """What the group has committed of the input partitions; those without a commit are left out."""
        offsets = {}
        async with connected_consumer(self.settings, group=self.settings.group) as consumer:
            for topic in self.settings.input_topics:
                for partition in self._partitions(topic):
                    offset = await consumer.committed(partition)
                    if offset is not None:
                        offsets[partition] = offset
        return offsets

    async def all_committed(self) -> None:
        """Asserts that the group has committed the real end of every input partition, and nothing else."""
        ends = await self.input_ends()
        committed = await self.committed()
        assert {partition: offset for partition, offset in committed.items() if offset} == ends

    def _partitions(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self.settings.partitions)]
