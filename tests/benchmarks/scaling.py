"""Two workers on two cores against one on one core. The broker runs beside them, on the same cores."""

import asyncio
import os

from tests.benchmarks import worker
from tests.benchmarks.bench import Bench
from tests.benchmarks.history import Dataset
from tests.benchmarks.measure import Measurement, interleaved
from tests.benchmarks.process import BenchmarkError, Process
from tests.benchmarks.watch import measured

ONE = "one worker on one core"


def run(bench: Bench) -> None:
    """Each worker is pinned to a core of its own."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchmarkError("there is only one core")
    options = bench.options
    dataset = bench.dataset(bench.history(options.events, options.sellers))
    results = interleaved(
        {
            ONE: lambda: asyncio.run(_measure(bench, dataset, cores[:1])),
            "two workers on two cores": lambda: asyncio.run(_measure(bench, dataset, cores[:2])),
        },
        options.rounds,
    )
    bench.report.say("## Scaling")
    bench.report.say(
        f"Of two workers only what they do together is measured. The broker shares the machine's {len(cores)} cores "
        "with them."
    )
    bench.report.rates(results, {"of one": ONE})


async def _measure(bench: Bench, dataset: Dataset, cores: list[int]) -> Measurement:
    async with worker.deployment(dataset.settings, bench.folder) as (settings, watch):
        processes: list[Process] = []
        try:
            for core in cores:
                processes.append(worker.start(settings, bench.folder, name=f"worker{core}", cores={core}))  # noqa: PERF401
            return await measured(watch, dataset.ends, *processes)
        finally:
            for process in processes:
                process.stop()
