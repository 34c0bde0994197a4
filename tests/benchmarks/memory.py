"""What a shipment costs in the memory store: the store by itself, and by how much two workers differ that have read
more and less."""

import asyncio
import gc
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from stream.events import Rejection, decode
from stream.settings import Settings
from stream.shipment import Shipment, ShipmentId
from stream.state import MemoryStore, StoredShipments
from tests.benchmarks import worker
from tests.benchmarks.bench import Bench
from tests.benchmarks.expected import shipments
from tests.benchmarks.history import Dataset, apart
from tests.benchmarks.measure import Measurement, Spread, interleaved, usage

PART = 5
"""The smaller history has this part of the events, of as many sellers and days: then only shipments make the
difference, and not Python, Faust and the windows of the scopes."""

_BATCH = 1000
"""Events that are stored at once, as a worker's batches are of some thousand."""


def store_bytes(file: Path) -> float:
    """Bytes of resident memory per row of a memory store that is given a history's shipments as a worker gives them,
    each as often as it changes; from a part of the events on, so that what is constant does not count."""
    store = MemoryStore()
    with file.open("rb") as lines:
        total = sum(1 for _ in lines)
        lines.seek(0)
        _fill(store, lines, total // PART)
        few, few_mb = len(store), _resident_mb()
        _fill(store, lines, total)
    return (_resident_mb() - few_mb) * 1024 * 1024 / (len(store) - few)


def _fill(store: MemoryStore, lines: Iterable[bytes], events: int) -> None:
    decoded = (decode(line) for line in islice(lines, events))
    usable = (event for event in decoded if not isinstance(event, Rejection))
    while batch := list(islice(usable, _BATCH)):
        stored = StoredShipments(store, Settings().lag_days)  # anew, for it keeps some shipments unpacked
        ids = [(event.seller_id, event.shipment_id) for event in batch]
        changed: dict[ShipmentId, Shipment | None] = {}
        for event, shipment_id, shipment in zip(batch, ids, stored.load(ids), strict=True):
            shipment.merge(event)
            changed[shipment_id] = shipment
        stored.save(changed)


def _resident_mb() -> float:
    gc.collect()
    return usage(os.getpid()).now_mb


def run(bench: Bench) -> None:
    """Two histories, read to their ends."""
    options = bench.options
    files = [bench.history(events, options.sellers) for events in (options.events // PART, options.events)]
    alone = [apart(store_bytes, files[1]) for _ in range(options.rounds)]
    datasets = [bench.dataset(file) for file in files]
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
        f"with {small:,} and {large:,} shipments. The store by itself takes {Spread.of(alone).text()}, in a process "
        f"that keeps the larger history's shipments and nothing else."
    )
