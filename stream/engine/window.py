"""Counts per hour and per promised day, summed over the two sliding windows.

A leaf is the narrowest scope: one seller, marketplace and category. It keeps how many shipments of each kind fall on
each hour of ship time and on each day of promised delivery; the sums over the windows live in the leaf's scope and
the two wider ones, and move by what is added, taken away, and passed by time. So an event costs the same however
long the window, and an hour costs what changes in it.
"""

from collections.abc import Iterator

from stream.engine.scope import ScopeState
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

    def add(self, unit: int, kind: int, n: int) -> bool:
        """Add ``n`` (negative to take away). Returns whether the kind is new on that unit."""
        slot = unit << _KIND_BITS | kind
        counts, kinds = self._counts, self._kinds
        count = counts.get(slot)
        if count is None:
            if n < 0:
                raise RuntimeError(f"no shipment of kind {kind} on unit {unit} to take away")
            counts[slot] = n
            kinds[kind] = kinds.get(kind, 0) + 1
            return True
        if count + n:
            counts[slot] = count + n
        else:
            del counts[slot]
            if kinds[kind] > 1:
                kinds[kind] -= 1
            else:
                del kinds[kind]
        return False

    def on(self, unit: int) -> list[tuple[int, int]]:
        """Kinds and their counts on one unit."""
        return [(kind, n) for kind in self._kinds if (n := self._counts.get(unit << _KIND_BITS | kind))]

    def drop(self, unit: int) -> list[tuple[int, int]]:
        """The same, and forget them."""
        dropped = self.on(unit)
        for kind, n in dropped:
            self.add(unit, kind, -n)
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


class Leaf:
    """The windows of one seller, marketplace and category. ``scopes`` are its own scope and the wider ones."""

    __slots__ = ("_days", "_ending", "_hours", "_kinds", "_span", "scopes")

    def __init__(self, scopes: tuple[ScopeState, ...], kinds: Kinds, span: Span) -> None:
        self.scopes = scopes
        self._kinds = kinds
        self._span = span
        self._hours = Buckets()
        self._days = Buckets()
        self._ending: dict[int, Buckets] = {}
        """Awaiting shipments by the hour at which their grace ends, on their promised day."""

    def add(self, hour: int, day: int, verdict: Verdict, n: int) -> list[int]:
        """Count ``n`` shipments (negative to take them away) of one hour and promised day.

        Returns the hours ahead at which :meth:`pass_hour` is due because of them.
        """
        kind = self._kinds.number(verdict)
        if verdict.outcome is not Outcome.AWAITING:
            return self._count(hour, day, kind, n)
        end_of_grace = hour + 1 + verdict.grace_hours
        if end_of_grace <= self._span.last_hour:
            return self._count(hour, day, self._kinds.after_grace(kind), n)
        ending = self._ending.setdefault(end_of_grace, Buckets())
        ending.add(day, kind, n)
        if ending.is_empty():
            del self._ending[end_of_grace]
        return [end_of_grace, *self._count(hour, day, kind, n)]

    def _count(self, hour: int, day: int, kind: int, n: int) -> list[int]:
        span = self._span
        outcome = self._kinds.outcomes[kind]
        due: list[int] = []
        # What lies behind a window was dropped with its bucket, or never counted.
        if hour >= span.first_hour:
            if self._hours.add(hour, kind, n):
                due.append(span.hour_leaving(hour))
                if hour > span.last_hour:
                    due.append(hour)
            if hour <= span.last_hour:
                for scope in self.scopes:
                    scope.live[outcome] += n
        if day >= span.first_day:
            if self._days.add(day, kind, n):
                due.append(span.hour_leaving_day(day))
                if day > span.last_day:
                    due.append(span.hour_entering_day(day))
            if day <= span.last_day:
                for scope in self.scopes:
                    scope.official[outcome] += n
        return due

    def pass_hour(self, hour: int) -> None:
        """Apply what changes when the span has just moved to ``hour``: windows slide, grace ends."""
        span = self._span
        outcomes = self._kinds.outcomes
        for kind, n in self._hours.on(hour):
            for scope in self.scopes:
                scope.live[outcomes[kind]] += n
        for kind, n in self._hours.drop(span.first_hour - 1):
            for scope in self.scopes:
                scope.live[outcomes[kind]] -= n
        if hour % 24 == 0:
            for kind, n in self._days.on(span.last_day):
                for scope in self.scopes:
                    scope.official[outcomes[kind]] += n
            for kind, n in self._days.drop(span.first_day - 1):
                for scope in self.scopes:
                    scope.official[outcomes[kind]] -= n
        ending = self._ending.pop(hour, None)
        if ending is not None:
            for day, kind, n in ending:
                shipped_hour = hour - 1 - self._kinds.verdicts[kind].grace_hours
                self._count(shipped_hour, day, kind, -n)
                self._count(shipped_hour, day, self._kinds.after_grace(kind), n)

    def live_defects(self) -> Iterator[tuple[Verdict, int]]:
        """The defects in the live window by verdict, a verdict as often as it has hours."""
        span = self._span
        for hour, kind, n in self._hours:
            if self._kinds.outcomes[kind] == Outcome.DEFECT and span.first_hour <= hour <= span.last_hour:
                yield self._kinds.verdicts[kind], n

    def is_empty(self) -> bool:
        """Whether no shipment lies in or ahead of a window."""
        return self._hours.is_empty() and self._days.is_empty()
