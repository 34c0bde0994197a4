"""From events to the state that a worker would have: its shipments, the hour it has reached, its last alerts."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from operator import attrgetter

from msgspec import Struct

from stream.engine import keep_until
from stream.events import Event
from stream.records import Alert, Metric, Scope
from stream.replay import Summary
from stream.replay.run import apply_events, let_happen, new_engine
from stream.settings import Settings
from stream.shipment import EPOCH, ShipmentId, hour_of
from stream.state import HeldShipments
from stream.state.rows import pack


class State(Struct):
    """What a worker knows at ``as_of``. ``alerts`` are the last ones of scopes that ever had one."""

    as_of: datetime
    alerts: dict[Scope, Alert]
    metrics: dict[Scope, Metric]
    shipments: HeldShipments
    lag_days: int

    @property
    def hour(self) -> int:
        """The hour since 1970 UTC that is reached."""
        return hour_of(self.as_of)

    def rows(self) -> Iterator[tuple[ShipmentId, bytes]]:
        """The stored form of each shipment that still matters."""
        for shipment_id, shipment in self.shipments.scan():
            kept_until = keep_until(shipment, self.lag_days)
            if shipment.latest > EPOCH and kept_until > self.hour:
                yield shipment_id, pack(kept_until, shipment)


def rebuild_state(
    events: Sequence[Event], settings: Settings, summary: Summary, now: datetime, silent: Collection[type[Event]]
) -> State:
    """The state after events, of which there is one at least, sorted by their versions, known to ``now``. Types that
    are ``silent`` come no more at present.

    Statuses follow from the history as in a replay, and alerts have the ids of the settings' group.
    """
    end = reached(events, now, silent)
    engine, shipments = new_engine(settings, settings.group)
    later = bisect_right(events, end, key=attrgetter("event_time"))
    alerts = let_happen(events[:later], engine, shipments, end, summary)
    metrics = {metric.scope: metric for metric in engine.metrics()}
    # Known, but not passed: their time comes with the workers.
    apply_events(events[later:], engine, summary)
    return State(end, {alert.scope: alert for alert in alerts}, metrics, shipments, settings.lag_days)


def reached(events: Sequence[Event], now: datetime, silent: Collection[type[Event]]) -> datetime:
    """The time up to which events of every type have been seen, as a worker's watermark has it: a tracking number that
    is under way must not look missing, and a topic that is silent holds nothing back."""
    latest = {event.__class__: event.event_time for event in events}
    return min([now, *(at for kind, at in latest.items() if kind not in silent)])
