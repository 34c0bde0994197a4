"""From events to the state that a worker would have: its shipments, the hour it has reached, its last alerts."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, islice

from msgspec import Struct

from stream.events import Event
from stream.records import Alert, Metric, Scope
from stream.replay import Summary
from stream.replay.player import Player, play
from stream.settings import Settings
from stream.shipment import ShipmentId, hour_of

BATCH = 1_000
"""Events that are applied at once where no time passes."""


class State(Struct):
    """What a worker knows at ``as_of``. ``alerts`` are the last ones of scopes that ever had one."""

    as_of: datetime
    alerts: dict[Scope, Alert]
    metrics: dict[Scope, Metric]
    player: Player

    @property
    def hour(self) -> int:
        """The hour since 1970 UTC that is reached."""
        return hour_of(self.as_of)

    def rows(self) -> Iterator[tuple[ShipmentId, bytes]]:
        """The stored form of each shipment that still matters."""
        return self.player.rows()


def rebuild_state(events: Iterable[Event], settings: Settings, summary: Summary, end: datetime) -> State:
    """The state at ``end`` after events, sorted by their versions, some of which may be later.

    Statuses follow from the history as in a replay, and alerts have the ids of the settings' group.
    """
    player = Player(settings, source=settings.group)
    remaining = iter(events)
    later: list[Event] = []

    def until_end() -> Iterator[Event]:
        for event in remaining:
            if event.event_time > end:
                later.append(event)
                return
            yield event

    play(until_end(), [player], end)
    alerts = {alert.scope: alert for alert in player.alerts}
    metrics = {metric.scope: metric for metric in player.engine.metrics()}
    # Known, but not passed: their time comes with the workers.
    rest = chain(later, remaining)
    while some := list(islice(rest, BATCH)):
        player.apply(some)
    summary.accepted += player.accepted
    summary.rejected += player.rejected
    return State(end, alerts, metrics, player)


def reached(latest: Mapping[type[Event], datetime], now: datetime, silent: Collection[type[Event]]) -> datetime:
    """The time up to which events of every type have been seen, as a worker's watermark has it, by the ``latest`` event
    of each: a tracking number that is under way must not look missing, and a topic that is silent holds nothing
    back."""
    return min([now, *(at for kind, at in latest.items() if kind not in silent)])
