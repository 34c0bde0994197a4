"""Our worker as its users run it: ``vtr run``, a process with settings of its own."""

import asyncio
import sys
from itertools import count
from pathlib import Path

from msgspec.structs import asdict, replace

from stream.records import Scope
from stream.settings import ENV_PREFIX, Settings
from stream.subscribe import latest_metrics
from stream.topics import create_topics
from tests.benchmarks.expected import live_shipments, now, replayed
from tests.benchmarks.history import Dataset, apart
from tests.benchmarks.measure import Measurement
from tests.benchmarks.process import BenchmarkError, Process
from tests.benchmarks.watch import measured, watching

SETTLED_AFTER = 30.0
"""Seconds a worker that has read all may take until its metrics are those of now."""

_runs = count(1)


def run_settings(dataset: Dataset, folder: Path, **changes: object) -> Settings:
    """The settings of a run of its own, with a group, output topics and a data folder that nobody else has."""
    name = f"run{next(_runs)}"
    settings = replace(
        dataset.settings,
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
    environment = {f"{ENV_PREFIX}{field.upper()}": str(value) for field, value in asdict(settings).items()}
    log = folder / f"{settings.group}-{name}.log"
    return Process([sys.executable, "-m", "stream", "run"], log, environment, cores)


async def on_backlog(dataset: Dataset, folder: Path, *, check: bool = True, **changes: object) -> Measurement:
    """One worker on a whole backlog, with its counts checked at the end."""
    settings = run_settings(dataset, folder, **changes)
    await create_topics(settings)
    async with watching(settings.broker, settings.group, [settings.changelog_topic]) as watch:
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
    as_of = now()
    total = apart(live_shipments, dataset.file, as_of)
    judged = apart(replayed, dataset.file, as_of)
    deadline = asyncio.get_running_loop().time() + SETTLED_AFTER
    while True:
        metrics = await latest_metrics(settings.broker, topic=settings.metrics_topic)
        live = {scope: metric.live for scope, metric in metrics.items()}
        sums = {scope: each.counted + each.pending + each.exempt for scope, each in live.items()}
        verdicts = {scope: (each.counted, each.valid) for scope, each in live.items()}
        if _without_empty(sums) == total and verdicts == judged:
            return
        if now().hour != as_of.hour:
            await counts_are_right(settings, dataset)
            return
        if asyncio.get_running_loop().time() > deadline:
            wrong = [scope for scope in total if sums.get(scope) != total[scope]]
            wrong += [scope for scope in judged if verdicts.get(scope) != judged[scope]]
            raise BenchmarkError(f"wrong final counts in {len(wrong)} of {len(judged)} scopes, such as {wrong[:1]}")
        await asyncio.sleep(0.5)


def _without_empty(sums: dict[Scope, int]) -> dict[Scope, int]:
    return {scope: count for scope, count in sums.items() if count}
