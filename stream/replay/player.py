"""One engine's way through a history. Several may go the same way, each by settings of its own."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from stream.engine import Engine, EngineSettings
from stream.events import Event
from stream.policy import RulesPolicy
from stream.records import Alert
from stream.replay.meter import Meter
from stream.settings import Settings
from stream.shipment import EPOCH, Shipment, ShipmentId, hour_of
from stream.span import keep_until
from stream.state import HeldShipments
from stream.state.rows import pack

MINUTE = timedelta(minutes=1)
"""Statuses are evaluated once a minute of event time, so that results do not hang on how input is cut."""

SOURCE = "replay"
"""Tells a replay's alerts from those of a live deployment: they do not share their ids."""


class Player:
    """An engine, its shipments, and what has come out of it so far. Alerts have ids of the ``source``.

    Raises :class:`~stream.policy.error.PolicyError` where the settings' rules cannot be used.
    """

    def __init__(self, settings: Settings, source: str = SOURCE) -> None:
        self.settings = settings
        self.policy = RulesPolicy.of(settings)
        self.engine_settings = replace(EngineSettings.of(settings), source=source)
        self.shipments = HeldShipments(settings.lag_days)
        self.engine = Engine(self.policy, self.engine_settings, self.shipments)
        self.alerts: list[Alert] = []
        self.accepted = 0
        self.rejected: Counter[str] = Counter()

    def play(self, minute_end: datetime, events: Sequence[Event], end: datetime) -> None:
        """Let the events of one minute happen, and time pass up to its end, or to ``end`` where that is earlier."""
        # What is forgotten by then must not hang on whether other sellers had events in the meantime.
        if minute_end - MINUTE > self.engine.as_of:
            self.advance(minute_end - MINUTE)
        self.apply(events)
        self.advance(min(minute_end, end))

    def apply(self, events: Sequence[Event]) -> None:
        """Let events happen, and no time pass."""
        changes = self.engine.apply(events)
        self.rejected.update(rejection.code.value for _, rejection in changes.rejected)
        self.accepted += len(events) - len(changes.rejected)

    def advance(self, to: datetime) -> None:
        """Let time pass."""
        changes = self.engine.advance(to)
        self.shipments.forget(changes.shipments)
        self.alerts.extend(changes.alerts)

    def needed(self) -> Iterator[tuple[ShipmentId, Shipment]]:
        """The shipments that may not be forgotten: others are still there only until somebody comes by."""
        hour, lag_days = hour_of(self.engine.as_of), self.settings.lag_days
        return (each for each in self.shipments.scan() if keep_until(each[1], lag_days) > hour)

    def rows(self) -> Iterator[tuple[ShipmentId, bytes]]:
        """The same in their stored form."""
        for shipment_id, shipment in self.needed():
            yield shipment_id, pack(keep_until(shipment, self.settings.lag_days), shipment)


def play(events: Iterable[Event], players: Sequence[Player], end: datetime, meter: Meter | None = None) -> None:
    """Let the players go through the events, which are in order of their versions, side by side and up to ``end``."""
    meter = meter or Meter()
    for minute_end, minute in _minutes(events):
        for player in players:
            player.play(minute_end, minute, end)
        meter.played(len(minute), minute_end)
    for player in players:
        player.advance(end)


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
