"""Rebuilds: reads history to fixed ends, comes to the state and writes it."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter

from msgspec import Struct

from stream.events import Event, OrderShipped, TrackingScanned, TrackingUploaded
from stream.kafka import TopicPartition, end_offsets
from stream.rebuild.alerts import first_alerts, told_until
from stream.rebuild.group import commit, require_new, write
from stream.rebuild.places import Places
from stream.rebuild.state import rebuild_state
from stream.records import Alert
from stream.replay import SourceError, Summary, find_topic_history, usable_events
from stream.replay.processes import no_collection
from stream.settings import Settings
from stream.topics import TopicError, check_topics


class Span(Struct, frozen=True):
    """From which event to which a source goes, by event time."""

    first: datetime
    last: datetime


class Rebuilt(Struct):
    """What became of the history. ``untold`` are those of the ``alerts`` that the deployment before did not say."""

    as_of: datetime
    files: Span | None
    topics: Span | None
    shipments: int
    alerts: list[Alert]
    untold: list[Alert]


def rebuild(
    files: Sequence[str], settings: Settings, summary: Summary, *, previous_alerts: str | None = None
) -> Rebuilt:
    """Give the new group of these settings the state of history files and of all that the input topics hold.

    Its topics exist and are empty, and no worker of it runs yet; others may run on, and records may come meanwhile: the
    topics are read to the ends that they have at the start, and there the group's workers begin. ``previous_alerts`` is
    the alert topic of the deployment that this one follows. What was read is counted in ``summary``.

    Raises :class:`~stream.kafka.BrokerError` and its :class:`~stream.topics.TopicError`,
    :class:`~stream.replay.source.SourceError` and :class:`~stream.settings.SettingsError`.
    """
    if previous_alerts == settings.alerts_topic:
        raise TopicError(f"topic {previous_alerts} cannot be both the deployment's own and that of the one before")
    partitions = asyncio.run(check_topics(settings))
    asyncio.run(require_new(settings, partitions))
    now, started = datetime.now(UTC), time.monotonic()
    topics = asyncio.run(find_topic_history(settings))
    ends = {TopicPartition(each.topic, each.partition): each.end for each in topics.ranges}
    with no_collection():
        from_files = _all(usable_events(files, summary, None))
        from_topics = _all(usable_events([topics], summary, None))
        spans = _span(from_files), _span(from_topics)
        events = from_files + from_topics
        if not events:
            raise SourceError("there are no events in the history, so there is nothing to rebuild from")
        events.sort(key=attrgetter("event_time", "event_id"))
        time.sleep(max(0.0, started + settings.idle_after - time.monotonic()))
        silent = _silent(settings, ends, asyncio.run(end_offsets(settings.broker, ends)))
        state = rebuild_state(events, settings, summary, now, silent)
        del events, from_files, from_topics
        told = {}
        if previous_alerts is not None:
            told = asyncio.run(told_until(settings.broker, previous_alerts, state.as_of))
        alerts, untold = first_alerts(state.alerts, told, state.metrics, settings.group, state.as_of)
        shipments = asyncio.run(write(settings, Places(partitions, topics.places), state, alerts))
    asyncio.run(commit(settings, partitions, ends))
    return Rebuilt(state.as_of, *spans, shipments, alerts, untold)


def _all(batches: Iterable[list[Event]]) -> list[Event]:
    return list(chain.from_iterable(batches))


def _silent(
    settings: Settings, ends: Mapping[TopicPartition, int], later: Mapping[TopicPartition, int]
) -> set[type[Event]]:
    """The types of whose topics no partition has got records meanwhile."""
    growing = {each.topic for each, end in later.items() if end > ends[each]}
    topics: dict[type[Event], str] = {
        OrderShipped: settings.order_shipped_topic,
        TrackingUploaded: settings.tracking_uploaded_topic,
        TrackingScanned: settings.tracking_scanned_topic,
    }
    return {kind for kind, topic in topics.items() if topic not in growing}


def _span(events: Sequence[Event]) -> Span | None:
    if not events:
        return None
    times = [event.event_time for event in events]
    return Span(min(times), max(times))
