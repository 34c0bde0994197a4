"""What a shipment costs in the memory store: by how much two workers differ that have read more and less."""

import asyncio

from tests.benchmarks import worker
from tests.benchmarks.bench import Bench
from tests.benchmarks.expected import shipments
from tests.benchmarks.history import Dataset, apart
from tests.benchmarks.measure import Measurement, Spread, interleaved

PART = 5
"""The smaller history has this part of the events, of as many sellers and days: then only shipments make the
difference, and not Python, Faust and the windows of the scopes."""


def run(bench: Bench) -> None:
    """Two histories, read to their ends."""
    options = bench.options
    datasets = [
        bench.dataset(bench.history(events, options.sellers)) for events in (options.events // PART, options.events)
    ]
    small, large = (apart(shipments, dataset.file) for dataset in datasets)

    def measure(dataset: Dataset) -> Measurement:
        return asyncio.run(worker.on_backlog(dataset, bench.folder, check=False))

    results = interleaved(
        {"small": lambda: measure(datasets[0]), "large": lambda: measure(datasets[1])}, options.rounds
    )
    differences = [
        (more.end_mb - less.end_mb) * 1024 * 1024 / (large - small)
        for less, more in zip(results["small"], results["large"], strict=True)
        if less.end_mb is not None and more.end_mb is not None
    ]
    bench.report.say("## Memory")
    bench.report.say(
        f"Bytes of resident memory per shipment in the memory store: {Spread.of(differences).text()}, from workers "
        f"with {small:,} and {large:,} shipments."
    )
