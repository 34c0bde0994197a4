"""The replay itself, of all sellers or of a share of them: read, sort, play."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter

from msgspec import Struct, field
from msgspec.structs import replace

from stream.events import MAX_FUTURE, Event
from stream.records import Alert, Metric
from stream.replay.player import Player, play
from stream.replay.share import WHOLE, Share
from stream.replay.source import RejectedLine, read_events
from stream.settings import Settings

KEPT_REJECTIONS = 20
"""Rejected lines kept as examples; all are counted."""


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


class History:
    """The events of a share of the sellers, sorted: the first half of a replay."""

    def __init__(self, files: Iterable[str], as_of: datetime | None, share: Share = WHOLE) -> None:
        self._summary = Summary()
        self._events = list(chain.from_iterable(usable_events(files, self._summary, as_of, share)))
        self._events.sort(key=attrgetter("event_time", "event_id"))

    @property
    def last(self) -> datetime | None:
        """The time of the last event."""
        return self._events[-1].event_time if self._events else None

    def play(self, settings: Settings, end: datetime | None) -> Replay:
        """The second half: let the events happen, and time pass up to ``end``."""
        (result,) = self.play_all([Player(settings)], end)
        return result

    def play_all(self, players: Sequence[Player], end: datetime | None) -> list[Replay]:
        """The same by several settings side by side."""
        if end is not None:
            play(self._events, players, end)
        return [_finished(player, end, self._summary) for player in players]


def usable_events(
    files: Iterable[str], summary: Summary, as_of: datetime | None, share: Share = WHOLE
) -> Iterator[list[Event]]:
    """The events of history files up to ``as_of`` in the files' order, some thousand at a time.

    What is not among them is counted in ``summary``. Raises :class:`~stream.replay.source.SourceError`.
    """
    latest = datetime.now(UTC) + MAX_FUTURE if as_of is None else datetime.max.replace(tzinfo=UTC)
    for file in files:
        rejected: list[RejectedLine] = []
        for events in read_events(file, latest, rejected, share):
            summary.events += len(events)
            usable = events if as_of is None else [event for event in events if event.event_time <= as_of]
            summary.after_as_of += len(events) - len(usable)
            summary.events += len(rejected)
            summary.rejected.update(line.rejection.code.value for line in rejected)
            summary.examples += rejected[: KEPT_REJECTIONS - len(summary.examples)]
            rejected.clear()
            yield usable


def _finished(player: Player, end: datetime | None, read: Summary) -> Replay:
    """What has become of what was ``read``."""
    metrics = player.engine.metrics()
    summary = replace(
        read,
        accepted=player.accepted,
        rejected=read.rejected + player.rejected,
        alerts=Counter(alert.type for alert in player.alerts),
        scopes=len(metrics),
    )
    return Replay(as_of=end, metrics=metrics, alerts=player.alerts, summary=summary)
