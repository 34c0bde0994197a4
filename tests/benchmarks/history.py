"""A seeded history: simulated once into a file, and sent from there into topics as often as it is needed."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, NamedTuple, ParamSpec, TypeVar

import msgspec

from stream.feed import FeedRecord, connected_feed
from stream.kafka.clients import TopicPartition, end_offsets
from stream.settings import Settings
from stream.simulator import SimulationConfig, simulate_history
from stream.simulator.record import Record
from stream.topics import create_topics

PERIOD = timedelta(days=35)
"""Longer than the live window, so that shipments also leave it."""

SEED = 1

P = ParamSpec("P")
T = TypeVar("T")


class Dataset(NamedTuple):
    """A history in topics: where, how many events, and where each partition ends (those without events left out)."""

    settings: Settings
    file: Path
    events: int
    ends: dict[TopicPartition, int]


def apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a process of its own: what it needs of memory must not show in what is measured next."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def simulate(events: int, sellers: int, file: Path, scanned: float = 0.0) -> Path:
    """Simulate a history that ends now into a file, one event per line in order of arrival, in another process.

    ``scanned`` is the share of shipments with scans.
    """
    return apart(_simulate, events, sellers, file, scanned)


def _simulate(events: int, sellers: int, file: Path, scanned: float) -> Path:
    with file.open("wb") as lines:
        for record in _simulated(events, sellers, scanned):
            lines.write(record.value + b"\n")
    return file


def _simulated(events: int, sellers: int, scanned: float) -> Iterator[Record]:
    end = datetime.now(UTC).replace(microsecond=0)
    config = SimulationConfig(seed=SEED, sellers=sellers, start=end - PERIOD, end=end, scanned=scanned)
    return simulate_history(config, events)


def split(file: Path, events: int) -> tuple[Path, Path]:
    """Two files: the history's first events, that many, and the others."""
    head, tail = file.with_suffix(".head"), file.with_suffix(".tail")
    with file.open("rb") as lines, head.open("wb") as first, tail.open("wb") as others:
        first.writelines(islice(lines, events))
        others.writelines(lines)
    return head, tail


def topics(broker: str, name: str, partitions: int) -> Settings:
    """Settings with input topics of their own, and none for scans: histories have none, for the peers read none."""
    return Settings(
        broker=broker,
        partitions=partitions,
        group=f"{name}-fill",
        order_shipped_topic=f"{name}-order-shipped",
        tracking_uploaded_topic=f"{name}-tracking-uploaded",
        tracking_scanned_topic="",
        metrics_topic=f"{name}-fill-metrics",
        alerts_topic=f"{name}-fill-alerts",
        dead_letters_topic=f"{name}-fill-dead-letters",
    )


def produce(file: Path, settings: Settings) -> Dataset:
    """Create the topics of the settings and send the history into its input topics, in another process."""
    return apart(_produce, file, settings)


class _Line(msgspec.Struct):
    type: Literal["order-shipped", "tracking-uploaded", "tracking-scanned"]
    seller_id: str


def _produce(file: Path, settings: Settings) -> Dataset:
    ends = asyncio.run(_sent(settings, _records(file)))
    return Dataset(settings, file, sum(ends.values()), ends)


def simulate_into(settings: Settings, events: int, sellers: int) -> dict[TopicPartition, int]:
    """Create the topics of the settings and simulate a history straight into its input topics, in another process.
    Returns where they end, as in a dataset. No file of tens of gigabytes is written on the way, and nothing is held."""
    return apart(_simulate_into, settings, events, sellers)


def _simulate_into(settings: Settings, events: int, sellers: int) -> dict[TopicPartition, int]:
    records = (FeedRecord(record.kind, record.key, record.value) for record in _simulated(events, sellers, 0.0))
    return asyncio.run(_sent(settings, records))


async def _sent(settings: Settings, records: Iterable[FeedRecord]) -> dict[TopicPartition, int]:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # new topics have no leader yet, and it tries again
    await create_topics(settings)
    async with connected_feed(settings) as feed:
        await feed.send(records)
    inputs = [TopicPartition(topic, p) for topic in settings.input_topics for p in range(settings.partitions)]
    ends = await end_offsets(settings, inputs)
    return {partition: end for partition, end in ends.items() if end}


def _records(file: Path) -> Iterator[FeedRecord]:
    decode = msgspec.json.Decoder(_Line).decode
    with file.open("rb") as lines:
        for line in lines:
            what = decode(line)
            yield FeedRecord(what.type, what.seller_id.encode(), line[:-1])
