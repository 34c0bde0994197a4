"""The state of one scope: its sums over both windows, and the status they have led to."""

from typing import Final

from mypy_extensions import mypyc_attr

from stream.engine.status import Levels
from stream.policy.verdict import Outcome
from stream.records import Counts, Scope, Status

VALID: Final = int(Outcome.VALID)
DEFECT: Final = int(Outcome.DEFECT)
AWAITING: Final = int(Outcome.AWAITING)
EXEMPT: Final = int(Outcome.EXEMPT)

Names = tuple[str, str | None, str | None]
"""A seller, marketplace and category, as of a :class:`~stream.records.Scope`, which is equal to it."""

Totals = tuple[int, int, int, int, int]
"""Sums that do not change: valid, defects, pending, exempt, ambiguous."""

Said = tuple[Totals, Totals, int, Status]
"""What a metric says, but for what follows from it: live and official sums, the last day of the latter, the status."""

NOTHING_SAID: Final[Said] = ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0), -1, "ok")

# Of these there are several for each seller, and none leads back to itself: that is what `acyclic` promises. So the
# cycle collector need not go through hundreds of thousands of them again and again.


@mypyc_attr(acyclic=True)
class Sums:
    """Shipments in a window by :class:`~stream.policy.verdict.Outcome`. ``ambiguous`` are those of the valid ones and
    the defects that the rules leave open."""

    __slots__ = ("ambiguous", "defects", "exempt", "pending", "valid")

    def __init__(self) -> None:
        self.valid = 0
        self.defects = 0
        self.pending = 0
        self.exempt = 0
        self.ambiguous = 0

    def add(self, outcome: int, n: int, ambiguous: int) -> None:
        """Count ``n`` more shipments of that outcome (fewer where it is negative), ``ambiguous`` of them being so."""
        if outcome == VALID:
            self.valid += n
        elif outcome == DEFECT:
            self.defects += n
        elif outcome == AWAITING:
            self.pending += n
        else:
            self.exempt += n
        self.ambiguous += ambiguous

    def totals(self) -> Totals:
        """As they are now."""
        return self.valid, self.defects, self.pending, self.exempt, self.ambiguous


@mypyc_attr(acyclic=True)
class ScopeState:
    """Sums and status of one scope. ``leaves`` is how many there are below it: without any, the scope is gone.

    ``defects`` is how many of each kind of defect lie in the live window, None where none ever has.
    """

    __slots__ = ("alert_id", "defects", "leaves", "levels", "live", "names", "official", "published", "status")

    def __init__(self, names: Names, levels: Levels, status: Status, alert_id: str) -> None:
        self.names = names
        self.levels = levels
        self.live = Sums()
        self.official = Sums()
        self.defects: dict[int, int] | None = None
        self.status = status
        self.alert_id = alert_id
        """The latest alert's, "" before the first."""
        self.leaves = 0
        self.published = NOTHING_SAID
        """What the last metric said, so that an unchanged one is not said again."""

    @property
    def scope(self) -> Scope:
        """What the state is of."""
        seller_id, marketplace, category = self.names
        return Scope(seller_id, marketplace, category)


@mypyc_attr(acyclic=True)
class Leaf:
    """The narrowest scope: one seller, marketplace and category. ``scopes`` are its own and the two wider ones;
    ``size`` is how many shipments are counted by hour and how many by day."""

    __slots__ = ("base", "scopes", "size")

    def __init__(self, scopes: tuple[ScopeState, ...], base: int) -> None:
        self.scopes = scopes
        self.base = base
        self.size = 0


def counts(totals: Totals) -> Counts:
    """Sums as people read them."""
    valid, defects, pending, exempt, ambiguous = totals
    counted = valid + defects
    return Counts(
        counted=counted,
        valid=valid,
        defects=defects,
        pending=pending,
        exempt=exempt,
        ambiguous=ambiguous,
        vtr=rate(valid, counted),
    )


def rate(valid: int, counted: int) -> float | None:
    """valid / counted to four decimals, halves up, from whole numbers; None when nothing is counted."""
    if counted == 0:
        return None
    return (20_000 * valid + counted) // (2 * counted) / 10_000
