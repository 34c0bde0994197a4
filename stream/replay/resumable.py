"""The player of a replay that can be interrupted: it goes on where an earlier run was."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from stream.engine import Engine
from stream.events import Event
from stream.replay.player import Player
from stream.replay.share_state import ShareState
from stream.settings import Settings
from stream.shipment import Shipment, ShipmentId, hour_of
from stream.state.rows import shipment_key


class ResumablePlayer(Player):
    """Begins as it was kept in ``state``, and keeps there now and then how it is.

    Raises :class:`~stream.replay.errors.WorkFileError` beside what other players raise.
    """

    def __init__(self, settings: Settings, state: ShareState) -> None:
        super().__init__(settings)
        self._state = state
        kept = state.kept()
        if kept is None:
            return
        self._hold(kept.shipments)
        self.accepted, self.rejected, self.alerts = kept.accepted, kept.rejected, kept.alerts
        latest = {alert.scope: alert for alert in kept.alerts}
        self.engine = Engine.restore(
            self.policy, self.engine_settings, self.shipments, watermark=kept.hour, last_alerts=latest.values()
        )

    def play(self, minute_end: datetime, events: Sequence[Event], end: datetime) -> None:
        """The same, and keep the state before where that is due."""
        if self._state.is_due():
            self._keep(events[0].event_time.replace(minute=0, second=0, microsecond=0))
        super().play(minute_end, events, end)

    def _keep(self, hour: datetime) -> None:
        # Only at the beginning of an hour that is ahead can an engine be restored as it was.
        if (self.accepted or self.rejected) and hour > self.engine.as_of:
            self.advance(hour)
            rows = ((shipment_key(shipment_id), row) for shipment_id, row in self.rows())
            self._state.keep(hour_of(hour), self.accepted, self.rejected, self.alerts, rows)

    def _hold(self, known: Iterable[tuple[ShipmentId, Shipment]]) -> None:
        for shipment_id, shipment in known:
            (held,) = self.shipments.load([shipment_id])
            held.shipped, held.tracking, held.scans = shipment.shipped, shipment.tracking, shipment.scans
            held.entries, held.latest = shipment.entries, shipment.latest
