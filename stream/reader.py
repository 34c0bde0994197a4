"""Reads a topic from where it is told to where it is told, alone or as a member of a consumer group."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import chain
from types import TracebackType
from typing import Literal, Self

from aiokafka import ConsumerRebalanceListener, ConsumerRecord
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from msgspec import Struct
from msgspec.structs import replace

from stream.kafka.clients import (
    BrokerError,
    RefusedError,
    TopicPartition,
    connected_admin,
    connected_consumer,
    end_offsets,
    is_connected,
    is_cut_off,
    partition_counts,
    why_shut_out,
)
from stream.kafka.cluster import Cluster
from stream.topics import require_topics

Start = Literal["now", "beginning"]

COMMIT_INTERVAL = 5.0
"""Seconds between commits of a group: what a subscriber that is killed gets again."""

COMMIT_TIMEOUT = 3.0
"""Seconds a commit may take. One that fails is repeated with the next, and costs no more than repeated records."""

JOIN_TIMEOUT = 60.0
"""Seconds in which a group must have let a new member in. A rebalance takes at most 10, the session timeout; one
after the crash of another member twice that."""

STALL_TIMEOUT = 30.0
"""Seconds without any progress after which a subscription that is to end at the end gives up."""

AWAY_AFTER = 10.0
"""Seconds without any connection after which a subscription that waits asks again whether it is let in."""

POLL_MS = 1_000
"""How long to wait for records before looking at the clock again."""

POLL_RECORDS = 2_000
"""Unpacking more records at once would block the caller's event loop for more than some 10 ms."""

logger = logging.getLogger(__name__)


class Source(Struct, frozen=True):
    """What to read of which topic. ``group`` is None to read alone; without ``follow`` it ends at the end."""

    cluster: Cluster
    topic: str
    start: Start
    group: str | None
    follow: bool


async def open_reader(source: Source) -> "Reader":
    """A reader to be entered.

    Raises :class:`~stream.kafka.probe.BrokerError` where the broker or the topic is not there.
    """
    async with connected_admin(source.cluster) as admin:
        existing = await partition_counts(admin)
    require_topics([source.topic], existing, source.cluster)
    partitions = [TopicPartition(source.topic, number) for number in range(existing[source.topic].total)]
    needs_ends = source.start == "now" or not source.follow
    ends = await end_offsets(source.cluster, partitions) if needs_ends else {}
    if source.group is None:
        return Reader(source, partitions, ends)
    return _Member(source, source.group, partitions, ends)


class Reader:
    """Reads the partitions of a topic from where its source says to where it says."""

    def __init__(
        self,
        source: Source,
        partitions: list[TopicPartition],
        ends: dict[TopicPartition, int],
    ) -> None:
        self._source = source
        self._partitions = partitions
        self._ends = ends
        """Where the partitions ended at the start; empty where that is of no interest."""
        self._connection = connected_consumer(source.cluster, group=source.group)
        self._positions: list[int] = []
        self._moved = time.monotonic()
        self._connected = time.monotonic()

    async def __aenter__(self) -> Self:
        self._consumer = await self._connection.__aenter__()
        try:
            await self._start()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._connection.__aexit__(kind, error, traceback)

    async def fetch(self) -> list[ConsumerRecord] | None:
        """The next records, possibly none, tombstones included; None at the end."""
        if not self._source.follow and not await self._is_behind():
            return None
        if self._source.follow:
            await self._require_entry()
        # The last to wait for: a member's records must not outlast a rebalance unnoticed.
        batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
        records = chain.from_iterable(batches.values())
        if self._source.follow:
            return list(records)
        return [record for record in records if record.offset < self._ends.get(_partition(record), 0)]

    async def done(self, record: ConsumerRecord) -> bool:  # noqa: ARG002
        """Told of each record when the next one is asked for. False where the rest of the fetch is to be dropped."""
        return True

    def following(self) -> "Reader":
        """A reader, to be entered, of what comes after this one's end."""
        return Reader(replace(self._source, start="now", follow=True), self._partitions, self._ends)

    async def _start(self) -> None:
        self._consumer.assign(self._partitions)
        if self._source.start == "now":
            for partition, end in self._ends.items():
                self._consumer.seek(partition, end)

    async def _require_entry(self) -> None:
        """Raises :class:`~stream.kafka.probe.RefusedError` where brokers are back and do not let us in any more."""
        if is_connected(self._consumer):
            self._connected = time.monotonic()
        elif time.monotonic() - self._connected > AWAY_AFTER:
            self._connected = time.monotonic()
            error = await why_shut_out(self._source.cluster)
            if isinstance(error, RefusedError):
                raise error

    async def _is_behind(self) -> bool:
        """Whether assigned partitions are not at their ends. Raises TimeoutError after :data:`STALL_TIMEOUT`."""
        partitions = [partition for partition in self._ends if partition in self._consumer.assignment()]
        try:
            async with asyncio.timeout(STALL_TIMEOUT):
                positions = [await self._consumer.position(partition) for partition in partitions]
        except IllegalStateError:
            return True  # A rebalance took the partition away meanwhile.
        if positions != self._positions:
            self._positions, self._moved = positions, time.monotonic()
        elif time.monotonic() - self._moved > STALL_TIMEOUT:
            raise TimeoutError
        return any(position < self._ends[partition] for partition, position in zip(partitions, positions, strict=True))


