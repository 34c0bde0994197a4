"""A RocksDB worker with as many shipments as asked for: its memory, its folder, and how soon it is at work again.

``--events 20000000`` makes ten million shipments. The history goes straight into the topics, and is nowhere held. After
each restart every metric is compared with those of the worker that had read the whole backlog.
"""

import asyncio
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from stream.kafka.clients import TopicPartition, end_offsets
from stream.records import Metric, Scope
from stream.settings import Settings
from stream.shipment import EPOCH
from stream.subscribe import latest_metrics
from stream.topics import create_topics
from stream.worker.run import STOP_LIMIT
from tests.benchmarks import history, worker
from tests.benchmarks.bench import Bench
from tests.benchmarks.expected import now, require
from tests.benchmarks.measure import Measurement
from tests.benchmarks.process import POLL, BenchmarkError, Process
from tests.benchmarks.restore import SHOPS, Start, at_work, stored_shipments
from tests.benchmarks.watch import measured, watching

KEPT, ANEW = "windows as they were kept", "windows counted anew"
"""What a worker's log says of each partition."""

_MB = 1024 * 1024

SETTLED = 5.0
"""Seconds after the last event in which time has come to the clock and the metrics of then are out."""


class _Said(NamedTuple):
    """The metrics of every scope, without the moments they were said at. They change with the hour."""

    hour: datetime
    metrics: dict[Scope, Metric]


class _Restart(NamedTuple):
    start: Start
    memory_mb: float
    peak_mb: float
    is_checked: bool


def run(bench: Bench) -> None:
    """One round: it takes as long as all others together."""
    asyncio.run(_run(bench))


async def _run(bench: Bench) -> None:
    options, folder, report = bench.options, bench.folder, bench.report
    base = history.topics(bench.broker.url, "large", options.partitions)
    ends = history.simulate_into(base, options.events, options.sellers)
    settings = worker.run_settings(base, folder, store="rocksdb", log_level="info")
    await create_topics(settings)

    backlog, before, stopped = await _read(settings, folder, ends)
    shipments, size = history.apart(stored_shipments, settings), _size(Path(settings.data_dir))
    published = await _published(settings)
    async with at_work(settings, folder) as (process, start):
        clean = await _restarted(process, settings, start, KEPT, before, published)
        process.kill()
    published = await _published(settings)
    async with at_work(settings, folder) as (process, start):
        killed = await _restarted(process, settings, start, ANEW, before, published)

    report.say("## A large RocksDB worker")
    report.say(
        f"{backlog.events:,} events of {shipments:,} shipments in {options.partitions} partitions, read at "
        f"{backlog.rate:,.0f} events/s. The folder has {size / _MB:,.0f} MB afterwards. To stop took {stopped:.1f} s, "
        f"and may take {STOP_LIMIT:g} s. Seconds are from the start of the process until an event of each partition "
        f"has come through; after a kill the group waits {settings.session_timeout:g} s for the dead member."
    )
    rows = [["backlog read to its end", "", f"{backlog.end_mb or 0:,.0f}", f"{backlog.peak_mb:,.0f}", ""]]
    for name, restart in ((f"stopped, {KEPT}", clean), (f"killed, {ANEW}", killed)):
        numbers = "the same" if restart.is_checked else "of another hour"
        memory = f"{restart.memory_mb:,.0f}", f"{restart.peak_mb:,.0f}"
        rows.append([name, f"{restart.start.seconds:.1f}", *memory, numbers])
    report.table(["", "seconds", "resident MB", "peak MB", "numbers"], rows)


async def _read(settings: Settings, folder: Path, ends: dict[TopicPartition, int]) -> tuple[Measurement, _Said, float]:
    """Let a worker read all, and stop it. Returns also what it has said, and the seconds it took to stop."""
    async with watching(settings, settings.group, [settings.changelog_topic]) as watch:
        process = worker.start(settings, folder)
        try:
            measurement = await measured(watch, ends, process)
            await asyncio.sleep(SETTLED)
            said = _Said(_this_hour(), await _metrics(settings))
            usage = process.usage()
            began = time.perf_counter()
        finally:
            process.stop()
    stopped = time.perf_counter() - began
    if process.output().count("windows kept for the next start") != settings.partitions:
        raise BenchmarkError(f"not all windows were kept:\n{process.output()}")
    return measurement._replace(end_mb=usage.now_mb, peak_mb=usage.peak_mb), said, stopped


async def _restarted(
    process: Process, settings: Settings, start: Start, how: str, before: _Said, published: int
) -> _Restart:
    """What a worker that is at work again needs, once it has said all metrics again, beyond those ``published``, and
    they are those from ``before``."""
    if process.output().count(how) != settings.partitions:
        raise BenchmarkError(f"not all partitions have their {how}:\n{process.output()}")
    deadline = time.monotonic() + worker.SETTLED_AFTER
    while not (is_checked := await _are_said_again(settings, before, published)):
        if _this_hour() != before.hour:
            break
        if time.monotonic() > deadline:
            require(await _metrics(settings), before.metrics)
            raise BenchmarkError("not all metrics were said again")
        await asyncio.sleep(POLL)
    usage = process.usage()
    return _Restart(start, usage.now_mb, usage.peak_mb, is_checked)


async def _are_said_again(settings: Settings, before: _Said, published: int) -> bool:
    # Each scope's, and those of the sellers whose events have waited.
    again = len(before.metrics) + settings.partitions
    return await _published(settings) - published >= again and await _metrics(settings) == before.metrics


async def _metrics(settings: Settings) -> dict[Scope, Metric]:
    """Of the history's sellers, without the times."""
    metrics = await latest_metrics(settings.broker, topic=settings.metrics_topic)
    return {
        scope: replace(metric, as_of=EPOCH)
        for scope, metric in metrics.items()
        if not scope.seller_id.startswith(SHOPS)
    }


async def _published(settings: Settings) -> int:
    """How many metrics were ever said."""
    partitions = [TopicPartition(settings.metrics_topic, number) for number in range(settings.partitions)]
    return sum((await end_offsets(settings, partitions)).values())


def _this_hour() -> datetime:
    return now().replace(minute=0, second=0, microsecond=0)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
