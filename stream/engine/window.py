"""Counts per hour and per promised day, summed over the two sliding windows.

How many shipments of each leaf and kind fall on an hour of ship time, and on a day of promised delivery, is kept in
one dictionary for each hour and each day. The sums over the windows live in the leaf's scopes, and move by what is
added, taken away, and passed by time. So an event costs the same however long the window, and an hour costs what lies
on its edges.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from mypy_extensions import mypyc_attr

from stream.engine.scope import DEFECT, Leaf, ScopeState
from stream.events import OrderShipped
from stream.policy.verdict import Outcome, Verdict
from stream.span import Span

_KIND_BITS: Final = 24
"""A leaf, a day and a kind share one integer. Sixteen million kinds of verdict are more than carriers."""
_DAY_BITS: Final = 17
"""Days since 1970, until the year 2328."""
_KIND_MASK: Final = (1 << _KIND_BITS) - 1
_DAY_MASK: Final = (1 << _DAY_BITS) - 1
_LEAF_SHIFT: Final = _KIND_BITS + _DAY_BITS

_NONE: Final = -1
"""The kind of what is not counted."""

Bucket = dict[int, int]
"""Shipments on one hour or day, by leaf, promised day (on hours only) and kind."""


_MANY_LEAVES: Final = 1 << 22
_MANY_KINDS: Final = 100_000
"""Numbers are never given anew, and those of what is gone only end with the windows that gave them. With more than
these, windows are not kept: who counts anew numbers anew, far from where a leaf's no longer fits into 64 bits."""


class KeptWindows(NamedTuple):
    """What windows hold, so that others can go on with it: as of an ``hour`` since 1970 UTC, leaves as their number,
    seller, marketplace and category, the verdicts in order of their kinds, and the buckets by hour and by day."""

    hour: int
    leaves: list[tuple[int, str, str, str]]
    verdicts: list[Verdict]
    hours: dict[int, Bucket]
    days: dict[int, Bucket]


@mypyc_attr(acyclic=True)
class Counted:
    """As what a shipment is counted, by its fact ``shipped``: its leaf, its hour and day since 1970 UTC, and the kind
    of its verdict."""

    __slots__ = ("day", "hour", "kind", "leaf", "shipped")

    def __init__(self, shipped: OrderShipped, leaf: Leaf, hour: int, day: int, kind: int) -> None:
        self.shipped = shipped
        self.leaf = leaf
        self.hour = hour
        self.day = day
        self.kind = kind


class Kinds:
    """Numbers for the verdicts met so far, so that windows count integers."""

    def __init__(self) -> None:
        self._numbers: dict[Verdict, int] = {}
        self.verdicts: list[Verdict] = []
        self.outcomes: list[int] = []
        self.ambiguous: set[int] = set()
        """Kinds that are counted and that the rules leave open."""
        self.awaiting: dict[int, set[int]] = {}
        """Kinds by the hours of their grace."""
        self.graces: list[int | None] = []
        """The hours of each kind's grace; None where it awaits nothing."""

    def number(self, verdict: Verdict) -> int:
        """The verdict's number."""
        number = self._numbers.get(verdict)
        return self._add(verdict) if number is None else number

    def _add(self, verdict: Verdict) -> int:
        number = self._numbers[verdict] = len(self.verdicts)
        self.verdicts.append(verdict)
        self.outcomes.append(int(verdict.outcome))
        is_awaiting = verdict.outcome == Outcome.AWAITING
        self.graces.append(verdict.grace_hours if is_awaiting else None)
        if is_awaiting:
            self.awaiting.setdefault(verdict.grace_hours, set()).add(number)
        elif verdict.ambiguous and verdict.outcome != Outcome.EXEMPT:
            self.ambiguous.add(number)
        return number

    def after_grace(self, kind: int) -> int:
        """The number of the defect that an awaiting kind becomes."""
        return self.number(self.verdicts[kind]._replace(outcome=Outcome.DEFECT, grace_hours=0))


