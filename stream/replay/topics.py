"""History from Kafka: the input topics between fixed offsets. No group is joined and nothing is committed."""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias, cast

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import OffsetOutOfRangeError
from msgspec import Struct, field

from stream.events import EARLIEST_EVENT_TIME, MAX_FUTURE, Event, Rejection, check_arrival, decode
from stream.kafka.clients import (
    BrokerError,
    TopicPartition,
    connected_admin,
    connected_consumer,
    end_offsets,
    partition_counts,
)
from stream.kafka.cluster import Cluster
from stream.replay.meter import Meter
from stream.replay.rejects import RejectedLine
from stream.replay.share import WHOLE, Share
from stream.settings import Settings
from stream.topics import require_topics

POLL_MS = 500
"""How long to wait for records before looking at the positions: a partition can end with offsets without records."""

STALL_TIMEOUT = 30.0
"""Seconds without any progress after which partitions that are not read to their ends are given up."""

_NEVER = datetime.max.replace(tzinfo=UTC)

Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"


class TopicRange(NamedTuple):
    """A part of a partition: the offsets from ``start`` on and before ``end``."""

    topic: str
    partition: int
    start: int
    end: int


class TopicHistory(Struct, frozen=True, eq=False):
    """Events that the topics of a cluster hold: of those between the offsets, those whose event time is ``since`` or
    later and before ``until`` (UTC-aware)."""

    cluster: Cluster
    ranges: tuple[TopicRange, ...]
    since: datetime | None = None
    until: datetime | None = None
    places: dict[bytes | None, set[int]] = field(default_factory=dict)
    """The partitions in which each key was found, as far as it was read."""

    @property
    def records(self) -> int:
        """How many there are at most: not every offset has one."""
        return sum(each.end - each.start for each in self.ranges)


