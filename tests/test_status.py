"""When a status changes, at the exact boundaries, and how far it is from changing, against brute force."""

from fractions import Fraction
from itertools import count

import pytest

from stream.engine.settings import EngineSettings
from stream.engine.status import Levels
from stream.policy import Standard
from stream.records import Status

STATUSES: list[Status] = ["ok", "at_risk", "breached"]


def levels(
    threshold: str = "0.95", warn: str = "0.97", margin: str = "0.005", *, passes: bool = True, min_counted: int = 20
) -> Levels:
    settings = EngineSettings(
        source="vtr",
        warn_level=Fraction(warn),
        recover_margin=Fraction(margin),
        min_counted=min_counted,
        passes_at_threshold=passes,
        lag_days=10,
    )
    return Levels(Standard(Fraction(threshold), "rules"), settings)


# --- Changes ---------------------------------------------------------------------------------------------------------

TRANSITIONS: list[tuple[Status, int, Status]] = [
    # From, valid in a thousand, to. A status worsens at once ...
    ("ok", 1000, "ok"),
    ("ok", 970, "ok"),
    ("ok", 969, "at_risk"),
    ("ok", 950, "at_risk"),
    ("ok", 949, "breached"),
    ("ok", 0, "breached"),
    ("at_risk", 950, "at_risk"),
    ("at_risk", 949, "breached"),
    # ... and improves with a margin, to the status that the rate has.
    ("at_risk", 970, "at_risk"),
    ("at_risk", 974, "at_risk"),
    ("at_risk", 975, "ok"),
    ("breached", 949, "breached"),
    ("breached", 950, "breached"),
    ("breached", 954, "breached"),
    ("breached", 955, "at_risk"),
    ("breached", 969, "at_risk"),
    ("breached", 970, "ok"),
]


@pytest.mark.parametrize(("current", "valid", "expected"), TRANSITIONS)
def test_transitions(current: Status, valid: int, expected: Status) -> None:
    assert levels().status(current, valid, 1000) == expected


@pytest.mark.parametrize(("current", "valid", "expected"), TRANSITIONS)
def test_boundaries_are_of_whole_numbers(current: Status, valid: int, expected: Status) -> None:
    # A rate this close to a boundary is on it for a float, and would be either way for one that is rounded.
    many = 10**15
    assert levels().status(current, valid * many, 1000 * many) == expected
    for boundary in (950, 955, 970, 975):
        below = levels().status(current, boundary * many - 1, 1000 * many)
        assert below == levels().status(current, boundary - 1, 1000)


@pytest.mark.parametrize(
    ("current", "valid", "expected"),
    [("ok", 951, "at_risk"), ("ok", 950, "breached"), ("at_risk", 950, "breached"), ("breached", 955, "at_risk")],
)
def test_a_rate_on_the_threshold_may_fail(current: Status, valid: int, expected: Status) -> None:
    assert levels(passes=False).status(current, valid, 1000) == expected


@pytest.mark.parametrize(("passes", "on_it"), [(True, "ok"), (False, "breached")])
def test_a_warn_level_on_the_threshold(passes: bool, on_it: Status) -> None:
    same = levels(warn="0.95", passes=passes)
    assert same.status("ok", 950, 1000) == on_it
    assert same.status("ok", 951, 1000) == "ok"
    assert same.status("ok", 949, 1000) == "breached"


@pytest.mark.parametrize("current", STATUSES)
def test_a_perfect_rate_recovers_however_large_the_margin(current: Status) -> None:
    assert levels(margin="0.9").status(current, 20, 20) == "ok"
    assert levels(margin="0.9").status(current, 999, 1000) == current


@pytest.mark.parametrize("current", STATUSES)
@pytest.mark.parametrize("valid", [0, 10, 19])
def test_few_counted_keep_the_status(current: Status, valid: int) -> None:
    assert levels().status(current, valid, 19) == current


@pytest.mark.parametrize("current", STATUSES)
def test_enough_counted_change_it(current: Status) -> None:
    assert levels().status(current, 0, 20) == "breached"
    assert levels().status(current, 20, 20) == "ok"
    assert levels(min_counted=0).status(current, 0, 1) == "breached"


@pytest.mark.parametrize("current", STATUSES)
@pytest.mark.parametrize("min_counted", [0, 20])
def test_none_counted_is_ok(current: Status, min_counted: int) -> None:
    assert levels(min_counted=min_counted).status(current, 0, 0) == "ok"


# --- How far from a change -------------------------------------------------------------------------------------------

PAIRS = [(valid, counted) for counted in range(61) for valid in range(counted + 1)]


def fails(rate: Fraction, threshold: str, passes: bool) -> bool:
    return rate < Fraction(threshold) or (rate == Fraction(threshold) and not passes)


@pytest.mark.parametrize("threshold", ["0.95", "0.75", "1"])
@pytest.mark.parametrize("passes", [True, False])
def test_the_allowance_is_how_many_defects_the_rate_bears(threshold: str, passes: bool) -> None:
    own = levels(threshold, "1", passes=passes)
    for valid, counted in PAIRS:
        # One more defect at a time, until the rate fails.
        bears = next(n for n in count() if fails(Fraction(valid, counted + n + 1), threshold, passes))
        assert own.allowance("ok", valid, counted) == own.allowance("at_risk", valid, counted) == bears
        assert own.allowance("breached", valid, counted) == 0


@pytest.mark.parametrize("threshold", ["0.95", "0.75"])
@pytest.mark.parametrize("margin", ["0.005", "0"])
@pytest.mark.parametrize("passes", [True, False])
@pytest.mark.parametrize("min_counted", [0, 20])
def test_so_many_valid_shipments_end_a_breach(threshold: str, margin: str, passes: bool, min_counted: int) -> None:
    own = levels(threshold, margin=margin, passes=passes, min_counted=min_counted)
    for valid, counted in PAIRS[1:]:  # with none counted there is no breach
        needed = own.needed_to_recover("breached", valid, counted)
        assert own.status("breached", valid + needed, counted + needed) != "breached", (valid, counted, needed)
        if needed:  # the rate only grows, so one fewer stands for all fewer
            assert own.status("breached", valid + needed - 1, counted + needed - 1) == "breached"
        assert own.needed_to_recover("ok", valid, counted) == own.needed_to_recover("at_risk", valid, counted) == 0


def test_where_only_a_rate_of_1_recovers_the_defects_must_be_replaced() -> None:
    own = levels("0.95", margin="0.05")
    for valid, counted in PAIRS[1:]:
        needed = own.needed_to_recover("breached", valid, counted)
        assert needed == max(counted - valid, 20 - counted)
        if counted >= 20:
            assert own.status("breached", valid + needed, counted) != "breached"


def test_without_threshold_there_is_no_allowance_to_name() -> None:
    assert levels("0").allowance("ok", 5, 5) == 0
