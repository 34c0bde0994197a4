"""From an event that Kafka has acknowledged to the alert that it causes, as a subscriber reads it.

The feed is steady. Most of its events are well tracked shipments of sellers who never leave ``ok``. Before it begins,
each of some other sellers has as many valid shipments as a status needs, all of them counted. At a known point of the
feed one of these shipments gets a placeholder for its tracking number: 19 of 20 are 95 %, which is ``at_risk``, and the
seller's alert is that event's. A seller has one such event, so which alert is whose is known.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import count

from aiokafka import AIOKafkaProducer

from stream.kafka.clients import TopicPartition, end_offsets
from stream.kafka.cluster import bootstrap_servers
from stream.settings import Settings
from stream.subscribe import subscribe_alerts
from tests.benchmarks import worker
from tests.benchmarks.bench import Bench
from tests.benchmarks.expected import now
from tests.benchmarks.history import topics
from tests.benchmarks.measure import Spread
from tests.benchmarks.process import POLL, BenchmarkError
from tests.benchmarks.shop import PLACEHOLDER, Message, Shop

WARM_UP = 5.0
"""Seconds of the feed before the first event that changes a status."""

EVERY = 100
"""One of so many events changes a status. That is 1,000 in all by default, so ten are beyond p99."""

VALID = 20
"""Shipments of a seller before his status changes: the default ``min_counted``."""

FILLERS = 300
"""Sellers of the other events."""

TICK = 0.005
"""Seconds between two looks at how many events are due."""

SUBSCRIBED = 2.0
"""Seconds after which a subscription has its positions."""

LAST_ALERT = 30.0
"""Seconds that the last alerts may take before they count as lost."""

_runs = count(1)


def run(bench: Bench) -> None:
    """Several feeds, each with a worker of its own."""
    options = bench.options
    rounds = [asyncio.run(_round(bench)) for _ in range(options.rounds)]
    rows = []
    for name, share in (("p50", 0.5), ("p99", 0.99), ("largest", 1.0)):
        spread = Spread.of([_percentile(latencies, share) * 1000 for latencies, _ in rounds])
        rows.append([name, f"{spread.median:,.0f}", f"{spread.least:,.0f}–{spread.most:,.0f}"])
    bench.report.say("## Latency")
    rate = Spread.of([rate for _, rate in rounds])
    bench.report.say(
        f"Milliseconds from an event's acknowledgement to its alert at a subscriber, of {len(rounds[0][0]):,} alerts a "
        f"round. {options.rate:,} events/s were asked for, and {rate.text()} fed, for {options.seconds:g} s."
    )
    bench.report.table(["", "ms", "min–max"], rows)


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def _round(bench: Bench) -> tuple[list[float], float]:
    options = bench.options
    base = topics(bench.broker.url, f"latency{next(_runs)}", options.partitions)
    alerting = [Shop(base, f"ALERTING{n}") for n in range(int(options.rate * options.seconds) // EVERY)]
    if not alerting:
        raise BenchmarkError(f"a feed this short has no event that changes a status: it has one in {EVERY}")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers(base.broker))
    async with worker.deployment(base, bench.folder) as (settings, watch), producer:
        await _send_all(producer, alerting)
        inputs = [TopicPartition(topic, p) for topic in settings.input_topics for p in range(settings.partitions)]
        ends = {partition: end for partition, end in (await end_offsets(settings, inputs)).items() if end}
        process = worker.start(settings, bench.folder)
        try:
            while await watch.committed(ends) < sum(ends.values()):
                process.check()
                await asyncio.sleep(POLL)
            read: dict[str, float] = {}
            reading = asyncio.create_task(_read(settings, read))
            await asyncio.sleep(SUBSCRIBED)
            acknowledged, rate = await _feed(producer, settings, options.rate, alerting)
            deadline = time.perf_counter() + LAST_ALERT
            while len(read) < len(alerting) and time.perf_counter() < deadline:
                process.check()
                await asyncio.sleep(POLL)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        finally:
            process.stop()
    if read.keys() != acknowledged.keys():
        raise BenchmarkError(
            f"{len(acknowledged.keys() ^ read.keys())} of {len(acknowledged)} alerts are missing or wrong"
        )
    return [read[seller] - acknowledged[seller] for seller in acknowledged], rate


async def _send_all(producer: AIOKafkaProducer, shops: list[Shop]) -> None:
    at = now() - timedelta(hours=1)
    messages = [make(parcel, at) for shop in shops for parcel in range(VALID) for make in (shop.ships, shop.tracks)]
    await asyncio.gather(*[await _send(producer, message) for message in messages])


async def _read(settings: Settings, read: dict[str, float]) -> None:
    async for alert in subscribe_alerts(settings.broker, topic=settings.alerts_topic, scope="seller"):
        read.setdefault(alert.seller_id, time.perf_counter())


async def _feed(
    producer: AIOKafkaProducer, settings: Settings, rate: int, alerting: list[Shop]
) -> tuple[dict[str, float], float]:
    """When each alerting seller's event was acknowledged, and how many events went out per second."""
    acknowledged: dict[str, float] = {}
    fillers = _fillers(settings)
    warm_up = int(rate * WARM_UP)
    events = warm_up + EVERY * len(alerting)
    sent: list[asyncio.Future[object]] = []
    started = time.perf_counter()
    while len(sent) < events:
        due = min(events, int((time.perf_counter() - started) * rate))
        for number in range(len(sent), due):
            place, is_between = divmod(number - warm_up, EVERY)
            if place < 0 or is_between:
                sent.append(await _send(producer, next(fillers)))
            else:
                shop = alerting[place]
                future = await _send(producer, shop.tracks(0, now(), PLACEHOLDER))
                future.add_done_callback(partial(_note, acknowledged, shop.seller_id))
                sent.append(future)
        await asyncio.sleep(TICK)
    seconds = time.perf_counter() - started
    await asyncio.gather(*sent)
    return acknowledged, events / seconds


def _note(times: dict[str, float], seller: str, _: "asyncio.Future[object]") -> None:
    times[seller] = time.perf_counter()


def _fillers(settings: Settings) -> Iterator[Message]:
    shops = [Shop(settings, f"FILLER{n}") for n in range(FILLERS)]
    for parcel in count():
        for shop in shops:
            yield shop.ships(parcel, now())
            yield shop.tracks(parcel, now())


async def _send(producer: AIOKafkaProducer, message: Message) -> "asyncio.Future[object]":
    future: asyncio.Future[object] = await producer.send(message.topic, message.value, key=message.key)
    return future
