"""Counts per hour and per promised day, summed over the two sliding windows.

A leaf is the narrowest scope: one seller, marketplace and category. It keeps how many shipments of each kind fall on
each hour of ship time and on each day of promised delivery; the sums over the windows live in the leaf's scope and
the two wider ones, and move by what is added, taken away, and passed by time. So an event costs the same however
long the window, and an hour costs what changes in it.
"""

from collections.abc import Iterator

from stream.engine.scope import ScopeState, Sums
from stream.policy.verdict import Outcome, Verdict

LIVE_HOURS = 720
"""30 days, the marketplaces' window (policy of every store)."""

OFFICIAL_DAYS = 30

_KIND_BITS = 24
"""A kind's number and its hour or day share one integer: sixteen million kinds of verdict are more than carriers."""
_KIND_MASK = (1 << _KIND_BITS) - 1


class Kinds:
    """Numbers for the verdicts met so far, so that windows count integers."""

    def __init__(self) -> None:
        self._numbers: dict[Verdict, int] = {}
        self.verdicts: list[Verdict] = []
        self.outcomes: list[int] = []

    def number(self, verdict: Verdict) -> int:
        """The verdict's number."""
        number = self._numbers.get(verdict)
        if number is None:
            number = self._numbers[verdict] = len(self.verdicts)
            self.verdicts.append(verdict)
            self.outcomes.append(int(verdict.outcome))
        return number

    def after_grace(self, kind: int) -> int:
        """The number of the defect that an awaiting kind becomes."""
        awaiting = self.verdicts[kind]
        return self.number(Verdict(Outcome.DEFECT, awaiting.reason, awaiting.carrier))


