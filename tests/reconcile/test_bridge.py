"""From their number to ours: the steps add up, and none takes more than there is."""

from datetime import date, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.explain.standing import Standing, StandingOutcome
from stream.reconcile import Bridge, Theirs
from stream.reconcile.bridge import counted_bridge, defects_bridge
from stream.reconcile.ours import Judged, Window, counts
from tests.policy.facts import at, order
from tests.test_engine_properties import examples

WINDOW = Window(date(2026, 9, 16), date(2026, 10, 15))
MIDDLE = "2026-10-01T12:00:00"


def judged(
    outcome: StandingOutcome = "valid",
    reason: str | None = None,
    promised: str = MIDDLE,
    *,
    ambiguous: bool = False,
    is_scanned: bool = True,
    has_number: bool = True,
    is_promise_known: bool = True,
) -> Judged:
    """A shipment, by default valid and promised for the middle of the window."""
    promise = at(promised)
    shipped = order("DE", (promise - timedelta(days=3)).isoformat())
    shipped.shipped_at = promise - timedelta(days=3) if is_promise_known else promise
    shipped.promised_delivery_by = promise
    standing = Standing(outcome=outcome, reason=reason, ambiguous=ambiguous)
    by_scan = standing if is_scanned or outcome != "valid" else Standing(outcome="defect", reason="no_scan")
    return Judged(shipped, standing, by_scan, has_number)


def theirs(counted: int | None, valid: int | None) -> Theirs:
    return Theirs(
        marketplace="DE",
        category=None,
        from_=WINDOW.from_,
        to=WINDOW.to,
        counted=counted,
        valid=valid,
        rate=None,
        status=None,
        target=None,
        notes=(),
    )


def bridges(said: Theirs, shipments: list[Judged]) -> tuple[Bridge | None, Bridge | None]:
    ours = counts(each for each in shipments if WINDOW.has(each.promised))
    counted = counted_bridge(said, ours, shipments, WINDOW)
    return counted, defects_bridge(said, ours, shipments, WINDOW, counted)


def steps(bridge: Bridge | None) -> list[tuple[str, int]]:
    assert bridge is not None
    return [(step.reason or step.cause, step.n) for step in bridge.steps]


NO_TRACKING = judged("pending", "no_tracking", has_number=False)
LETTER = judged("exempt", "low_value_letter", has_number=False)
CHEAP = judged("exempt", "low_value")
AFN = judged("exempt", "marketplace_fulfilled", has_number=False)


def test_the_vtr_is_rounded_as_metrics_are() -> None:
    assert counts([judged()] * 29 + [judged("defect", "no_carrier")] * 3).vtr == 0.9063, "of 0.90625"


def test_the_same_number_needs_no_steps() -> None:
    counted, defects = bridges(theirs(2, 1), [judged(), judged("defect", "no_carrier"), LETTER, AFN])
    assert steps(counted) == [("low_value_letter", 0)]
    assert steps(defects) == []


def test_what_is_left_out_here_may_be_counted_there() -> None:
    counted, defects = bridges(theirs(4, 2), [judged(), NO_TRACKING, LETTER, LETTER, CHEAP, AFN])
    assert steps(counted) == [("no_tracking", -1), ("low_value", -1), ("low_value_letter", -1)]
    assert steps(defects) == [("no_tracking", -1), ("low_value_letter", -1)]


def test_what_nothing_explains_is_said() -> None:
    counted, defects = bridges(theirs(9, 5), [judged(), judged(is_scanned=False), AFN])
    assert steps(counted) == [("not_explained", -7)]
    assert steps(defects) == [("unscanned", -1), ("not_explained", -3)]


def test_what_we_count_and_they_may_not() -> None:
    shipments = [
        judged(),
        judged("defect", "no_carrier", ambiguous=True),
        judged(promised="2026-09-16T13:59:59"),
        judged(promised="2026-10-15T10:00:00"),
        judged(promised="2026-10-15T09:59:59"),
        judged("defect", "no_tracking", is_promise_known=False),
    ]
    counted, defects = bridges(theirs(1, 1), shipments)
    assert steps(counted) == [("ambiguous", 1), ("promise_unknown", 1), ("window_edge", 2), ("not_explained", 1)]
    assert steps(defects) == [("ambiguous", 1), ("promise_unknown", 1)]


def test_what_lies_just_outside_may_be_inside_there() -> None:
    shipments = [
        judged(promised="2026-10-16T13:59:59"),
        judged("defect", "no_carrier", promised="2026-09-15T10:00:00"),
        judged(promised="2026-09-15T09:59:59"),
        judged(promised="2026-10-16T14:00:00"),
        judged(promised="2026-09-12T09:00:00", is_promise_known=False),
        judged("exempt", "low_value", promised="2026-10-16T00:00:00"),
    ]
    counted, defects = bridges(theirs(4, 1), shipments)
    assert steps(counted) == [("promise_unknown", -1), ("window_edge", -2), ("not_explained", -1)]
    assert steps(defects) == [("window_edge", -1), ("not_explained", -2)]


@pytest.mark.parametrize(("counted", "valid"), [(None, 3), (None, None)])
def test_without_a_count_there_is_nothing_to_add_up(counted: int | None, valid: int | None) -> None:
    assert bridges(theirs(counted, valid), [judged()]) == (None, None)


def test_without_valid_ones_there_are_no_defects_to_add_up() -> None:
    counted, defects = bridges(theirs(3, None), [judged()])
    assert steps(counted) == [("not_explained", -2)]
    assert defects is None


Kind = Literal["valid", "defect", "pending", "exempt"]
REASONS: dict[Kind, list[str | None]] = {
    "valid": [None],
    "defect": ["no_carrier", "no_tracking"],
    "pending": ["no_tracking", "no_scan"],
    "exempt": ["low_value", "low_value_letter", "marketplace_fulfilled"],
}


@st.composite
def shipments(draw: st.DrawFn) -> Judged:
    outcome = draw(st.sampled_from(sorted(REASONS)))
    return judged(
        outcome,
        draw(st.sampled_from(REASONS[outcome])),
        draw(st.sampled_from([MIDDLE, "2026-09-16T01:00:00", "2026-10-16T01:00:00", "2026-09-01"])),
        ambiguous=draw(st.booleans()),
        is_scanned=draw(st.booleans()),
        has_number=draw(st.booleans()),
        is_promise_known=draw(st.booleans()),
    )


@given(st.lists(shipments(), max_size=12), st.integers(0, 14), st.data())
@examples(60)
def test_it_adds_up(own: list[Judged], counted: int, data: st.DataObject) -> None:
    said = theirs(counted, data.draw(st.integers(0, counted)))
    ours = counts(each for each in own if WINDOW.has(each.promised))
    for bridge, start, end in zip(
        bridges(said, own), (said.counted, said.defects), (ours.counted, ours.defects), strict=True
    ):
        assert bridge is not None
        assert (bridge.theirs, bridge.ours) == (start, end)
        assert bridge.theirs + sum(step.n for step in bridge.steps) == bridge.ours
        assert len({step.n > 0 for step in bridge.steps if step.n}) <= 1
        assert all(step.of is None or abs(step.n) <= step.of for step in bridge.steps)
        rest = [step for step in bridge.steps if step.cause == "not_explained"]
        assert not rest or all(step.of is None or abs(step.n) == step.of for step in bridge.steps)
