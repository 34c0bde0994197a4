"""How long a worker takes from its start until it is at work again, by where it finds its shipments.

At work is: an event that waits in each partition when it starts has come through, so that the partition's changelog
has grown. Starting Python and Faust and joining the group is in all of the figures; a start that has nothing to restore
shows how much of them that is.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from stream.kafka.cluster import bootstrap_servers
from stream.settings import Settings
from stream.state.rows import WATERMARK_KEY
from stream.topics import create_topics
from stream.worker.app import open_store
from tests.benchmarks import worker
from tests.benchmarks.bench import Bench
from tests.benchmarks.expected import now
from tests.benchmarks.history import Dataset, apart, topics
from tests.benchmarks.measure import Spread, interleaved
from tests.benchmarks.process import Process
from tests.benchmarks.shop import Shop
from tests.benchmarks.watch import growth, measured, watching

MEMORY = "memory store, from the changelog"
LOST = "RocksDB store, folder lost"
_FROM_CHANGELOG = (MEMORY, LOST)

SHOPS = "RESTORED"
"""How the ids of the sellers begin whose events wait when a worker starts."""

_parcels = count(1)


class Start(NamedTuple):
    """Seconds until a worker was at work, and the changelog's records before."""

    seconds: float
    records: int


def run(bench: Bench) -> None:
    """A worker fills a changelog; then others start from it."""
    options, folder = bench.options, bench.folder
    dataset = bench.dataset(bench.history(options.events, options.sellers))
    empty = asyncio.run(_with_nothing(topics(bench.broker.url, "restore-nothing", options.partitions), folder))
    memory, rocks = (asyncio.run(_filled(dataset, folder, store)) for store in ("memory", "rocksdb"))
    starts = interleaved(
        {
            "nothing to restore": lambda: asyncio.run(_start(empty, folder)),
            MEMORY: lambda: asyncio.run(_start(memory, folder)),
            "RocksDB store, folder there": lambda: asyncio.run(_start(rocks, folder)),
            LOST: lambda: asyncio.run(_start(rocks, folder, lose_folder=True)),
        },
        options.rounds,
    )
    shipments = apart(stored_shipments, rocks)
    base = Spread.of([start.seconds for start in starts["nothing to restore"]]).median
    bench.report.say("## Restore")
    bench.report.say(
        "Seconds from the start of a worker until an event of each partition has come through. The changelog's records "
        f"are of {shipments:,} shipments; rates of both are over the seconds beyond a start with nothing to restore."
    )
    rows = []
    for name, rounds in starts.items():
        spread = Spread.of([start.seconds for start in rounds])
        beyond = spread.median - base
        records = rounds[0].records
        is_rated = beyond > 0 and name in _FROM_CHANGELOG
        rates = [f"{restored / beyond:,.0f}" if is_rated else "" for restored in (records, shipments)]
        rows.append([name, f"{records:,}", f"{spread.median:.2f}", f"{spread.least:.2f}–{spread.most:.2f}", *rates])
    bench.report.table(["", "records", "seconds", "min–max", "records/s", "shipments/s"], rows)


async def _with_nothing(base: Settings, folder: Path) -> Settings:
    settings = worker.run_settings(base, folder)
    await create_topics(settings)
    return settings


async def _filled(dataset: Dataset, folder: Path, store: str) -> Settings:
    """The settings of a worker that has read the whole backlog and stopped."""
    settings = worker.run_settings(dataset.settings, folder, store=store)
    await create_topics(settings)
    async with watching(settings, settings.group, [settings.changelog_topic]) as watch:
        process = worker.start(settings, folder)
        try:
            await measured(watch, dataset.ends, process)
        finally:
            process.stop()
    return settings


async def _start(settings: Settings, folder: Path, *, lose_folder: bool = False) -> Start:
    if lose_folder:
        shutil.rmtree(settings.data_dir)
    async with at_work(settings, folder) as (_, start):
        return start


@asynccontextmanager
async def at_work(settings: Settings, folder: Path) -> AsyncIterator[tuple[Process, Start]]:
    """A worker that has just been started and is at work, with how that went. Stopped at the end."""
    await _leave_an_event_in_each_partition(settings)
    async with watching(settings, settings.group, [settings.changelog_topic]) as watch:
        before = await watch.written()
        started = time.perf_counter()
        process = worker.start(settings, folder)
        try:
            await growth(watch, before, [process], where=all)
            yield process, Start(time.perf_counter() - started, sum(before.values()))
        finally:
            process.stop()


def stored_shipments(settings: Settings) -> int:
    """How many shipments are in the stores of a RocksDB worker that has ended."""
    found = 0
    for number in range(settings.partitions):
        store = open_store(settings, number)
        found += sum(key != WATERMARK_KEY for key, _ in store.scan())
        store.close()
    return found


async def _leave_an_event_in_each_partition(settings: Settings) -> None:
    parcel = next(_parcels)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers(settings.broker)) as producer:
        for shop in _shops(settings):
            message = shop.ships(parcel, now())
            await producer.send_and_wait(message.topic, message.value, key=message.key)


def _shops(settings: Settings) -> Sequence[Shop]:
    """A seller in each partition."""
    partitions = list(range(settings.partitions))
    shops: dict[int, Shop] = {}
    for number in count():
        shop = Shop(settings, f"{SHOPS}{number}")
        shops.setdefault(DefaultPartitioner()(shop.key, partitions, partitions), shop)
        if len(shops) == len(partitions):
            break
    return list(shops.values())
