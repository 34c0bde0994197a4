"""The replay itself: sort, step by the minute, evaluate."""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from operator import attrgetter

from msgspec import Struct, field
from msgspec.structs import replace

from stream.engine import Engine, EngineSettings, keep_until
from stream.events import MAX_FUTURE, Event, future_event
from stream.policy import RulesPolicy
from stream.records import Alert, Metric
from stream.replay.source import RejectedLine, read_events
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


def replay(files: Sequence[str], settings: Settings, *, as_of: datetime | None = None) -> Replay:
    """Replay history files up to ``as_of`` (UTC-aware; default: the last event's time).

    Events are applied in order of their versions, time passes at the end of every minute that has events and at every
    full hour. Raises :class:`~stream.replay.source.SourceError`.
    """
    summary = Summary()
    # A million events are no garbage, and looking for cycles among them takes as long as reading them.
    collecting = gc.isenabled()
    gc.disable()
    try:
        events = list(chain.from_iterable(usable_events(files, summary, as_of)))
        events.sort(key=attrgetter("event_time", "event_id"))
        end = as_of or (events[-1].event_time if events else None)
        return _run(events, settings, end, summary)
    finally:
        if collecting:
            gc.enable()


def usable_events(files: Iterable[str], summary: Summary, as_of: datetime | None) -> Iterator[list[Event]]:
    """The events of history files up to ``as_of`` in the files' order, some thousand at a time.

    What is not among them is counted in ``summary``. Raises :class:`~stream.replay.source.SourceError`.
    """
    latest = max(datetime.now(UTC), as_of or datetime.min.replace(tzinfo=UTC)) + MAX_FUTURE
    for file in files:
        for read in read_events(file):
            events: list[Event] = []
            for event in read:
                if isinstance(event, RejectedLine):
                    _reject(summary, event)
                elif as_of is not None and event.event_time > as_of:
                    summary.after_as_of += 1
                elif event.event_time > latest:
                    _reject(summary, RejectedLine(file, 0, future_event(event)))
                else:
                    events.append(event)
            summary.events += len(read)
            yield events


def _reject(summary: Summary, line: RejectedLine) -> None:
    summary.rejected[line.rejection.code.value] += 1
    if len(summary.examples) < KEPT_REJECTIONS:
        summary.examples.append(line)


def _run(events: Sequence[Event], settings: Settings, end: datetime | None, summary: Summary) -> Replay:
    shipments = HeldShipments(lambda each: keep_until(each, settings.lag_days))
    engine = Engine(RulesPolicy.of(settings), replace(EngineSettings.of(settings), source=SOURCE), shipments)
    alerts: list[Alert] = []
    if end is not None:
        for minute_end, minute in _minutes(events):
            changes = engine.apply(minute)
            shipments.save(changes.shipments)
            for _, rejection in changes.rejected:
                summary.rejected[rejection.code.value] += 1
            summary.accepted += len(minute) - len(changes.rejected)
            changes = engine.advance(min(minute_end, end))
            shipments.save(changes.shipments)
            alerts += changes.alerts
        changes = engine.advance(end)
        alerts += changes.alerts
    metrics = engine.metrics()
    summary.alerts.update(alert.type for alert in alerts)
    summary.scopes = len(metrics)
    return Replay(as_of=end, metrics=metrics, alerts=alerts, summary=summary)


def _minutes(events: Sequence[Event]) -> Iterator[tuple[datetime, list[Event]]]:
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