class Buckets:
    """How many shipments of each kind fall on each unit of time (an hour, or a day)."""

    __slots__ = ("_counts", "_kinds")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._kinds: dict[int, int] = {}
        """On how many units each kind is met."""

    def add(self, unit: int, kind: int, n: int = 1) -> bool:
        """Count ``n`` shipments. Returns whether the kind is new on that unit."""
        slot = unit << _KIND_BITS | kind
        counts = self._counts
        if slot in counts:
            counts[slot] += n
            return False
        counts[slot] = n
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        return True

    def remove(self, unit: int, kind: int, n: int = 1) -> None:
        """Take ``n`` shipments away that were counted."""
        slot = unit << _KIND_BITS | kind
        left = self._counts[slot] - n
        if left > 0:
            self._counts[slot] = left
            return
        if left < 0:
            raise RuntimeError(f"unit {unit} has {left + n} shipments of kind {kind}, not {n}")
        del self._counts[slot]
        if self._kinds[kind] > 1:
            self._kinds[kind] -= 1
        else:
            del self._kinds[kind]

    def on(self, unit: int) -> list[tuple[int, int]]:
        """Kinds and their counts on one unit."""
        return [(kind, n) for kind in self._kinds if (n := self._counts.get(unit << _KIND_BITS | kind))]

    def drop(self, unit: int) -> list[tuple[int, int]]:
        """The same, and forget them."""
        dropped = self.on(unit)
        for kind, n in dropped:
            self.remove(unit, kind, n)
        return dropped

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Unit, kind and count of each."""
        for slot, n in self._counts.items():
            yield slot >> _KIND_BITS, slot & _KIND_MASK, n

    def is_empty(self) -> bool:
        """Whether nothing is counted."""
        return not self._counts


class Span:
    """Where the two windows stand: their first and last hour and day, in units since 1970 UTC."""

    __slots__ = ("first_day", "first_hour", "lag_days", "last_day", "last_hour")

    def __init__(self, lag_days: int, hour: int) -> None:
        self.lag_days = lag_days
        self.move(hour)

    def move(self, hour: int) -> None:
        """Let the live window end with ``hour``, and the official one ``lag_days`` before its day."""
        self.last_hour = hour
        self.first_hour = hour - LIVE_HOURS + 1
        self.last_day = hour // 24 - self.lag_days
        self.first_day = self.last_day - OFFICIAL_DAYS + 1

    def hour_leaving(self, hour: int) -> int:
        """The hour at which the live window leaves ``hour`` behind."""
        return hour + LIVE_HOURS

    def hour_entering_day(self, day: int) -> int:
        """The hour at which the official window reaches ``day``."""
        return (day + self.lag_days) * 24

    def hour_leaving_day(self, day: int) -> int:
        """The hour at which the official window leaves ``day`` behind."""
        return (day + self.lag_days + OFFICIAL_DAYS) * 24


Agenda = dict[int, dict["Leaf", None]]
"""Which leaves have something to do at an hour. The inner dictionaries serve as sets that keep their order."""


class Leaf:
    """The windows of one seller, marketplace and category. ``scopes`` are its own scope and the wider ones."""

    __slots__ = ("_agenda", "_days", "_ending", "_hours", "_kinds", "_live", "_official", "_span", "scopes")

    def __init__(self, scopes: tuple[ScopeState, ...], kinds: Kinds, span: Span, agenda: Agenda) -> None:
        self.scopes = scopes
        self._kinds = kinds
        self._span = span
        self._agenda = agenda
        self._live = [scope.live for scope in scopes]
        self._official = [scope.official for scope in scopes]
        self._hours = Buckets()
        self._days = Buckets()
        self._ending: dict[int, dict[tuple[int, int], int]] = {}
        """How many awaiting shipments' grace ends at an hour, by promised day and kind."""

    def recount(self, hour: int, day: int, before: Verdict | None, after: Verdict | None) -> None:
        """Count one shipment of this hour and promised day as ``after`` instead of ``before`` (None: not at all)."""
        span = self._span
        old = -1 if before is None else self._kind(hour, day, before, -1)
        new = -1 if after is None else self._kind(hour, day, after, 1)
        # What lies behind a window was dropped with its bucket, or never counted.
        if hour >= span.first_hour:
            if old >= 0:
                self._hours.remove(hour, old)
            if new >= 0 and self._hours.add(hour, new):
                self._due(hour + LIVE_HOURS)
                if hour > span.last_hour:
                    self._due(hour)
            if hour <= span.last_hour:
                self._move(self._live, old, new)
        if day >= span.first_day:
            if old >= 0:
                self._days.remove(day, old)
            if new >= 0 and self._days.add(day, new):
                self._due(span.hour_leaving_day(day))
                if day > span.last_day:
                    self._due(span.hour_entering_day(day))
            if day <= span.last_day:
                self._move(self._official, old, new)

    def _move(self, windows: list[Sums], old: int, new: int) -> None:
        outcomes = self._kinds.outcomes
        if old >= 0:
            outcome = outcomes[old]
            for sums in windows:
                sums[outcome] -= 1
        if new >= 0:
            outcome = outcomes[new]
            for sums in windows:
                sums[outcome] += 1

    def _kind(self, hour: int, day: int, verdict: Verdict, n: int) -> int:
        """The kind that a verdict counts as now; keeps account of whose grace is still to end."""
        kind = self._kinds.number(verdict)
        if verdict.outcome != Outcome.AWAITING:
            return kind
        end_of_grace = hour + 1 + verdict.grace_hours
        if end_of_grace <= self._span.last_hour:
            return self._kinds.after_grace(kind)
        ending = self._ending.get(end_of_grace)
        if ending is None:
            ending = self._ending[end_of_grace] = {}
            self._due(end_of_grace)
        ending[day, kind] = ending.get((day, kind), 0) + n
        return kind

    def _due(self, hour: int) -> None:
        self._agenda.setdefault(hour, {})[self] = None

    def pass_hour(self, hour: int) -> None:
        """Apply what changes when the span has just moved to ``hour``: windows slide, grace ends."""
        span = self._span
        self._shift(self._live, self._hours.on(hour), 1)
        self._shift(self._live, self._hours.drop(span.first_hour - 1), -1)
        if hour % 24 == 0:
            self._shift(self._official, self._days.on(span.last_day), 1)
            self._shift(self._official, self._days.drop(span.first_day - 1), -1)
        for (day, kind), n in self._ending.pop(hour, {}).items():
            shipped_hour = hour - 1 - self._kinds.verdicts[kind].grace_hours
            defect = self._kinds.after_grace(kind)
            if n and shipped_hour >= span.first_hour:
                self._hours.remove(shipped_hour, kind, n)
                self._hours.add(shipped_hour, defect, n)
                self._shift(self._live, [(kind, -n), (defect, n)], 1)
            if n and day >= span.first_day:
                self._days.remove(day, kind, n)
                self._days.add(day, defect, n)
                if day <= span.last_day:
                    self._shift(self._official, [(kind, -n), (defect, n)], 1)

    def _shift(self, windows: list[Sums], counted: list[tuple[int, int]], sign: int) -> None:
        outcomes = self._kinds.outcomes
        for kind, n in counted:
            for sums in windows:
                sums[outcomes[kind]] += sign * n

    def live_defects(self) -> Iterator[tuple[Verdict, int]]:
        """The defects in the live window by verdict, a verdict as often as it has hours."""
        span = self._span
        for hour, kind, n in self._hours:
            if self._kinds.outcomes[kind] == Outcome.DEFECT and span.first_hour <= hour <= span.last_hour:
                yield self._kinds.verdicts[kind], n

    def is_empty(self) -> bool:
        """Whether no shipment lies in or ahead of a window."""
        return self._hours.is_empty() and self._days.is_empty()
