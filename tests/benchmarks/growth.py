"""Whether throughput holds as things grow: sellers, partitions, and how full the window is."""

import asyncio
from pathlib import Path

from stream.topics import create_topics
from tests.benchmarks import history, worker
from tests.benchmarks.bench import Bench
from tests.benchmarks.history import Dataset
from tests.benchmarks.measure import Measurement, interleaved
from tests.benchmarks.watch import measured, watching

SELLERS = (100, 100_000)
PARTITIONS = (1, 12)

TAIL = 4
"""The window is full when a worker has read all but this part of a history; it is measured on that part."""


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
    settings = worker.run_settings(head, bench.folder)
    await create_topics(settings)
    async with watching(settings.broker, settings.group, [settings.changelog_topic]) as watch:
        ends = head.ends
        for _ in range(2):
            process = worker.start(settings, bench.folder)
            try:
                measurement = await measured(watch, ends, process)
            finally:
                process.stop()
            if ends is head.ends:
                ends = history.produce(tail, head.settings).ends
    return measurement
