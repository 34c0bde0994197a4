"""When statuses may follow shipments that came late.

A partition that has caught up goes by the clock. Whoever sends it a history then, as a seller's feed does that was down
for days or has just been connected, sends shipments that are past their grace as they come: each is a defect until its
tracking has been read, from another topic. Told at once, that would be alerts of sellers without any tracking. So it is
told when all inputs have been read to their ends.
"""

from collections.abc import Callable, Iterable

LONGEST = 3600.0
"""Seconds. Where shipments come late for longer without a break, what is known of their sellers must be told too."""


class LateShipments:
    """Whether what came late in one partition is all there. ``monotonic`` times are seconds of any clock that never
    goes back."""

    def __init__(self, topics: Iterable[str], quiet: float) -> None:
        self._topics = tuple(topics)
        self._quiet = quiet
        """Seconds without more of them: who sends a history may be slower than we read it."""
        self._first: float | None = None
        self._last = 0.0

    def came(self, monotonic: float) -> None:
        """Some have come."""
        self._last = monotonic
        if self._first is None:
            self._first = monotonic

    def are_complete(self, monotonic: float, is_at_end: Callable[[str], bool]) -> bool:
        """Whether the statuses that wait may be told, once: afterwards none wait, until more come late."""
        if self._first is None:
            return False
        is_quiet = monotonic - self._last >= self._quiet and all(map(is_at_end, self._topics))
        if is_quiet or monotonic - self._first >= LONGEST:
            self._first = None
            return True
        return False
