"""The state of one scope: its sums over both windows, and the status they have led to."""

from typing import TYPE_CHECKING

from stream.engine.status import Levels
from stream.policy.verdict import Outcome
from stream.records import Counts, Scope, Status

if TYPE_CHECKING:
    from stream.engine.window import Leaf

Sums = list[int]
"""Shipments by :class:`~stream.policy.verdict.Outcome`."""


class ScopeState:
    """Sums and status of one scope, and the leaves below it: without any, the scope is gone."""

    __slots__ = ("alert_id", "leaves", "levels", "live", "official", "published", "scope", "status")

    def __init__(self, scope: Scope, levels: Levels, status: Status, alert_id: str) -> None:
        self.scope = scope
        self.levels = levels
        self.live: Sums = [0, 0, 0, 0]
        self.official: Sums = [0, 0, 0, 0]
        self.status = status
        self.alert_id = alert_id
        """The latest alert's, "" before the first."""
        self.leaves: list[Leaf] = []
        self.published: object = None
        """What the last metric said, so that an unchanged one is not said again."""


def counts(sums: Sums) -> Counts:
    """The sums as people read them."""
    valid, defects = sums[Outcome.VALID], sums[Outcome.DEFECT]
    counted = valid + defects
    return Counts(
        counted=counted,
        valid=valid,
        defects=defects,
        pending=sums[Outcome.AWAITING],
        exempt=sums[Outcome.EXEMPT],
        vtr=rate(valid, counted),
    )


def rate(valid: int, counted: int) -> float | None:
    """valid / counted to four decimals, halves up, from whole numbers; None when nothing is counted."""
    if counted == 0:
        return None
    return (20_000 * valid + counted) // (2 * counted) / 10_000
