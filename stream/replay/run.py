"""The replay itself, of all sellers or of a share of them: read, sort, play."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from stream.replay.errors import WorkFileError
from stream.replay.memory import memory_for_sorting
from stream.replay.meter import Meter
from stream.replay.player import Player, play
from stream.replay.resumable import ResumablePlayer
from stream.replay.share import WHOLE, Share
from stream.replay.share_state import ShareState
from stream.replay.sorting import SortedEvents
from stream.replay.sources import Source, usable_events
from stream.replay.summary import Replay, Summary, hash_of
from stream.settings import Settings
from stream.shipment import EPOCH


class History:
    """The events of a share of the sellers, sorted: the first half of a replay.

    ``memory`` is the bytes it may take for sorting (default: by what is available). Rejected lines are written to
    ``rejects``. With ``state`` it goes on where an earlier run was, and keeps there how far it is. Raises
    :class:`~stream.replay.errors.ReplayError`, and :class:`~stream.kafka.probe.BrokerError` for topics.
    """

    def __init__(
        self,
        sources: Iterable[str | Source],
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
            usable = usable_events(sources, self._summary, as_of, share, rejects=out, meter=self._meter)
            self._events = SortedEvents(usable, memory, folder, self._meter)
        finally:
            if out is not None:
                try:
                    out.close()
                except OSError as error:  # what is written last finds no room
                    raise WorkFileError(f"cannot write {rejects}: {error.strerror}") from error
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
        player = Player(settings) if self._state is None else ResumablePlayer(settings, self._state)
        (result,) = self.play_all([player], end)
        return replace(result, shipments=hash_of(player.needed())) if hash_state else result

    def play_all(self, players: Sequence[Player], end: datetime | None) -> list[Replay]:
        """The same by several settings side by side, from where the players are."""
        if end is not None:
            begun = players[0]
            self._meter.play(self._events.count, begun.accepted + begun.rejected.total())
            events = self._events.in_order(min(player.engine.as_of for player in players))
            play(chain.from_iterable(events), players, end, self._meter)
        return [_finished(player, end, self._summary) for player in players]


def read_sorted(
    sources: Iterable[str | Source],
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    memory: int | None = None,
    rejects: BinaryIO | None = None,
) -> tuple[SortedEvents, Summary]:
    """The events of history files and topics in the order of their versions, those from ``since`` on and before
    ``until``, to be closed. Takes and raises what :class:`History` does."""
    summary = Summary()
    usable = usable_events(sources, summary, None, rejects=rejects)
    if since is not None or until is not None:
        start, end = since or EPOCH, until or datetime.max.replace(tzinfo=UTC)
        usable = ([event for event in events if start <= event.event_time < end] for events in usable)
    return SortedEvents(usable, memory_for_sorting() if memory is None else memory), summary


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
