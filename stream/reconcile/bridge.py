"""From the marketplace's number to ours in steps that add up.

The report says how many shipments it counts, and not which. So a step takes only as much of the gap as there are
shipments that can be behind it, and what is left is not explained: a step is what may be, and the sum is what is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from stream.reconcile.health import Theirs
from stream.reconcile.ours import EDGE, LONGEST_TRANSIT, Judged, Ours, Window, is_unscanned

Cause = Literal[
    "pending",
    "exempt",
    "ambiguous",
    "promise_unknown",
    "window_edge",
    "unscanned",
    "not_explained",
]


class Step(Struct, frozen=True, kw_only=True):
    """``n`` shipments that the marketplace's number has more (negative) or fewer (positive) than ours, and ``of`` how
    many of that kind: None for what is not explained."""

    cause: Cause
    reason: str | None = None
    n: int
    of: int | None


class Bridge(Struct, frozen=True, kw_only=True):
    """``theirs`` and the steps sum up to ``ours``."""

    theirs: int
    steps: list[Step]
    ours: int


class _Kind(Struct, frozen=True):
    """Shipments that a step can be of."""

    cause: Cause
    reason: str | None
    n: int


def counted_bridge(theirs: Theirs, ours: Ours, shipments: Sequence[Judged], window: Window) -> Bridge | None:
    """From the shipments that they count to those that we count; None where the report does not say."""
    if theirs.counted is None:
        return None
    if theirs.counted >= ours.counted:
        kinds = [*_left_out(ours), *_perhaps(_outside(shipments, window))]
    else:
        inside = [each for each in shipments if window.has(each.promised) and each.is_counted]
        kinds = _perhaps((_doubt(each, window), each) for each in inside)
    return _bridge(theirs.counted, ours.counted, kinds)


def defects_bridge(
    theirs: Theirs, ours: Ours, shipments: Sequence[Judged], window: Window, counted: Bridge | None
) -> Bridge | None:
    """From their defects to ours. What they may count and we leave out are defects where there is no number."""
    if theirs.defects is None or counted is None:
        return None
    inside = [each for each in shipments if window.has(each.promised)]
    if theirs.defects >= ours.defects:
        there: Counter[tuple[str | None, str | None]] = Counter(
            (each.standing.outcome, each.standing.reason) for each in inside if not each.has_number
        )
        there.update((cause, None) for cause, each in _outside(shipments, window) if each.standing.outcome == "defect")
        taken = [step for step in counted.steps if step.n < 0]
        kinds = [_Kind(step.cause, step.reason, min(-step.n, there[step.cause, step.reason])) for step in taken]
        kinds.append(_Kind("unscanned", None, sum(map(is_unscanned, inside))))
    else:
        defects = [each for each in inside if each.standing.outcome == "defect"]
        kinds = _perhaps((_doubt(each, window), each) for each in defects)
    return _bridge(theirs.defects, ours.defects, kinds)


def _bridge(theirs: int, ours: int, kinds: Iterable[_Kind]) -> Bridge:
    rest = abs(theirs - ours)
    sign = -1 if theirs > ours else 1
    steps = []
    for kind in kinds:
        n = min(kind.n, rest)
        if kind.n:
            steps.append(Step(cause=kind.cause, reason=kind.reason, n=sign * n, of=kind.n))
        rest -= n
    if rest:
        steps.append(Step(cause="not_explained", n=sign * rest, of=None))
    return Bridge(theirs=theirs, steps=steps, ours=ours)


def _left_out(ours: Ours) -> list[_Kind]:
    """What is in the window and not counted here. What the marketplace fulfils itself it never counts."""
    pending = [_Kind("pending", reason, n) for reason, n in ours.reasons["pending"].items()]
    exempt = [
        _Kind("exempt", reason, n) for reason, n in ours.reasons["exempt"].items() if reason != "marketplace_fulfilled"
    ]
    return pending + exempt


def _outside(shipments: Iterable[Judged], window: Window) -> Iterable[tuple[Cause | None, Judged]]:
    """What is counted, and promised for other days: by another clock, or as nothing told the promise, it may be in."""
    for each in shipments:
        if not each.is_counted or window.has(each.promised):
            continue
        if each.is_promise_unknown:
            if window.start - LONGEST_TRANSIT <= each.promised < window.start:
                yield "promise_unknown", each
        elif window.start - EDGE <= each.promised < window.end + EDGE:
            yield "window_edge", each


def _doubt(each: Judged, window: Window) -> Cause | None:
    """Why the marketplace may not count what we count, where there is a reason for doubt."""
    if each.standing.ambiguous:
        return "ambiguous"
    if each.is_promise_unknown:
        return "promise_unknown"
    is_well_inside = window.start + EDGE <= each.promised < window.end - EDGE
    return None if is_well_inside else "window_edge"


def _perhaps(doubts: Iterable[tuple[Cause | None, Judged]]) -> list[_Kind]:
    found = Counter(cause for cause, _ in doubts if cause is not None)
    order: tuple[Cause, ...] = ("ambiguous", "promise_unknown", "window_edge")
    return [_Kind(cause, None, found[cause]) for cause in order if found[cause]]
