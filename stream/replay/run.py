"""The replay itself, of all sellers or of a share of them: sort, step by the minute, evaluate."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from operator import attrgetter

from msgspec import Struct, field
from msgspec.structs import replace

from stream.engine import Engine, EngineSettings, keep_until
from stream.events import MAX_FUTURE, Event
from stream.policy import RulesPolicy
from stream.records import Alert, Metric
from stream.replay.share import WHOLE, Share
from stream.replay.source import RejectedLine, read_events
from stream.replay.topics import TopicHistory, read_topics
from stream.settings import Settings
from stream.shipment import EPOCH
from stream.state import HeldShipments

MINUTE = timedelta(minutes=1)
"""Statuses are evaluated once a minute of event time, so that results do not hang on how input is cut."""

KEPT_REJECTIONS = 20
"""Rejected lines kept as examples; all are counted."""

SOURCE = "replay"
"""Tells a replay's alerts from those of a live deployment: they do not share their ids."""


class Summary(Struct):
    """What went in and what became of it. ``rejected`` is by code; ``after_as_of`` events are later than the end."""

    events: int = 0
    accepted: int = 0
    after_as_of: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: list[RejectedLine] = field(default_factory=list)
    alerts: Counter[str] = field(default_factory=Counter)
    scopes: int = 0


class Replay(Struct):
    """A finished replay. ``as_of`` is None where there was no event and no end was given."""

    as_of: datetime | None
    metrics: list[Metric]
    alerts: list[Alert]
    summary: Summary


Source = str | TopicHistory
"""Where events come from: a file by its name, or topics."""


class History:
    """The events of a share of the sellers, sorted: the first half of a replay."""

    def __init__(self, sources: Iterable[Source], as_of: datetime | None, share: Share = WHOLE) -> None:
        self.summary = Summary()
        """What was read so far; playing adds what became of it."""
        self.events = list(chain.from_iterable(usable_events(sources, self.summary, as_of, share)))
        """In the order of their versions."""
        self.events.sort(key=attrgetter("event_time", "event_id"))

    @property
    def last(self) -> datetime | None:
        """The time of the last event."""
        return self.events[-1].event_time if self.events else None

    def play(self, settings: Settings, end: datetime | None) -> Replay:
        """The second half: let the events happen, and time pass up to ``end``."""
        return _run(self.events, settings, end, self.summary)


def read_sorted(
    sources: Iterable[Source], since: datetime | None = None, until: datetime | None = None
) -> tuple[list[Event], Summary]:
    """The events of history files and topics in the order of their versions, those from ``since`` on and before
    ``until``. Raises as :func:`usable_events`."""
    history = History(sources, None)
    before = attrgetter("event_time")
    start = 0 if since is None else bisect_left(history.events, since, key=before)
    end = len(history.events) if until is None else bisect_left(history.events, until, key=before)
    return history.events[start:end], history.summary


def usable_events(
    sources: Iterable[Source], summary: Summary, as_of: datetime | None, share: Share = WHOLE
) -> Iterator[list[Event]]:
    """The events of history files and topics up to ``as_of`` in the sources' order, some thousand at a time.

    What is not among them is counted in ``summary``. Raises :class:`~stream.replay.source.SourceError`, and
    :class:`~stream.kafka.BrokerError` for topics.
    """
    latest = datetime.now(UTC) + MAX_FUTURE if as_of is None else datetime.max.replace(tzinfo=UTC)
    for source in sources:
        rejected: list[RejectedLine] = []
        for events in _read(source, latest, rejected, share):
            summary.events += len(events)
            usable = events if as_of is None else [event for event in events if event.event_time <= as_of]
            summary.after_as_of += len(events) - len(usable)
            summary.events += len(rejected)
            summary.rejected.update(line.rejection.code.value for line in rejected)
            summary.examples += rejected[: KEPT_REJECTIONS - len(summary.examples)]
            rejected.clear()
            yield usable


def _read(source: Source, latest: datetime, rejected: list[RejectedLine], share: Share) -> Iterator[list[Event]]:
    if isinstance(source, str):
        return read_events(source, latest, rejected, share)
    return read_topics(source, latest, rejected, share)


def _run(events: Sequence[Event], settings: Settings, end: datetime | None, summary: Summary) -> Replay:
    engine, shipments = new_engine(settings, SOURCE)
    alerts = [] if end is None else let_happen(events, engine, shipments, end, summary)
    metrics = engine.metrics()
    summary.alerts.update(alert.type for alert in alerts)
    summary.scopes = len(metrics)
    return Replay(as_of=end, metrics=metrics, alerts=alerts, summary=summary)


def new_engine(settings: Settings, source: str) -> tuple[Engine, HeldShipments]:
    """An engine before all time, and where it keeps its shipments. Alerts have ids of the ``source``."""
    shipments = HeldShipments(lambda each: keep_until(each, settings.lag_days))
    return Engine(RulesPolicy.of(settings), replace(EngineSettings.of(settings), source=source), shipments), shipments


def let_happen(
    events: Iterable[Event], engine: Engine, shipments: HeldShipments, end: datetime, summary: Summary
) -> list[Alert]:
    """Let sorted events, none later than ``end``, happen and time pass up to ``end``. Returns the alerts."""
    alerts: list[Alert] = []

    def advance(to: datetime) -> None:
        changes = engine.advance(to)
        shipments.forget(changes.shipments)
        alerts.extend(changes.alerts)

    for minute_end, minute in _minutes(events):
        # What is forgotten by then must not hang on whether other sellers had events in the meantime.
        if minute_end - MINUTE > engine.as_of:
            advance(minute_end - MINUTE)
        apply_events(minute, engine, summary)
        advance(min(minute_end, end))
    advance(end)
    return alerts


def apply_events(events: Sequence[Event], engine: Engine, summary: Summary) -> None:
    """Take in events, and count what became of them."""
    changes = engine.apply(events)
    summary.rejected.update(rejection.code.value for _, rejection in changes.rejected)
    summary.accepted += len(events) - len(changes.rejected)


def _minutes(events: Iterable[Event]) -> Iterator[tuple[datetime, list[Event]]]:
    minute: list[Event] = []
    end = EPOCH
    for event in events:
        if event.event_time >= end:
            if minute:
                yield end, minute
            minute = []
            end = event.event_time.replace(second=0, microsecond=0) + MINUTE
        minute.append(event)
    if minute:
        yield end, minute