class Windows:
    """The windows of all leaves of a partition."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.kinds = Kinds()
        self._hours: dict[int, Bucket] = {}
        self._days: dict[int, Bucket] = {}
        self._leaves: dict[int, Leaf] = {}
        self._next_number = 0

    # --- Leaves ------------------------------------------------------------------------------------------------------

    def new_leaf(self, scopes: tuple[ScopeState, ...], number: int = 0) -> Leaf:
        """A leaf below these scopes. Its number is ``number``, or the next where that was given before."""
        number = max(number, self._next_number)
        leaf = self._leaves[number] = Leaf(scopes, number << _LEAF_SHIFT)
        self._next_number = number + 1
        for scope in scopes:
            scope.leaves += 1
        return leaf

    def drop_leaf(self, leaf: Leaf) -> None:
        """Forget a leaf on which nothing is counted."""
        del self._leaves[leaf.base >> _LEAF_SHIFT]
        for scope in leaf.scopes:
            scope.leaves -= 1

    def shipped_in(self, hour: int) -> list[tuple[Leaf | None, int, int]]:
        """The leaves of an hour's shipments, with their kind and number; None for one just dropped.

        Any thread may ask.
        """
        leaf_of = self._leaves.get
        bucket = self._hours.get(hour, {}).copy()
        return [(leaf_of(slot >> _LEAF_SHIFT), slot & _KIND_MASK, n) for slot, n in bucket.items()]

    # --- Shipments ---------------------------------------------------------------------------------------------------

    def add(self, counted: Counted) -> None:
        """Count a shipment."""
        self._move(counted, _NONE, counted.kind)

    def remove(self, counted: Counted) -> None:
        """Count a shipment no longer."""
        self._move(counted, counted.kind, _NONE)

    def change(self, counted: Counted, kind: int) -> None:
        """Count a shipment as another kind."""
        self._move(counted, counted.kind, kind)
        counted.kind = kind

    def _move(self, counted: Counted, old: int, new: int) -> None:
        leaf, hour, day = counted.leaf, counted.hour, counted.day
        span, graces = self.span, self.kinds.graces
        if old >= 0 and (grace := graces[old]) is not None and span.is_past_grace(hour, grace):
            old = self.kinds.after_grace(old)
        if new >= 0 and (grace := graces[new]) is not None and span.is_past_grace(hour, grace):
            new = self.kinds.after_grace(new)
        if old == new:
            return
        # What lies behind a window was dropped with its bucket, or never counted.
        if hour >= span.first_hour:
            bucket = self._hours.get(hour)
            if bucket is None:
                bucket = self._hours[hour] = {}
            _count(bucket, leaf, leaf.base + (day << _KIND_BITS), old, new)
            if hour <= span.last_hour:
                if old >= 0:
                    self._shift_live(leaf, old, -1)
                if new >= 0:
                    self._shift_live(leaf, new, 1)
        if day >= span.first_day:
            bucket = self._days.get(day)
            if bucket is None:
                bucket = self._days[day] = {}
            _count(bucket, leaf, leaf.base, old, new)
            if day <= span.last_day:
                if old >= 0:
                    self._shift_official(leaf, old, -1)
                if new >= 0:
                    self._shift_official(leaf, new, 1)

    def _shift_live(self, leaf: Leaf, kind: int, n: int) -> None:
        """Count ``n`` more shipments in the live window of a leaf's scopes."""
        outcome = self.kinds.outcomes[kind]
        ambiguous = n if kind in self.kinds.ambiguous else 0
        for scope in leaf.scopes:
            scope.live.add(outcome, n, ambiguous)
            if outcome == DEFECT:
                if scope.defects is None:
                    scope.defects = {}
                _add(scope.defects, kind, n)

    def _shift_official(self, leaf: Leaf, kind: int, n: int) -> None:
        """The same in the official window."""
        outcome = self.kinds.outcomes[kind]
        ambiguous = n if kind in self.kinds.ambiguous else 0
        for scope in leaf.scopes:
            scope.official.add(outcome, n, ambiguous)

    # --- Over a restart ----------------------------------------------------------------------------------------------

    def kept(self, leaves: Mapping[tuple[str, str, str], Leaf]) -> KeptWindows | None:
        """What the windows hold, to be packed before they go on; None where it is better to count anew."""
        if self._next_number > _MANY_LEAVES or len(self.kinds.verdicts) > _MANY_KINDS:
            return None
        counted = sorted((leaf.base >> _LEAF_SHIFT, *names) for names, leaf in leaves.items() if leaf.size)
        return KeptWindows(self.span.last_hour, counted, self.kinds.verdicts, self._hours, self._days)

    def go_on(self, kept: KeptWindows) -> None:
        """Hold what others held at this hour. These hold nothing yet but all of its leaves, by their numbers."""
        for verdict in kept.verdicts:
            self.kinds.number(verdict)
        self.hold(kept.hours, kept.days)

    def hold(self, hours: dict[int, Bucket], days: dict[int, Bucket]) -> None:
        """Hold these buckets, by the leaves and kinds of these windows, which hold nothing yet."""
        self._hours, self._days = hours, days
        span = self.span
        live, other_hours = _totals(hours, span.first_hour, span.last_hour)
        official, other_days = _totals(days, span.first_day, span.last_day)
        self._enter_hour(live, 1)
        self._enter_day(official, 1)
        for totals in (live, other_hours, official, other_days):
            for slot, n in totals.items():
                self._leaves[slot >> _LEAF_SHIFT].size += n

    # --- Time --------------------------------------------------------------------------------------------------------

    def begin(self, hour: int) -> Iterable[Leaf]:
        """Let the windows end with ``hour`` where none had passed before. Returns all leaves."""
        span = self.span
        for grace in list(self.kinds.awaiting):
            for shipped in self._hours:
                if shipped + 1 + grace <= hour:
                    self._end_grace(shipped, grace, {})
        span.move(hour)
        for shipped in sorted(self._hours):
            if shipped < span.first_hour:
                self._forget(self._hours.pop(shipped))
            elif shipped <= hour:
                self._enter_hour(self._hours[shipped], 1)
        for day in sorted(self._days):
            if day < span.first_day:
                self._forget(self._days.pop(day))
            elif day <= span.last_day:
                self._enter_day(self._days[day], 1)
        return self._leaves.values()

    def pass_hour(self, hour: int) -> Iterable[Leaf]:
        """Let the windows slide by one hour, to the one given, and the grace end that ends now.

        Returns the leaves whose sums that has changed.
        """
        span = self.span
        touched: dict[Leaf, None] = {}
        for grace in list(self.kinds.awaiting):
            self._end_grace(hour - 1 - grace, grace, touched)
        leaving = span.first_hour
        span.move(hour)
        touched |= self._enter_hour(self._hours.get(hour, {}), 1)
        behind = self._hours.pop(leaving, {})
        touched |= self._enter_hour(behind, -1)
        self._forget(behind)
        if hour % 24 == 0:
            touched |= self._enter_day(self._days.get(span.last_day, {}), 1)
            behind = self._days.pop(span.first_day - 1, {})
            touched |= self._enter_day(behind, -1)
            self._forget(behind)
        return touched

    def _enter_hour(self, bucket: Bucket, sign: int) -> dict[Leaf, None]:
        touched: dict[Leaf, None] = {}
        for slot, n in bucket.items():
            leaf = self._leaves[slot >> _LEAF_SHIFT]
            touched[leaf] = None
            self._shift_live(leaf, slot & _KIND_MASK, sign * n)
        return touched

    def _enter_day(self, bucket: Bucket, sign: int) -> dict[Leaf, None]:
        touched: dict[Leaf, None] = {}
        for slot, n in bucket.items():
            leaf = self._leaves[slot >> _LEAF_SHIFT]
            touched[leaf] = None
            self._shift_official(leaf, slot & _KIND_MASK, sign * n)
        return touched

    def _forget(self, bucket: Bucket) -> None:
        for slot, n in bucket.items():
            self._leaves[slot >> _LEAF_SHIFT].size -= n

    def _end_grace(self, hour: int, grace: int, touched: dict[Leaf, None]) -> None:
        """Make defects of what was shipped in ``hour``, still lacks what it awaits, and has waited ``grace`` hours."""
        bucket = self._hours.get(hour)
        if not bucket:
            return
        kinds = self.kinds.awaiting[grace]
        span = self.span
        for slot in [slot for slot in bucket if slot & _KIND_MASK in kinds]:
            kind, day, leaf = slot & _KIND_MASK, slot >> _KIND_BITS & _DAY_MASK, self._leaves[slot >> _LEAF_SHIFT]
            defect = self.kinds.after_grace(kind)
            n = bucket.pop(slot)
            _add(bucket, slot - kind + defect, n)
            touched[leaf] = None
            if span.first_hour <= hour <= span.last_hour:
                self._shift_live(leaf, kind, -n)
                self._shift_live(leaf, defect, n)
            if day >= span.first_day:
                _add(self._days[day], leaf.base + kind, -n)
                _add(self._days[day], leaf.base + defect, n)
                if day <= span.last_day:
                    self._shift_official(leaf, kind, -n)
                    self._shift_official(leaf, defect, n)


