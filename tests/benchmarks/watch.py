"""How far a consumer group is with a backlog, seen from the broker: what it has written and what it has committed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from stream.kafka.clients import TopicPartition, connected_admin, connected_consumer, partition_counts
from stream.kafka.cluster import Cluster
from tests.benchmarks.measure import Measurement
from tests.benchmarks.process import PATIENCE, POLL, BenchmarkError, Process

STABLE_GROUP = "Stable"
"""What brokers call a group whose members all have their partitions."""


class Watch:
    """Looks at one group. ``changelogs`` are what the names of its changelog topics start with."""

    def __init__(
        self, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, changelogs: Sequence[str], group: str
    ) -> None:
        self._admin = admin
        self._consumer = consumer
        self._group = group
        self._changelogs = tuple(changelogs)
        self._partitions: list[TopicPartition] = []

    async def changelog(self) -> list[TopicPartition]:
        """The partitions of the changelogs that exist."""
        counts = await partition_counts(self._admin)
        return [
            TopicPartition(topic, partition)
            for topic, count in counts.items()
            if topic.startswith(self._changelogs)
            for partition in range(count.total)
        ]

    async def written(self) -> dict[TopicPartition, int]:
        """How many records the changelogs have; on the embedded broker a few of the last are not seen."""
        if not self._partitions:
            self._partitions = await self.changelog()
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self._partitions) if self._partitions else {}
        return ends

    async def committed(self, ends: Mapping[TopicPartition, int]) -> int:
        """How many of the events before ``ends`` the group has committed."""
        offsets = {partition: await self._consumer.committed(partition) or 0 for partition in ends}
        return sum(min(offset, ends[partition]) for partition, offset in offsets.items())

    async def until_members(self, members: int) -> None:
        """Wait until the group has that many, and they have got their partitions."""
        async with asyncio.timeout(PATIENCE):
            while True:
                (response,) = await self._admin.describe_consumer_groups([self._group])
                (group,) = response.groups
                if group[2] == STABLE_GROUP and len(group[5]) == members:
                    return
                await asyncio.sleep(POLL)


@asynccontextmanager
async def watching(cluster: Cluster, group: str, changelogs: Sequence[str]) -> AsyncIterator[Watch]:
    """A watch on a group of ``cluster``."""
    async with connected_admin(cluster) as admin, connected_consumer(cluster, group=group) as consumer:
        # It joins no group without a subscription; the group's name is for asking what is committed.
        yield Watch(admin, consumer, changelogs, group)


async def measured(
    watch: Watch, ends: Mapping[TopicPartition, int], *processes: Process, first: str | None = None
) -> Measurement:
    """Measure a group of processes on a backlog that stops at ``ends``.

    From the first sign of work (the text ``first`` in the output, by default the first new record in a changelog), so
    without the start of an interpreter and of a group, until the last record in a changelog before all is committed.
    Several processes are measured only from when all of them have their partitions; what was done before is left out.
    """
    done, before = await watch.committed(ends), await watch.written()
    if first is not None:
        await processes[0].says(first)
    else:
        await growth(watch, before, processes)
    if len(processes) > 1:
        await watch.until_members(len(processes))
        done, before = await watch.committed(ends), await watch.written()
        if done == sum(ends.values()):
            raise BenchmarkError("too few events: all was done before the last process had joined")
        await growth(watch, before, processes)
    started = last = time.perf_counter()
    at_start = at_last = [process.usage() for process in processes]
    written = before
    total = sum(ends.values())
    while True:
        now_written = await watch.written()
        if now_written != written:
            written, last = now_written, time.perf_counter()
            at_last = [process.usage() for process in processes]
        if await watch.committed(ends) == total:
            break
        if time.perf_counter() - last > PATIENCE:
            raise BenchmarkError(f"nothing was written for {PATIENCE:g} s, and not all was committed")
        await asyncio.sleep(POLL)
    return Measurement(
        total - done,
        # What was done between two looks took no longer than there is between them.
        max(last - started, POLL),
        sum(end.cpu_seconds - start.cpu_seconds for start, end in zip(at_start, at_last, strict=True)),
        sum(usage.peak_mb for usage in at_last),
        sum(usage.now_mb for usage in at_last),
    )


async def growth(
    watch: Watch,
    before: Mapping[TopicPartition, int],
    processes: Sequence[Process],
    *,
    where: Callable[[Iterable[bool]], bool] = any,
) -> None:
    """Wait until the changelogs have more records than ``before``, in any partition or in all of them."""
    deadline = time.monotonic() + PATIENCE
    while True:
        now = await watch.written()
        if now and where(end > before.get(partition, 0) for partition, end in now.items()):
            return
        for process in processes:
            process.check()
        if time.monotonic() > deadline:
            raise BenchmarkError(f"nothing was written within {PATIENCE:g} s")
        await asyncio.sleep(POLL)
