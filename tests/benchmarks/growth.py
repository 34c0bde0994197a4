"""Whether throughput holds as things grow: sellers, partitions, and how full the window is."""

import asyncio
from pathlib import Path

from stream.settings import Settings
from tests.benchmarks import history, worker
from tests.benchmarks.bench import Bench
from tests.benchmarks.history import Dataset
from tests.benchmarks.measure import Measurement, interleaved
from tests.benchmarks.watch import Watch, measured

SELLERS = (100, 100_000)
PARTITIONS = (1, 12)

TAIL = 4
"""The window is full when a worker has read all but this part of a history. It is measured on that part, and so is a
worker whose window is empty: what that reads of shipments that it never saw ship is stored, and counts nowhere."""


def run(bench: Bench) -> None:
    """Each pair by itself; the ratio is that to the pair's first."""
    options, report = bench.options, bench.report
    report.say("## Growth")
    few, many = (bench.dataset(bench.history(options.events, sellers)) for sellers in SELLERS)
    _pair(bench, f"{SELLERS[0]:,} sellers", few, f"{SELLERS[1]:,} sellers", many)
    file = bench.history(options.events, options.sellers)
    one, more = (bench.dataset(file, partitions) for partitions in PARTITIONS)
    _pair(bench, f"{PARTITIONS[0]} partition", one, f"{PARTITIONS[1]} partitions", more)

    head, tail = history.split(file, options.events - options.events // TAIL)
    recent = bench.dataset(tail)
    subjects = {
        "empty window": lambda: _measure(recent, bench),
        "full window": lambda: asyncio.run(_after(bench, bench.dataset(head), tail)),
    }
    report.rates(interleaved(subjects, options.rounds), {"of the first": "empty window"})


def _pair(bench: Bench, name: str, dataset: Dataset, other_name: str, other: Dataset) -> None:
    subjects = {name: lambda: _measure(dataset, bench), other_name: lambda: _measure(other, bench)}
    bench.report.rates(interleaved(subjects, bench.options.rounds), {"of the first": name})


def _measure(dataset: Dataset, bench: Bench) -> Measurement:
    return asyncio.run(worker.on_backlog(dataset, bench.folder, check=False))


async def _after(bench: Bench, head: Dataset, tail: Path) -> Measurement:
    """A worker on the end of a history, after another has read the rest of it into its store and its changelog."""
    async with worker.deployment(head.settings, bench.folder) as (settings, watch):
        await _read(settings, watch, head, bench.folder)
        return await _read(settings, watch, history.produce(tail, head.settings), bench.folder)


async def _read(settings: Settings, watch: Watch, dataset: Dataset, folder: Path) -> Measurement:
    process = worker.start(settings, folder)
    try:
        return await measured(watch, dataset.ends, process)
    finally:
        process.stop()
