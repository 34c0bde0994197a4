"""Rebuilds: reads history to fixed ends, comes to the state and writes it."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from operator import itemgetter
from typing import get_args

from msgspec import Struct

from stream.events import Event
from stream.kafka.clients import TopicPartition, end_offsets
from stream.rebuild.alerts import first_alerts, told_until
from stream.rebuild.group import commit, require_new, write
from stream.rebuild.places import Places
from stream.rebuild.state import reached, rebuild_state
from stream.records import Alert
from stream.replay import Meter, SourceError, Summary, find_topic_history, no_collection, usable_events
from stream.replay.memory import memory_for_sorting
from stream.replay.sorting import SortedEvents
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
    files: Sequence[str],
    settings: Settings,
    summary: Summary,
    *,
    previous_alerts: str | None = None,
    memory: int | None = None,
    meter: Meter | None = None,
) -> Rebuilt:
    """Give the new group of these settings the state of history files and of all that the input topics hold.

    Its topics exist and are empty, and no worker of it runs yet; others may run on, and records may come meanwhile: the
    topics are read to the ends that they have at the start, and there the group's workers begin. ``previous_alerts`` is
    the alert topic of the deployment that this one follows. Sorting takes ``memory`` bytes (default: by what is
    available) and then the disk. What was read is counted in ``summary``.

    Raises :class:`~stream.kafka.probe.BrokerError` and its :class:`~stream.topics.TopicError`,
    :class:`~stream.replay.errors.ReplayError` and :class:`~stream.settings.SettingsError`.
    """
    if previous_alerts == settings.alerts_topic:
        raise TopicError(f"topic {previous_alerts} cannot be both the deployment's own and that of the one before")
    partitions = asyncio.run(check_topics(settings))
    asyncio.run(require_new(settings, partitions))
    now, started = datetime.now(UTC), time.monotonic()
    topics = asyncio.run(find_topic_history(settings))
    ends = {TopicPartition(each.topic, each.partition): each.end for each in topics.ranges}
    with no_collection():
        in_files, in_topics = _Seen(), _Seen()
        read = chain(
            in_files.watched(usable_events(files, summary, None, meter=meter)),
            in_topics.watched(usable_events([topics], summary, None, meter=meter)),
        )
        with closing(SortedEvents(read, memory_for_sorting() if memory is None else memory)) as events:
            if not events.count:
                raise SourceError("there are no events in the history, so there is nothing to rebuild from")
            time.sleep(max(0.0, started + settings.idle_after - time.monotonic()))
            silent = _silent(settings, ends, asyncio.run(end_offsets(settings, ends)))
            # The later of two times of a type stands last.
            latest = dict(sorted([*in_files.latest.items(), *in_topics.latest.items()], key=itemgetter(1)))
            state = rebuild_state(events, settings, summary, reached(latest, now, silent))
        told = {}
        if previous_alerts is not None:
            told = asyncio.run(told_until(settings, previous_alerts, state.as_of))
        alerts, untold = first_alerts(state.alerts, told, state.metrics, settings.group, state.as_of)
        shipments = asyncio.run(write(settings, Places(partitions, topics.places), state, alerts))
    asyncio.run(commit(settings, partitions, ends))
    return Rebuilt(state.as_of, in_files.span, in_topics.span, shipments, alerts, untold)


class _Seen:
    """What is noted of events that go by: from when to when they are, and of each type."""

    def __init__(self) -> None:
        self._first: datetime | None = None
        self.latest: dict[type[Event], datetime] = {}
        """The time of the latest event of each type."""

    def watched(self, batches: Iterable[list[Event]]) -> Iterator[list[Event]]:
        """The same events."""
        latest = self.latest
        for events in batches:
            for event in events:
                kind, at = event.__class__, event.event_time
                if self._first is None or at < self._first:
                    self._first = at
                if kind not in latest or at > latest[kind]:
                    latest[kind] = at
            yield events

    @property
    def span(self) -> Span | None:
        """None where there was no event."""
        return None if self._first is None else Span(self._first, max(self.latest.values()))


def _silent(
    settings: Settings, ends: Mapping[TopicPartition, int], later: Mapping[TopicPartition, int]
) -> set[type[Event]]:
    """The types of whose topics no partition has got records meanwhile."""
    growing = {each.topic for each, end in later.items() if end > ends[each]}
    topics = settings.topics_by_type
    return {kind for kind in get_args(Event) if topics.get(str(kind.__struct_config__.tag)) not in growing}
