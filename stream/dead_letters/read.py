"""Reads dead letters from their topic."""

import asyncio
import heapq
import logging
from collections.abc import AsyncGenerator, Iterable, Iterator
from datetime import datetime

from aiokafka import ConsumerRecord
from msgspec import Struct

from stream.dead_letters.letter import InvalidLetterError, Letter, Position, read_letter
from stream.kafka.clients import (
    BrokerError,
    TopicPartition,
    connected_admin,
    connected_consumer,
    end_offsets,
    partition_counts,
)
from stream.kafka.cluster import Cluster
from stream.reader import STALL_TIMEOUT, Source, open_reader
from stream.topics import require_topics

logger = logging.getLogger(__name__)


class NoLetterError(BrokerError):
    """There is no dead letter where one was looked for. The message is one line."""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which letters: None for all. ``topics`` are those they came from; they were rejected from ``since`` on and
    before ``until``."""

    codes: frozenset[str] | None = None
    topics: frozenset[str] | None = None
    seller_ids: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def has(self, letter: Letter) -> bool:
        """Whether the letter is one of them."""
        return (
            (self.codes is None or letter.code in self.codes)
            and (self.topics is None or letter.source.topic in self.topics)
            and (self.since is None or letter.rejected_at >= self.since)
            and (self.until is None or letter.rejected_at < self.until)
            and (self.seller_ids is None or not self.seller_ids.isdisjoint(letter.seller_ids))
        )

    def among(self, records: Iterable["ConsumerRecord[bytes | None, bytes | None]"]) -> Iterator[Letter]:
        """Those of the records that are such letters. What is no dead letter is logged as a warning and skipped."""
        for record in records:
            try:
                letter = read_letter(record)
            except InvalidLetterError as error:
                where = Position(record.topic, record.partition, record.offset)
                logger.warning("skipped %s, which is no dead letter: %s", where, error)
                continue
            if self.has(letter):
                yield letter


async def letters(
    cluster: Cluster, topic: str, wanted: Wanted, *, limit: int | None = None, follow: bool = False
) -> AsyncGenerator[Letter, None]:
    """The letters that a topic holds, the newest last; with ``limit`` only the newest; with ``follow`` then those to
    come.

    Keeps in memory what it gives. Raises :class:`~stream.kafka.probe.BrokerError` where the broker or the topic is not
    there.
    """
    async with await open_reader(Source(cluster, topic, "beginning", None, follow=False)) as reader:
        found: list[Letter] = []
        while (records := await reader.fetch()) is not None:
            found.extend(wanted.among(records))
            if limit is not None:
                found = newest(found, limit)
        following = reader.following()
    for letter in newest(found, len(found) if limit is None else limit):
        yield letter
    if follow:
        async with following as reader:
            while (records := await reader.fetch()) is not None:
                for letter in newest(wanted.among(records), len(records)):
                    yield letter


def newest(found: Iterable[Letter], limit: int) -> list[Letter]:
    """The newest letters, the newest last."""
    return heapq.nlargest(limit, found, key=_age)[::-1]


def _age(letter: Letter) -> tuple[datetime, int, int]:
    return letter.rejected_at, letter.partition, letter.offset


async def letter_at(cluster: Cluster, topic: str, partition: int, offset: int) -> Letter:
    """The letter at a position.

    Raises :class:`NoLetterError`, and :class:`~stream.kafka.probe.BrokerError` as above.
    """
    where = Position(topic, partition, offset)
    async with connected_admin(cluster) as admin:
        existing = await partition_counts(admin)
    require_topics([topic], existing, cluster)
    if partition >= existing[topic].total:
        raise NoLetterError(f"there is no dead letter {where}: the topic has {existing[topic].total} partitions")
    at = TopicPartition(topic, partition)
    end = (await end_offsets(cluster, [at]))[at]
    if offset >= end:
        held = f"ends before offset {end}" if end else "is empty"
        raise NoLetterError(f"there is no dead letter {where}: the partition {held}")
    async with connected_consumer(cluster) as consumer, asyncio.timeout(STALL_TIMEOUT):
        start = (await consumer.beginning_offsets([at]))[at]
        if offset < start:
            raise NoLetterError(f"there is no dead letter {where} any more: the partition begins with offset {start}")
        consumer.assign([at])
        consumer.seek(at, offset)
        record = await consumer.getone(at)
    try:
        return read_letter(record)
    except InvalidLetterError as error:
        raise NoLetterError(f"{where} is no dead letter: {error}") from None
