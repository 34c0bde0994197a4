"""The replay itself, of all sellers or of a share of them: sort, step by the minute, evaluate."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from stream.engine import Engine, EngineSettings, keep_until
from stream.events import MAX_FUTURE, Event, RejectionCode
from stream.policy import RulesPolicy
from stream.records import Alert
from stream.replay.errors import WorkFileError
from stream.replay.files import HistoryFile, find_files
from stream.replay.memory import memory_for_sorting
from stream.replay.meter import Meter
from stream.replay.rejects import reject_lines
from stream.replay.share import WHOLE, Share
from stream.replay.share_state import KeptState, ShareState
from stream.replay.sorting import SortedEvents
from stream.replay.source import RejectedLine, read_events
from stream.replay.summary import Replay, Summary, hash_of
from stream.settings import Settings
from stream.shipment import EPOCH, Shipment, ShipmentId, hour_of
from stream.state import HeldShipments
from stream.state.rows import pack, shipment_key

MINUTE = timedelta(minutes=1)
"""Statuses are evaluated once a minute of event time, so that results do not hang on how input is cut."""

SOURCE = "replay"
"""Tells a replay's alerts from those of a live deployment: they do not share their ids."""

TELL_EVERY = 1_000
"""Events that happen between two entries into the meter."""


class History:
    """The events of a share of the sellers, sorted: the first half of a replay.

    ``memory`` is the bytes it may take for sorting (default: by what is available). Rejected lines are written to
    ``rejects``. With ``state`` it goes on where an earlier run was, and keeps there how far it is. Raises
    :class:`~stream.replay.errors.ReplayError`.
    """

    def __init__(
        self,
        files: Iterable[str | HistoryFile],
        as_of: datetime | None,
        share: Share = WHOLE,
        *,
        memory: int | None = None,
        rejects: Path | None = None,
        state: ShareState | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._meter = meter or Meter()
        self._state = state
        known = None if state is None else state.sorted()
        if known is not None:
            self._events, self._summary = known
            return
        self._summary = Summary()
        memory = memory_for_sorting() if memory is None else memory
        folder = None if state is None else state.folder
        try:
            out = None if rejects is None else rejects.open("wb")
        except OSError as error:
            raise WorkFileError(f"cannot write {rejects}: {error.strerror}") from error
        try:
            usable = usable_events(files, self._summary, as_of, share, rejects=out, meter=self._meter)
            self._events = SortedEvents(usable, memory, folder, self._meter)
        finally:
            if out is not None:
                out.close()
        if state is not None:
            state.keep_sorted(self._events, self._summary)

    def close(self) -> None:
        """Give up the events."""
        self._events.close()

    @property
    def last(self) -> datetime | None:
        """The time of the last event."""
        return self._events.last

    def play(self, settings: Settings, end: datetime | None, *, hash_state: bool = False) -> Replay:
        """The second half: let the events happen, and time pass up to ``end``."""
        kept = None if self._state is None else self._state.kept()
        self._meter.play(self._events.count, 0 if kept is None else kept.played)
        since = EPOCH if kept is None else EPOCH + timedelta(hours=kept.hour)
        events = chain.from_iterable(self._events.in_order(since))
        return _run(
            events,
            settings,
            end,
            self._summary,
            kept=kept,
            state=self._state,
            meter=self._meter,
            hash_state=hash_state,
        )


def usable_events(
    files: Iterable[str | HistoryFile],
    summary: Summary,
    as_of: datetime | None,
    share: Share = WHOLE,
    *,
    rejects: BinaryIO | None = None,
    meter: Meter | None = None,
) -> Iterator[list[Event]]:
    """The events of history files up to ``as_of`` in the files' order, some thousand at a time.

    What is not among them is counted in ``summary`` and written to ``rejects``. Raises
    :class:`~stream.replay.errors.ReplayError`.
    """
    latest = datetime.now(UTC) + MAX_FUTURE if as_of is None else datetime.max.replace(tzinfo=UTC)
    meter = meter or Meter()
    for file in find_files(files).files:
        rejected: list[RejectedLine] = []
        for events in read_events(file, latest, rejected, share, meter):
            summary.events += len(events)
            usable = events if as_of is None else [event for event in events if event.event_time <= as_of]
            summary.after_as_of += len(events) - len(usable)
            if rejected:
                summary.reject(rejected)
                if rejects is not None:
                    _write(rejects, rejected)
                rejected.clear()
            yield usable


def _write(rejects: BinaryIO, rejected: Iterable[RejectedLine]) -> None:
    try:
        rejects.writelines(reject_lines(rejected))
    except OSError as error:
        raise WorkFileError(f"cannot write {rejects.name}: {error.strerror}") from error


def _run(
    events: Iterable[Event],
    settings: Settings,
    end: datetime | None,
    summary: Summary,
    *,
    kept: KeptState | None = None,
    state: ShareState | None = None,
    meter: Meter | None = None,
    hash_state: bool = False,
) -> Replay:
    meter = meter or Meter()
    shipments = HeldShipments(lambda each: keep_until(each, settings.lag_days))
    policy, engine_settings = RulesPolicy.of(settings), replace(EngineSettings.of(settings), source=SOURCE)
    alerts: list[Alert] = []
    played = too_late = tell_at = 0
    if kept is None:
        engine = Engine(policy, engine_settings, shipments)
    else:
        played, too_late, alerts = kept.played, kept.too_late, kept.alerts
        _fill(shipments, kept.shipments)
        latest = {alert.scope: alert for alert in alerts}
        engine = Engine.restore(policy, engine_settings, shipments, watermark=kept.hour, last_alerts=latest.values())

    def advance(to: datetime) -> None:
        changes = engine.advance(to)
        shipments.forget(changes.shipments)
        alerts.extend(changes.alerts)

    if end is not None:
        for minute_end, minute in _minutes(events):
            if state is not None and state.is_due():
                hour = minute[0].event_time.replace(minute=0, second=0, microsecond=0)
                # Only at the beginning of an hour that is ahead can an engine be restored as it was.
                if played and hour > engine.as_of:
                    advance(hour)
                    rows = _rows(_needed(shipments, settings.lag_days, hour), settings.lag_days)
                    state.keep(hour_of(hour), played, too_late, alerts, rows)
            # What is forgotten by then must not hang on whether other sellers had events in the meantime.
            if minute_end - MINUTE > engine.as_of:
                advance(minute_end - MINUTE)
            changes = engine.apply(minute)
            too_late += len(changes.rejected)
            played += len(minute)
            advance(min(minute_end, end))
            if played >= tell_at:
                meter.played(played, minute_end)
                tell_at = played + TELL_EVERY
        advance(end)
    metrics = engine.metrics()
    summary.accepted = played - too_late
    if too_late:
        summary.rejected[RejectionCode.TOO_LATE.value] += too_late
    summary.alerts.update(alert.type for alert in alerts)
    summary.scopes = len(metrics)
    needed = _needed(shipments, settings.lag_days, engine.as_of)
    return Replay(end, metrics, alerts, summary, hash_of(needed) if hash_state else None)


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


def _needed(shipments: HeldShipments, lag_days: int, as_of: datetime) -> Iterator[tuple[ShipmentId, Shipment]]:
    """The shipments that may not be forgotten: others are still there only until somebody comes by."""
    hour = hour_of(as_of)
    return (each for each in shipments.scan() if keep_until(each[1], lag_days) > hour)


def _rows(shipments: Iterable[tuple[ShipmentId, Shipment]], lag_days: int) -> Iterator[tuple[bytes, bytes]]:
    for shipment_id, shipment in shipments:
        yield shipment_key(shipment_id), pack(keep_until(shipment, lag_days), shipment)


def _fill(shipments: HeldShipments, known: Iterable[tuple[ShipmentId, Shipment]]) -> None:
    for shipment_id, shipment in known:
        (held,) = shipments.load([shipment_id])
        held.shipped, held.tracking, held.scans = shipment.shipped, shipment.tracking, shipment.scans
        held.entries, held.latest = shipment.entries, shipment.latest
