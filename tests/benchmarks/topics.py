"""History into Kafka, beside a plain producer's sends, and from there, beside fetching and decoding alone."""

import asyncio
import logging
import resource
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

from aiokafka import AIOKafkaProducer

from stream.events import Event, OrderShipped, encode
from stream.feed import BATCH_BYTES
from stream.kafka.cluster import bootstrap_servers
from stream.replay import find_topic_history, read_sorted
from stream.replay.publish import publish
from stream.replay.topics import read_topics
from stream.settings import Settings
from stream.topics import create_topics
from tests.benchmarks.backlog import LIMIT, read_and_decode
from tests.benchmarks.bench import Bench
from tests.benchmarks.history import apart, topics
from tests.benchmarks.measure import Measurement, interleaved

PLAIN = "aiokafka, one `send` a record"
INTO = "vtr replay --into"
FROM = "vtr replay --from-topics, reading"

UNDER_WAY = 20_000
"""Records that the plain producer has sent and that are not yet acknowledged."""

_numbers = count(1)

Send = Callable[[Sequence[Event], Settings], Coroutine[None, None, None]]


def run(bench: Bench) -> None:
    """Each in a process of its own. Into new topics each time; from the same ones."""
    options = bench.options
    file = bench.history(options.events, options.sellers)

    def sent(send: Send) -> Measurement:
        settings = topics(bench.broker.url, f"into{next(_numbers)}", options.partitions)
        return apart(_sent, file, settings, send)

    dataset = bench.dataset(file)
    bench.report.say("## History into Kafka")
    bench.report.say("Sorted events, from memory; producers with `acks=all` and batches of the same size.")
    into = {PLAIN: partial(sent, send_plainly), INTO: partial(sent, send_as_history)}
    bench.report.rates(interleaved(into, options.rounds), {"× plain": PLAIN})
    bench.report.say("## History from Kafka")
    subjects = {
        LIMIT: lambda: asyncio.run(read_and_decode(dataset, bench.folder)),
        FROM: lambda: apart(_read, dataset.settings, dataset.events),
    }
    bench.report.rates(interleaved(subjects, options.rounds), {"of limit": LIMIT})


def _sent(file: Path, settings: Settings, send: Send) -> Measurement:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # new topics have no leader yet, and it tries again
    asyncio.run(create_topics(settings))
    events = list(read_sorted([str(file)])[0])
    return _measured(len(events), lambda: asyncio.run(send(events, settings)))


def _read(settings: Settings, events: int) -> Measurement:
    history = asyncio.run(find_topic_history(settings))

    def read() -> None:
        found = sum(map(len, read_topics(history, datetime.now(UTC), [])))
        if found != events:
            raise RuntimeError(f"{found} events were read, not {events}")

    return _measured(events, read)


def _measured(events: int, work: Callable[[], None]) -> Measurement:
    started, cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    return Measurement(events, seconds, cpu_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


async def send_as_history(events: Sequence[Event], settings: Settings) -> None:
    """As ``vtr replay --into`` does."""
    published = await publish(events, settings)
    if published.events != len(events):
        raise RuntimeError(f"{published.events} events were sent, not {len(events)}")


async def send_plainly(events: Iterable[Event], settings: Settings) -> None:
    """As aiokafka's documentation does."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers(settings.broker), acks="all", max_batch_size=BATCH_BYTES
    )
    async with producer:
        under_way = []
        for event in events:
            is_shipped = isinstance(event, OrderShipped)
            topic = settings.order_shipped_topic if is_shipped else settings.tracking_uploaded_topic
            dated = int(event.event_time.timestamp() * 1000)
            under_way.append(
                await producer.send(topic, encode(event), key=event.seller_id.encode(), timestamp_ms=dated)
            )
            if len(under_way) == UNDER_WAY:
                await asyncio.gather(*under_way)
                under_way.clear()
        await asyncio.gather(*under_way)
