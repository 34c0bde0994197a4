"""Sends events into the input topics, each to the partition of its seller."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from stream.kafka.clients import BrokerError, connected_admin, partition_counts
from stream.settings import Settings
from stream.topics import require_topics

BATCH_BYTES = 500_000
"""Half of what brokers take in a request by default."""

MOST_UNDER_WAY = 64
"""Batches sent and not yet acknowledged: enough to keep a broker busy, and no more memory than 32 MB."""


class FeedRecord(NamedTuple):
    """A record for the input topic of a type of events. ``timestamp`` is in milliseconds since 1970 UTC; None is when
    it is sent."""

    kind: str
    key: bytes
    value: bytes
    timestamp: int | None = None


class Feed:
    """Sends records by the batch. Made by :func:`connected_feed`.

    A partition's batches are sent one after the other, each until it is acknowledged, so its records keep their order.
    """

    def __init__(self, producer: AIOKafkaProducer, topics: dict[str, str], partitions: dict[str, int]) -> None:
        self._producer = producer
        self.topics = topics
        """The topic of each type of events that has one."""
        self._partitions = {topic: list(range(partitions[topic])) for topic in topics.values()}
        self._partitioner = DefaultPartitioner()
        self._targets: dict[tuple[str, bytes], tuple[str, int]] = {}
        """Topic and partition by type and key: to compute a partition takes longer than all else of a record."""
        self._batches: dict[tuple[str, int], BatchBuilder] = {}
        self._under_way: list[asyncio.Future[object]] = []

    async def send(self, records: Iterable[FeedRecord]) -> int:
        """Send records, a seller's in their order, and wait until all are acknowledged. Returns how many they were.

        Raises :class:`aiokafka.errors.KafkaError`.
        """
        sent = 0
        for kind, key, value, timestamp in records:
            target = self._targets.get((kind, key)) or self._target(kind, key)
            batch = self._batches.get(target)
            if batch is None or batch.append(timestamp=timestamp, key=key, value=value) is None:
                if batch is not None:
                    await self._submit(target, batch)
                batch = self._batches[target] = self._producer.create_batch()
                if batch.append(timestamp=timestamp, key=key, value=value) is None:
                    raise MessageSizeTooLargeError(f"a record of {len(value)} bytes for {target[0]}")
            sent += 1
        for target, batch in self._batches.items():
            await self._submit(target, batch)
        self._batches.clear()
        await self._acknowledged()
        return sent

    def _target(self, kind: str, key: bytes) -> tuple[str, int]:
        topic = self.topics[kind]
        partitions = self._partitions[topic]
        target = self._targets[kind, key] = (topic, self._partitioner(key, partitions, partitions))
        return target

    async def _submit(self, target: tuple[str, int], batch: BatchBuilder) -> None:
        topic, partition = target
        self._under_way.append(await self._producer.send_batch(batch, topic, partition=partition))
        if len(self._under_way) >= MOST_UNDER_WAY:
            await self._acknowledged()

    async def _acknowledged(self) -> None:
        under_way, self._under_way = self._under_way, []
        await asyncio.gather(*under_way)


@asynccontextmanager
async def connected_feed(settings: Settings) -> AsyncIterator[Feed]:
    """A feed into the input topics of the settings.

    Raises :class:`~stream.kafka.probe.BrokerError` where the broker or a topic is not there, or stops taking records.
    """
    topics = settings.topics_by_type
    async with connected_admin(settings) as admin:
        counts = await partition_counts(admin)
    require_topics(list(topics.values()), counts, settings)
    producer = AIOKafkaProducer(acks="all", max_batch_size=BATCH_BYTES, **settings.client_options())
    try:
        await producer.start()
        yield Feed(producer, topics, {topic: counts[topic].total for topic in topics.values()})
    except KafkaError as error:
        raise BrokerError(f"the Kafka broker at {settings.broker} does not take events: {error}") from error
    finally:
        await producer.stop()
