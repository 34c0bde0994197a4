"""Workers on a full backlog: ours, the same job in other frameworks, and a consumer that only reads and decodes."""

import asyncio
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Protocol, cast

from aiokafka.admin import NewTopic

from stream.kafka.clients import connected_admin, connected_consumer, end_offsets
from stream.kafka.cluster import Cluster, bootstrap_servers
from tests.benchmarks import limit, worker
from tests.benchmarks.bench import Bench
from tests.benchmarks.expected import peer_counts, require
from tests.benchmarks.history import Dataset, apart
from tests.benchmarks.measure import Measurement, interleaved
from tests.benchmarks.peers.job import Job
from tests.benchmarks.process import Process
from tests.benchmarks.watch import Watch, measured, watching
from tests.brokers import Broker

LIMIT = "aiokafka, read and decode (limit)"
FAUST = "plain Faust, memory store"
QUIX = "Quix Streams, RocksDB store"

_PACKAGES = {"plain_faust": "faust", "quix_streams": "quixstreams"}
"""What the modules in the folder of peers need."""

_runs = count(1)


class Peer(Protocol):
    """What a peer's module has."""

    def changelogs(self, job: Job) -> tuple[str, ...]:
        """What the names of its changelog topics start with."""

    def final_counts(self, changelog: Mapping[bytes, bytes]) -> dict[str, tuple[int, int]]:
        """Counted and valid of each scope, from the latest records of its changelogs."""


def run(bench: Bench) -> None:
    """All of them in one run. Slow ones get fewer events, of a history of as many sellers and days."""
    options, report = bench.options, bench.report
    dataset = bench.dataset(bench.history(options.events, options.sellers))
    subjects: dict[str, Callable[[], Measurement]] = {
        LIMIT: lambda: asyncio.run(read_and_decode(dataset, bench.folder)),
        "worker, memory store": lambda: asyncio.run(worker.on_backlog(dataset, bench.folder, store="memory")),
        "worker, RocksDB store": lambda: asyncio.run(worker.on_backlog(dataset, bench.folder, store="rocksdb")),
    }
    left_out = []
    for name, module, events in (
        (FAUST, "plain_faust", options.faust_events),
        (QUIX, "quix_streams", options.quix_events),
    ):
        reason = missing(module, bench.broker)
        if reason is None:
            subjects[name] = partial(_peer, module, bench.dataset(bench.history(events, options.sellers)), bench.folder)
        else:
            left_out.append(f"{name} was left out: {reason}.")
    report.say("## Backlog")
    report.say(
        "Without the start of processes and groups. All changelogs are on, and the final counts of all subjects were "
        "checked. Slow subjects get fewer events; what is compared is events/s. The peers do the simple part of the "
        "job only: `tests/benchmarks/peers/__init__.py` says what they leave out.",
        *left_out,
    )
    report.rates(interleaved(subjects, options.rounds), {"of limit": LIMIT, "× Faust": FAUST})


def missing(module: str, broker: Broker) -> str | None:
    """Why a peer cannot be measured here; None where it can."""
    # An imported Faust does not tell where it came from.
    if _PACKAGES[module] not in sys.modules and find_spec(_PACKAGES[module]) is None:
        return f"the package {_PACKAGES[module]} is not installed (`pip install '.[bench]'`)"
    if module == "quix_streams" and broker.is_embedded:
        return "it asks for settings of topics that the embedded broker does not tell"
    return None


def _peer(module: str, dataset: Dataset, folder: Path) -> Measurement:
    return asyncio.run(peer_worker(module, dataset, folder))


async def read_and_decode(dataset: Dataset, folder: Path) -> Measurement:
    """The limit."""
    settings = dataset.settings
    topics = [part for topic in settings.input_topics for part in (topic, str(settings.partitions))]
    (broker,) = bootstrap_servers(settings.broker)
    command = [sys.executable, "-m", limit.__name__, broker, str(dataset.events), *topics]
    process = Process(command, folder / "limit.log", {})
    try:
        await process.says(limit.DONE)
        seconds, cpu_seconds = map(float, process.output().partition(limit.DONE)[2].split())
        return Measurement(dataset.events, seconds, cpu_seconds, process.usage().peak_mb)
    finally:
        process.stop()


async def peer_worker(name: str, dataset: Dataset, folder: Path) -> Measurement:
    """A peer, its counts checked at the end."""
    peer = cast("Peer", importlib.import_module(f"tests.benchmarks.peers.{name}"))
    settings = dataset.settings
    group = f"{name}-{next(_runs)}"
    (broker,) = bootstrap_servers(settings.broker)
    job = Job(
        broker=broker,
        group=group,
        partitions=settings.partitions,
        shipped_topic=settings.order_shipped_topic,
        uploaded_topic=settings.tracking_uploaded_topic,
        alerts_topic=f"{group}-alerts",
        data_dir=str(folder / group),
    )
    async with connected_admin(settings) as admin:
        await admin.create_topics([NewTopic(job.alerts_topic, settings.partitions, 1)])
    async with watching(settings, group, peer.changelogs(job)) as watch:
        command = [sys.executable, "-m", "tests.benchmarks.peers", name, json.dumps(job)]
        process = Process(command, folder / f"{group}.log", {})
        try:
            measurement = await measured(watch, dataset.ends, process, first=getattr(peer, "FIRST", None))
            counts = peer.final_counts(await _latest(watch, settings))
            require(counts, apart(peer_counts, dataset.file))
        finally:
            process.stop()
    return measurement


async def _latest(watch: Watch, cluster: Cluster) -> dict[bytes, bytes]:
    """The latest record of each key of the changelogs."""
    partitions = await watch.changelog()
    ends = await end_offsets(cluster, partitions)
    latest: dict[bytes, bytes] = {}
    async with connected_consumer(cluster) as consumer:
        consumer.assign(partitions)
        unread = {partition for partition, end in ends.items() if end > 0}
        while unread:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    latest[record.key] = record.value
            unread = {partition for partition in unread if await consumer.position(partition) < ends[partition]}
    return latest
