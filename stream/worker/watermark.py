"""How far a partition's event time has come.

The watermark is the minimum over the partition's input topics, so a topic that is read ahead of another (catching up,
replaying) makes nobody's tracking look missing. A topic that was read to its end and has stayed silent holds nothing
back; when all have, time follows the clock.
"""

from collections.abc import Callable, Iterable
from datetime import datetime


class Watermark:
    """The watermark of one partition. ``monotonic`` times are seconds of any clock that never goes back."""

    def __init__(self, topics: Iterable[str], idle_after: float, monotonic: float) -> None:
        self._latest: dict[str, datetime | None] = dict.fromkeys(topics)
        self._seen_at = dict.fromkeys(self._latest, monotonic)
        self._idle_after = idle_after

    def saw(self, topic: str, latest: datetime | None, monotonic: float) -> None:
        """A batch of the topic came; ``latest`` is its latest event time, None when it held no usable event: that says
        nothing of the time, so it is no sign of life either, or a stream of bad records would stop all time."""
        if latest is None:
            return
        self._seen_at[topic] = monotonic
        known = self._latest[topic]
        if known is None or latest > known:
            self._latest[topic] = latest

    def at(self, now: datetime, monotonic: float, is_at_end: Callable[[str], bool]) -> datetime | None:
        """The event time up to which everything has been seen, never ahead of ``now``.

        None while a topic that still has records has not said yet what time it is.
        """
        earliest = now
        for topic, latest in self._latest.items():
            if is_at_end(topic) and monotonic - self._seen_at[topic] >= self._idle_after:
                continue
            if latest is None:
                return None
            earliest = min(earliest, latest)
        return earliest