class _Member(Reader, ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads the part of a topic that a consumer group leaves to it, from where the group stopped."""

    def __init__(
        self, source: Source, group: str, partitions: list[TopicPartition], ends: dict[TopicPartition, int]
    ) -> None:
        super().__init__(source, partitions, ends)
        self._group = group
        self._done: dict[TopicPartition, int] = {}
        """The offset after the last record done, of each partition with records done since the last commit."""
        self._generation = 0
        """Counts the rebalances."""
        self._fetched = 0
        """The generation of the last fetch."""
        self._due = time.monotonic() + COMMIT_INTERVAL

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if not is_cut_off(self._consumer):
                await self._commit()
        finally:
            await super().__aexit__(kind, error, traceback)

    async def fetch(self) -> list[ConsumerRecord] | None:
        await self._commit_when_due()
        records = await super().fetch()
        # No await since the consumer gave them, so it is the generation that they belong to.
        self._fetched = self._generation
        return records

    async def done(self, record: ConsumerRecord) -> bool:
        if self._generation != self._fetched:
            # Whoever has the partition now reads on from what was committed, so the rest is theirs, or comes again.
            return False
        self._done[_partition(record)] = record.offset + 1
        await self._commit_when_due()
        return True

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002 - they are all
        self._generation += 1
        await self._commit()
        self._done.clear()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Nothing to do: the consumer goes on from what the group committed."""

    async def _start(self) -> None:
        async with _joining(self._source):
            await self._establish()
            self._consumer.subscribe([self._source.topic], listener=self)
            # Waits for the assignment, and takes no record.
            await self._consumer.getmany(TopicPartition(self._source.topic, -1))

    async def _establish(self) -> None:
        """Gives a new group its position, so that it misses nothing from now on.

        Without one, a group whose members stop before their first commit would start at another "now" the next
        time; and what a broker takes for "now" can be wrong, see :func:`~stream.kafka.clients.end_offsets`.
        """
        async with connected_consumer(self._source.cluster, group=self._group) as consumer:
            consumer.assign(self._partitions)
            new = [partition for partition in self._partitions if await consumer.committed(partition) is None]
            if not new:
                return
            starts = self._ends if self._source.start == "now" else await consumer.beginning_offsets(new)
            # Refused where the group has got members meanwhile; then they have done the same.
            with suppress(CommitFailedError):
                await consumer.commit({partition: starts[partition] for partition in new})

    async def _commit_when_due(self) -> None:
        if time.monotonic() >= self._due:
            await self._commit()

    async def _commit(self) -> None:
        self._due = time.monotonic() + COMMIT_INTERVAL
        if not self._done:
            return
        offsets = dict(self._done)
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                await self._consumer.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            logger.warning("group %s: not committed, so records may come again: %s", self._group, type(error).__name__)
            return
        for partition in offsets:
            self._done.pop(partition, None)


@asynccontextmanager
async def _joining(source: Source) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(JOIN_TIMEOUT):
            yield
    except TimeoutError:
        raise BrokerError(
            f"the Kafka broker at {source.cluster.broker} did not let group {source.group} in within "
            f"{JOIN_TIMEOUT:g} s; check that its offsets topic is available, and that the group's other members are "
            "alive"
        ) from None


def _partition(record: ConsumerRecord) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)
