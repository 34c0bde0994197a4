"""History into Kafka: events go to the input topics in the order of their versions, dated with their event times."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import get_args

from aiokafka.admin import AIOKafkaAdminClient
from msgspec import Struct, field

from stream.events import Event, encode
from stream.feed import Feed, FeedRecord, connected_feed
from stream.kafka.clients import BrokerError, connected_admin, topic_configs
from stream.settings import Settings
from stream.shipment import EPOCH
from stream.span import KEEP_HOURS

CHUNK = 50_000
"""Events after which all must be acknowledged, so that it is known how far it came; a tenth of a second's wait each."""

STEP = 0.1
"""Seconds between two sends where events follow a clock: short beside what people notice."""

_KINDS: dict[type[Event], str] = {kind: str(kind.__struct_config__.tag) for kind in get_args(Event)}

KEPT = timedelta(hours=KEEP_HOURS)
"""What is older, a worker takes only while its own time is as old."""

_MILLISECOND = timedelta(milliseconds=1)


class TooOldError(BrokerError):
    """Events would be lost or refused where they are to go. The message is one line that says why, and what to do."""


class Published(Struct):
    """How far it came: ``events`` that the brokers acknowledged, ``last`` is the event time of the latest of them. For
    the types in ``left_out`` there is no topic."""

    events: int = 0
    last: datetime | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    was_stopped: bool = False


async def publish(
    events: Iterable[Event],
    settings: Settings,
    *,
    speed: float | None = None,
    tell: Callable[[Published], None] = lambda _: None,
) -> Published:
    """Send events, sorted by their versions, to the input topics of the settings, each to the partition
    that producers' partitioner gives its seller, and wait until all replicas have them.

    ``speed`` is how many times faster they follow one another than they did; None is as fast as it goes. ``tell`` is
    called again and again with how far it came. Ctrl-C stops it: what was taken by then is sent, and nothing more.
    Sending an event twice changes nothing. Raises
    :class:`~stream.kafka.probe.BrokerError` where the broker or a topic is not there, or stops taking records.
    """
    published = Published()
    try:
        async with connected_feed(settings) as feed:
            with _ctrl_c() as stopped:
                rest = takewhile(lambda _: not stopped.is_set(), events)
                if speed is None:
                    while chunk := list(islice(rest, CHUNK)):
                        await _send(chunk, feed, published)
                        tell(published)
                else:
                    async for due in _due(rest, speed, stopped):
                        await _send(due, feed, published)
                        tell(published)
                published.was_stopped = stopped.is_set()
    except BrokerError as error:
        if published.last is None:
            raise
        so_far = f"{published.events} events up to {published.last.isoformat()} were taken before"
        raise BrokerError(f"{error}; {so_far}; to send them again changes nothing") from error
    return published


async def _due(events: Iterator[Event], speed: float, stopped: asyncio.Event) -> AsyncIterator[list[Event]]:
    """What is due, again and again."""
    waiting = next(events, None)
    if waiting is None:
        return
    first, started = waiting.event_time, time.monotonic()
    while waiting is not None and not stopped.is_set():
        passed = (time.monotonic() - started) * speed
        due = []
        while waiting is not None and (waiting.event_time - first).total_seconds() <= passed:
            due.append(waiting)
            waiting = next(events, None)
        yield due
        if waiting is not None:
            await asyncio.sleep(STEP)


async def _send(events: list[Event], feed: Feed, published: Published) -> None:
    published.events += await feed.send(_records(events, feed, published))
    if events:
        published.last = events[-1].event_time


def _records(events: Iterable[Event], feed: Feed, published: Published) -> Iterator[FeedRecord]:
    for event in events:
        kind = _KINDS[event.__class__]
        if kind in feed.topics:
            dated = (event.event_time - EPOCH) // _MILLISECOND
            yield FeedRecord(kind, event.seller_id.encode(), encode(event), dated)
        else:
            published.left_out[kind] += 1


@contextmanager
def _ctrl_c() -> Iterator[asyncio.Event]:
    """Is set by the first Ctrl-C; the second one interrupts as usual."""
    pressed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def press() -> None:
        pressed.set()
        loop.remove_signal_handler(signal.SIGINT)

    try:
        loop.add_signal_handler(signal.SIGINT, press)
    except (RuntimeError, ValueError):
        # Signals are for the main thread only; whoever runs this in another one stops it otherwise.
        yield pressed
        return
    try:
        yield pressed
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def check_age(settings: Settings, oldest: datetime) -> None:
    """Raises :class:`TooOldError` where workers that have caught up would not take an event of that time, or an input
    topic would soon delete it, because Kafka tells a record's age by its date. A broker that does not say what its
    topics keep is taken to keep all."""
    age = datetime.now(UTC) - oldest
    if age > KEPT:
        raise TooOldError(
            f"events since {oldest:%Y-%m-%d} are more than {_days(KEPT)} days old: workers that have caught up take "
            "them as dead letters (too_late), and stop where most of what comes is that old; leave them out with "
            "--since, or give --allow-old"
        )
    async with connected_admin(settings) as admin:
        for topic in settings.input_topics:
            kept = await _kept(admin, topic)
            if kept is not None and age > kept:
                raise TooOldError(
                    f"topic {topic} at {settings.broker} keeps records for {_days(kept)} days by their dates, which "
                    f"are the event times, so events since {oldest:%Y-%m-%d} would be deleted within minutes, perhaps "
                    "before they are read; raise its retention.ms, leave them out with --since, or give --allow-old"
                )


async def _kept(admin: AIOKafkaAdminClient, topic: str) -> timedelta | None:
    """For how long a topic keeps records, by the dates that producers give them; None where it does not say."""
    configs = await topic_configs(admin, topic)
    kept = int(configs.get("retention.ms") or -1)
    is_dated_by_producers = configs.get("message.timestamp.type") == "CreateTime"
    deletes = "delete" in (configs.get("cleanup.policy") or "")
    return kept * _MILLISECOND if kept >= 0 and deletes and is_dated_by_producers else None


def _days(kept: timedelta) -> str:
    return f"{kept / timedelta(days=1):g}"
