"""Our worker as its users run it: ``vtr run``, a process with settings of its own."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import count
from pathlib import Path

from msgspec.structs import replace

from stream.kafka.clients import connected_admin
from stream.records import Scope
from stream.settings import Settings
from stream.subscribe import latest_metrics
from stream.topics import create_topics, required_topics
from tests.benchmarks.expected import live_shipments, now, replayed, require
from tests.benchmarks.history import Dataset, apart
from tests.benchmarks.measure import Measurement
from tests.benchmarks.process import BenchmarkError, Process
from tests.benchmarks.watch import Watch, measured, watching
from tests.environment import as_environment

SETTLED_AFTER = 30.0
"""Seconds a worker that has read all may take until its metrics are those of now."""

_runs = count(1)


def run_settings(base: Settings, folder: Path, **changes: object) -> Settings:
    """The settings of a run of its own, with a group, output topics and a data folder that nobody else has."""
    name = f"run{next(_runs)}"
    settings = replace(
        base,
        group=name,
        metrics_topic=f"{name}-metrics",
        alerts_topic=f"{name}-alerts",
        dead_letters_topic=f"{name}-dead-letters",
        data_dir=str(folder / name),
        web_port=0,
        session_timeout=6.0,
        rebalance_timeout=6.0,
        # So that what is to be checked is there soon after the last event.
        idle_after=1.0,
        log_level="warning",
    )
    return replace(settings, **changes)


def start(settings: Settings, folder: Path, *, name: str = "worker", cores: set[int] | None = None) -> Process:
    """Start a worker, and do not wait for it."""
    environment = as_environment(settings)
    log = folder / f"{settings.group}-{name}.log"
    return Process([sys.executable, "-m", "stream", "run"], log, environment, cores)


@asynccontextmanager
async def deployment(base: Settings, folder: Path, **changes: object) -> AsyncIterator[tuple[Settings, Watch]]:
    """Settings, topics and a watch for a run; what it wrote is deleted at the end, or many runs would fill the disk."""
    settings = run_settings(base, folder, **changes)
    await create_topics(settings)
    async with watching(settings, settings.group, [settings.changelog_topic]) as watch:
        yield settings, watch
    written = [spec.name for spec in required_topics(settings) if spec.name not in settings.input_topics]
    async with connected_admin(settings) as admin:
        await admin.delete_topics(written)
    shutil.rmtree(settings.data_dir, ignore_errors=True)


async def on_backlog(dataset: Dataset, folder: Path, *, check: bool = True, **changes: object) -> Measurement:
    """One worker on a whole backlog, with its counts checked at the end."""
    async with deployment(dataset.settings, folder, **changes) as (settings, watch):
        process = start(settings, folder)
        try:
            measurement = await measured(watch, dataset.ends, process)
            if check:
                await counts_are_right(settings, dataset)
        finally:
            process.stop()
    return measurement


async def counts_are_right(settings: Settings, dataset: Dataset) -> None:
    """Wait until the published metrics are right; raises :class:`BenchmarkError` where they do not become so.

    Right is: as many shipments in each scope's live window as a plain count finds there, and as many of them counted
    and valid as a replay of the same file makes of them.
    """
    hour = _this_hour()
    total, judged = _reference(dataset.file, hour)
    deadline = asyncio.get_running_loop().time() + SETTLED_AFTER
    while True:
        metrics = await latest_metrics(settings.broker, topic=settings.metrics_topic)
        live = {scope: metric.live for scope, metric in metrics.items()}
        sums = {scope: each.counted + each.pending + each.exempt for scope, each in live.items()}
        try:
            # A scope with nothing in its live window is there for the official one.
            require({scope: count for scope, count in sums.items() if count}, total)
            require({scope: (each.counted, each.valid) for scope, each in live.items()}, judged)
        except BenchmarkError:
            if _this_hour() != hour:
                await counts_are_right(settings, dataset)
                return
            if asyncio.get_running_loop().time() > deadline:
                raise
        else:
            return
        await asyncio.sleep(0.5)


def _this_hour() -> datetime:
    return now().replace(minute=0, second=0, microsecond=0)


@lru_cache(maxsize=1)
def _reference(file: Path, hour: datetime) -> tuple[dict[Scope, int], dict[Scope, tuple[int, int]]]:
    """What is right in an hour: it is the same from its beginning to its end."""
    end = hour + timedelta(hours=1, microseconds=-1)
    return apart(live_shipments, file, end), apart(replayed, file, end)