def hour_slot(leaf: Leaf, day: int, kind: int) -> int:
    """What stands in an hour's bucket for a leaf, a promised day and a kind."""
    return leaf.base + (day << _KIND_BITS) + kind


def _totals(buckets: dict[int, Bucket], first: int, last: int) -> tuple[Bucket, Bucket]:
    """The buckets from ``first`` to ``last`` in one, and the others in one, each without the promised days."""
    inside: Bucket = {}
    outside: Bucket = {}
    for time, bucket in buckets.items():
        totals = inside if first <= time <= last else outside
        for slot, n in bucket.items():
            total = (slot >> _LEAF_SHIFT << _LEAF_SHIFT) + (slot & _KIND_MASK)
            totals[total] = totals.get(total, 0) + n
    return inside, outside


def _count(bucket: Bucket, leaf: Leaf, base: int, old: int, new: int) -> None:
    if old >= 0:
        n = bucket[base + old] - 1
        if n:
            bucket[base + old] = n
        else:
            del bucket[base + old]
        leaf.size -= 1
    if new >= 0:
        slot = base + new
        bucket[slot] = bucket.get(slot, 0) + 1
        leaf.size += 1


def _add(counts: dict[int, int], key: int, n: int) -> None:
    n += counts.get(key, 0)
    if n:
        counts[key] = n
    else:
        del counts[key]
