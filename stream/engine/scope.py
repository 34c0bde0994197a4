"""The state of one scope: its sums over both windows, and the status they have led to."""

from typing import Final

from stream.engine.status import Levels
from stream.policy.verdict import Outcome
from stream.records import Counts, Scope, Status

VALID: Final = int(Outcome.VALID)
DEFECT: Final = int(Outcome.DEFECT)
AWAITING: Final = int(Outcome.AWAITING)
EXEMPT: Final = int(Outcome.EXEMPT)
AMBIGUOUS: Final = 4
"""Valid ones and defects that the rules leave open are summed once more under this."""

Sums = list[int]
"""Shipments by :class:`~stream.policy.verdict.Outcome`, and those of them that are counted and ambiguous."""


def no_sums() -> Sums:
    """The sums over nothing."""
    return [0, 0, 0, 0, 0]


class ScopeState:
    """Sums and status of one scope, and the leaves below it: without any, the scope is gone."""

    __slots__ = ("alert_id", "leaves", "levels", "live", "official", "published", "scope", "status")

    def __init__(self, scope: Scope, levels: Levels, status: Status, alert_id: str) -> None:
        self.scope = scope
        self.levels = levels
        self.live = no_sums()
        self.official = no_sums()
        self.status = status
        self.alert_id = alert_id
        """The latest alert's, "" before the first."""
        self.leaves: dict[Leaf, None] = {}
        self.published: object = None
        """What the last metric said, so that an unchanged one is not said again."""


class Leaf:
    """The narrowest scope: one seller, marketplace and category. ``scopes`` are its own and the two wider ones.

    ``live`` and ``official`` are the sums of these scopes; ``size`` is how many shipments are counted by hour and how
    many by day; ``defects`` is how many of each kind of defect lie in the live window.
    """

    __slots__ = ("base", "defects", "live", "official", "scopes", "size")

    def __init__(self, scopes: tuple[ScopeState, ...], base: int) -> None:
        self.scopes = scopes
        self.live = [scope.live for scope in scopes]
        self.official = [scope.official for scope in scopes]
        self.base = base
        self.size = 0
        self.defects: dict[int, int] = {}


def counts(sums: Sums) -> Counts:
    """The sums as people read them."""
    valid, defects = sums[VALID], sums[DEFECT]
    counted = valid + defects
    return Counts(
        counted=counted,
        valid=valid,
        defects=defects,
        pending=sums[AWAITING],
        exempt=sums[EXEMPT],
        ambiguous=sums[AMBIGUOUS],
        vtr=rate(valid, counted),
    )


def rate(valid: int, counted: int) -> float | None:
    """valid / counted to four decimals, halves up, from whole numbers; None when nothing is counted."""
    if counted == 0:
        return None
    return (20_000 * valid + counted) // (2 * counted) / 10_000