async def find_topic_history(
    settings: Settings,
    *,
    partitions: Collection[int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    from_offsets: Mapping[TopicPartition, int] | None = None,
    to_offsets: Mapping[TopicPartition, int] | None = None,
) -> TopicHistory:
    """What the input topics of these settings hold at this moment, or the asked part of it.

    ``from_offsets`` are included and ``to_offsets`` are not; where none is given, a partition is read from its first
    record to its end. ``since`` and ``until`` cut by event time, whenever an event arrived. With ``since``, only what
    lies before the first record whose own time is less than :data:`~stream.events.MAX_FUTURE` before it is not even
    read: producers date records when they send them, and an event that is further ahead of that would be rejected.

    Raises :class:`~stream.topics.TopicError` where a topic is missing, and :class:`~stream.kafka.probe.BrokerError`
    where the broker cannot be reached, or does not hold what was asked for.
    """
    broker = settings.broker
    async with connected_admin(settings) as admin:
        counts = await partition_counts(admin)
    require_topics(settings.input_topics, counts, settings)
    all_of_them = [
        TopicPartition(topic, number) for topic in settings.input_topics for number in range(counts[topic].total)
    ]
    chosen = [each for each in all_of_them if partitions is None or each.partition in partitions]
    asked = {each.partition for each in all_of_them}
    for number in sorted(set(partitions or ()) - asked):
        raise BrokerError(f"the input topics at {broker} have no partition {number}, only 0 to {max(asked)}")
    given = {"first": dict(from_offsets or {}), "last": dict(to_offsets or {})}
    for position in sorted({*given["first"], *given["last"]} - set(chosen)):
        raise BrokerError(f"{position.topic}/{position.partition} is no partition of the input topics that are read")
    ends = await end_offsets(settings, chosen)
    async with connected_consumer(settings) as consumer:
        consumer.assign(chosen)
        starts: dict[TopicPartition, int] = await consumer.beginning_offsets(chosen) if chosen else {}
        for offsets in given.values():
            for position, offset in offsets.items():
                if not starts[position] <= offset <= ends[position]:
                    raise BrokerError(
                        f"{position.topic}/{position.partition} at {broker} has the offsets {starts[position]} to "
                        f"{ends[position]}, and not {offset}"
                    )
        if since is not None:
            starts |= await _starts_at(consumer, since - MAX_FUTURE, starts, ends)
    starts |= given["first"]
    ends |= given["last"]
    ranges = tuple(TopicRange(each.topic, each.partition, starts[each], ends[each]) for each in chosen)
    return TopicHistory(settings, ranges, since, until)


async def _starts_at(
    consumer: AIOKafkaConsumer,
    instant: datetime,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """The offset of each partition's first record that is dated ``instant`` or later."""
    found = await consumer.offsets_for_times(dict.fromkeys(starts, int(instant.timestamp() * 1000)))
    return {each: ends[each] if at is None else max(at.offset, starts[each]) for each, at in found.items()}


def read_topics(
    history: TopicHistory,
    latest: datetime,
    rejected: list[RejectedLine],
    share: Share = WHOLE,
    meter: Meter | None = None,
) -> Iterator[list[Event]]:
    """The events of topics in the order in which they come, some thousand at a time, of a share of the sellers.

    What a worker would not take, or is later than ``latest``, is added to ``rejected``, with its topic, partition and
    offset in place of the file and no line. Runs an event loop of its own. Raises
    :class:`~stream.kafka.probe.BrokerError`.
    """
    meter = meter or Meter()
    fetched = 0
    with asyncio.Runner() as runner:
        batches = _fetched(history)
        try:
            while (records := runner.run(_next(batches))) is not None:
                for key in {record.key for record in records}:
                    history.places.setdefault(key, set()).add(records[0].partition)
                events = list(_events(history, records, latest, rejected, share))
                fetched += len(records)
                meter.read(fetched, len(events))
                yield events
        finally:
            runner.run(batches.aclose())
    meter.end_source()


async def _next(batches: AsyncGenerator[Sequence[Record], None]) -> Sequence[Record] | None:
    return await anext(batches, None)


async def _fetched(history: TopicHistory) -> AsyncGenerator[Sequence[Record], None]:
    """The records of the ranges, by the partition and fetch."""
    ranges = [each for each in history.ranges if each.start < each.end]
    ends = {TopicPartition(each.topic, each.partition): each.end for each in ranges}
    broker = history.cluster.broker
    # Whatever was deleted since the offsets were fixed is missed, and must not be skipped.
    async with connected_consumer(history.cluster, reset="none") as consumer:
        consumer.assign(list(ends))
        for each in ranges:
            consumer.seek(TopicPartition(each.topic, each.partition), each.start)
        positions: dict[TopicPartition, int] = {}
        moved = time.monotonic()
        while ends:
            try:
                fetched = await consumer.getmany(timeout_ms=POLL_MS)
            except OffsetOutOfRangeError as error:
                raise BrokerError(
                    f"records at {broker} were deleted before they were read; try again: {error.args[0]}"
                ) from error
            for partition, records in fetched.items():
                if partition in ends:
                    end = ends[partition]
                    yield records if records[-1].offset < end else [each for each in records if each.offset < end]
            # Not by the records' offsets: the last ones may have no record, at transactions' ends and where the
            # topic was compacted.
            now = {partition: await _position(consumer, partition) for partition in ends}
            read = [partition for partition, position in now.items() if position >= ends[partition]]
            for partition in read:
                del ends[partition]
            consumer.pause(*read)
            if now != positions:
                positions, moved = now, time.monotonic()
            elif time.monotonic() - moved > STALL_TIMEOUT:
                ((topic, number), position), *_ = now.items()
                raise BrokerError(
                    f"the broker at {broker} gives nothing of {topic}/{number} from offset {position} on, "
                    f"which ends at {ends[TopicPartition(topic, number)]}; check that the partition has a leader"
                )


async def _position(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int:
    return cast("int", await consumer.position(partition))


def _events(
    history: TopicHistory,
    records: Sequence[Record],
    latest: datetime,
    rejected: list[RejectedLine],
    share: Share,
) -> Iterator[Event]:
    is_whole = share is WHOLE
    since, until = history.since or EARLIEST_EVENT_TIME, history.until or _NEVER
    for record in records:
        value = record.value
        is_own = is_whole or share.owns(value or b"")
        if is_own is False:
            continue
        event = decode(value)
        if isinstance(event, Rejection):
            if is_own or share.takes_strays:
                rejected.append(_rejected(record, event))
        elif (is_own or share.has(event.seller_id)) and since <= (at := event.event_time) < until:
            # As check_arrival asks, and only for those that fail it is it worth a call.
            if at <= latest and record.key == event.seller_id.encode():
                yield event
            elif (rejection := check_arrival(event, record.key, latest)) is not None:
                rejected.append(_rejected(record, rejection))


def _rejected(record: Record, rejection: Rejection) -> RejectedLine:
    return RejectedLine(f"{record.topic}/{record.partition}:{record.offset}", 0, rejection, record.value or b"")
