"""The two sliding windows, at their edges."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.engine.scope import ScopeState, counts, rate
from stream.engine.window import Agenda, Buckets, Kinds, Leaf, Span
from stream.policy import Outcome, Verdict
from stream.records import Scope
from tests.test_status import levels

VALID = Verdict(Outcome.VALID)
DEFECT = Verdict(Outcome.DEFECT, "no_carrier", "DHL")
EXEMPT = Verdict(Outcome.EXEMPT, "digital")
AWAITING = Verdict(Outcome.AWAITING, "no_tracking", "DHL", grace_hours=24)

LAG = 10
DAY = 20_000
NOW = DAY * 24 + 9
"""Any hour that is no midnight."""


# --- Buckets ---------------------------------------------------------------------------------------------------------


def test_a_kind_is_new_on_a_unit_once() -> None:
    buckets = Buckets()
    assert buckets.add(5, 0, 1)
    assert not buckets.add(5, 0, 2)
    assert buckets.add(5, 1, 1)
    assert buckets.add(6, 0, 1)
    assert sorted(buckets) == [(5, 0, 3), (5, 1, 1), (6, 0, 1)]
    assert sorted(buckets.on(5)) == [(0, 3), (1, 1)]
    assert buckets.on(7) == []


def test_what_is_taken_away_is_forgotten() -> None:
    buckets = Buckets()
    buckets.add(5, 0, 3)
    buckets.remove(5, 0, 2)
    assert list(buckets) == [(5, 0, 1)]
    assert not buckets.is_empty()
    buckets.remove(5, 0)
    assert buckets.is_empty()
    assert list(buckets) == []
    assert buckets.on(5) == []
    assert buckets.add(5, 0), "as if it had never been there"


def test_a_unit_is_dropped_whole_and_alone() -> None:
    buckets = Buckets()
    for unit, kind, n in [(5, 0, 3), (5, 1, 1), (6, 1, 4)]:
        buckets.add(unit, kind, n)
    assert sorted(buckets.drop(5)) == [(0, 3), (1, 1)]
    assert buckets.drop(5) == []
    assert list(buckets) == [(6, 1, 4)]


@pytest.mark.parametrize(("unit", "kind", "n"), [(5, 1, 1), (6, 0, 1), (5, 0, 3)])
def test_what_is_not_there_cannot_be_taken_away(unit: int, kind: int, n: int) -> None:
    buckets = Buckets()
    buckets.add(5, 0, 2)
    with pytest.raises((KeyError, RuntimeError)):
        buckets.remove(unit, kind, n)


def test_units_and_kinds_do_not_run_together() -> None:
    buckets = Buckets()
    slots = [(unit, kind) for unit in (0, 1, 2**32 - 1) for kind in (0, 1, 2**24 - 1)]
    for n, (unit, kind) in enumerate(slots, start=1):
        assert buckets.add(unit, kind, n)
    assert sorted(buckets) == sorted((unit, kind, n) for n, (unit, kind) in enumerate(slots, start=1))


# --- Kinds, spans, rates ---------------------------------------------------------------------------------------------


def test_kinds_are_numbered_as_they_are_met() -> None:
    kinds = Kinds()
    assert [kinds.number(verdict) for verdict in (VALID, AWAITING, VALID, DEFECT)] == [0, 1, 0, 2]
    assert kinds.verdicts == [VALID, AWAITING, DEFECT]
    late = kinds.after_grace(1)
    assert kinds.verdicts[late] == Verdict(Outcome.DEFECT, "no_tracking", "DHL")
    assert kinds.after_grace(1) == late
    assert kinds.outcomes == [verdict.outcome for verdict in kinds.verdicts]


@pytest.mark.parametrize(
    ("hour", "last_day"), [(DAY * 24, DAY - 10), (DAY * 24 + 23, DAY - 10), (DAY * 24 - 1, DAY - 11)]
)
def test_a_span_is_of_720_hours_and_30_days(hour: int, last_day: int) -> None:
    span = Span(LAG, hour)
    assert (span.first_hour, span.last_hour) == (hour - 719, hour)
    assert (span.first_day, span.last_day) == (last_day - 29, last_day)


@pytest.mark.parametrize("hour", range(DAY * 24 - 1, DAY * 24 + 2))
def test_when_hours_and_days_enter_and_leave(hour: int) -> None:
    span = Span(LAG, hour)
    leaving, entering_day, leaving_day = (
        span.hour_leaving(hour),
        span.hour_entering_day(DAY),
        span.hour_leaving_day(DAY),
    )
    assert Span(LAG, leaving - 1).first_hour == hour
    assert Span(LAG, leaving).first_hour == hour + 1
    assert Span(LAG, entering_day - 1).last_day == DAY - 1
    assert Span(LAG, entering_day).last_day == DAY
    assert Span(LAG, leaving_day - 1).first_day == DAY
    assert Span(LAG, leaving_day).first_day == DAY + 1


@pytest.mark.parametrize(
    ("valid", "counted", "expected"),
    [(0, 0, None), (0, 1, 0.0), (1, 1, 1.0), (172, 180, 0.9556), (19, 20, 0.95), (1, 20_000, 0.0001), (1, 20_001, 0.0)],
)
def test_rates_have_four_decimals_halves_up(valid: int, counted: int, expected: float | None) -> None:
    assert rate(valid, counted) == expected
    sums = counts([valid, counted - valid, 7, 3])
    assert (sums.counted, sums.valid, sums.defects) == (counted, valid, counted - valid)
    assert (sums.pending, sums.exempt, sums.vtr) == (7, 3, expected)


# --- Leaf ------------------------------------------------------------------------------------------------------------


class Window:
    """A leaf, its scope's sums, and time that passes as in the engine, which asks a leaf only when it is due."""

    def __init__(self, now: int = NOW) -> None:
        self.span = Span(LAG, now)
        self.scope = ScopeState(Scope("A"), levels(), "ok", "")
        self.agenda: Agenda = {}
        self.leaf = Leaf((self.scope,), Kinds(), self.span, self.agenda)

    def add(self, hour: int, verdict: Verdict = VALID, n: int = 1, day: int = 0) -> None:
        for _ in range(n):
            self.leaf.recount(hour, day, None, verdict)

    def pass_to(self, hour: int) -> None:
        for passing in range(self.span.last_hour + 1, hour + 1):
            self.span.move(passing)
            for leaf in self.agenda.pop(passing, {}):
                leaf.pass_hour(passing)

    @property
    def sums(self) -> tuple[list[int], list[int]]:
        return self.scope.live, self.scope.official


NONE = [0, 0, 0, 0]
ONE_VALID = [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("hour", "live", "due"),
    [
        (NOW - 720, NONE, []),
        (NOW - 719, ONE_VALID, [NOW + 1]),
        (NOW, ONE_VALID, [NOW + 720]),
        (NOW + 1, NONE, [NOW + 1, NOW + 721]),
    ],
)
def test_the_edges_of_the_live_window(hour: int, live: list[int], due: list[int]) -> None:
    window = Window()
    window.add(hour)
    assert window.sums == (live, NONE)
    assert sorted(window.agenda) == due


@pytest.mark.parametrize(
    ("day", "official", "due"),
    [
        (DAY - LAG - 30, NONE, []),
        (DAY - LAG - 29, ONE_VALID, [(DAY + 1) * 24]),
        (DAY - LAG, ONE_VALID, [(DAY + 30) * 24]),
        (DAY - LAG + 1, NONE, [(DAY + 1) * 24, (DAY + 31) * 24]),
    ],
)
def test_the_edges_of_the_official_window(day: int, official: list[int], due: list[int]) -> None:
    window = Window()
    window.add(0, day=day)
    assert sorted(window.agenda) == due
    assert window.sums == (NONE, official)


def test_an_hour_ahead_enters_and_leaves() -> None:
    window = Window()
    window.add(NOW + 1, DEFECT)
    window.pass_to(NOW + 1)
    assert window.sums == ([0, 1, 0, 0], NONE)
    window.pass_to(NOW + 720)
    assert window.sums == ([0, 1, 0, 0], NONE)
    window.pass_to(NOW + 721)
    assert window.sums == (NONE, NONE)
    assert window.leaf.is_empty()


def test_a_day_ahead_enters_and_leaves_at_midnight() -> None:
    window = Window()
    window.add(0, EXEMPT, day=DAY - LAG + 1)
    for hour, official in [(DAY * 24 + 23, NONE), (DAY * 24 + 24, [0, 0, 0, 1])]:
        window.pass_to(hour)
        assert window.sums == (NONE, official)
    for hour, official in [((DAY + 31) * 24 - 1, [0, 0, 0, 1]), ((DAY + 31) * 24, NONE)]:
        window.pass_to(hour)
        assert window.sums == (NONE, official)
    assert window.leaf.is_empty()


@pytest.mark.parametrize("grace", [0, 1, 24])
def test_grace_ends_with_the_hour_it_names(grace: int) -> None:
    window, awaiting = Window(), AWAITING._replace(grace_hours=grace)
    end = NOW + 1 + grace
    window.add(NOW, awaiting, day=DAY - LAG)
    window.pass_to(end - 1)
    assert window.sums == ([0, 0, 1, 0], [0, 0, 1, 0])
    window.pass_to(end)
    assert window.sums == ([0, 1, 0, 0], [0, 1, 0, 0])
    assert [(verdict.reason, n) for verdict, n in window.leaf.live_defects()] == [("no_tracking", 1)]


@pytest.mark.parametrize("shipped", [NOW - 26, NOW - 25, NOW - 24, NOW, NOW + 3])
@pytest.mark.parametrize("passed", [0, 1, 24, 25, 26, 719, 721])
def test_what_was_added_can_be_taken_away_at_any_time(shipped: int, passed: int) -> None:
    window = Window()
    window.add(shipped, AWAITING, day=DAY - LAG)
    window.pass_to(NOW + passed)
    window.leaf.recount(shipped, DAY - LAG, AWAITING, None)
    assert window.sums == (NONE, NONE)
    assert window.leaf.is_empty()
    window.pass_to(NOW + 1000)
    assert window.sums == (NONE, NONE), "nothing was left to come due"


@pytest.mark.parametrize("passed", [0, 1, 24, 25, 26, 719, 720, 721])
@pytest.mark.parametrize(
    ("before", "after"), [(AWAITING, VALID), (VALID, AWAITING), (AWAITING, EXEMPT), (DEFECT, VALID)]
)
def test_a_verdict_may_change_at_any_time(before: Verdict, after: Verdict, passed: int) -> None:
    window, anew = Window(), Window(NOW + passed)
    window.add(NOW, before, 3, day=DAY - LAG)
    window.pass_to(NOW + passed)
    window.leaf.recount(NOW, DAY - LAG, before, after)
    anew.add(NOW, before, 2, day=DAY - LAG)
    anew.add(NOW, after, day=DAY - LAG)
    assert window.sums == anew.sums


def test_live_defects_are_those_inside_the_window() -> None:
    window = Window()
    for hour, n in [(NOW - 720, 1), (NOW - 719, 2), (NOW, 4), (NOW + 1, 8)]:
        window.add(hour, DEFECT, n, day=DAY)
    window.add(NOW, VALID, 16)
    assert sorted(window.leaf.live_defects()) == [(DEFECT, 2), (DEFECT, 4)]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(-800, 60), st.integers(-45, 3), st.sampled_from([VALID, DEFECT, AWAITING]))),
    st.integers(1, 40),
)
def test_passing_hours_and_counting_anew_agree(added: list[tuple[int, int, Verdict]], passed: int) -> None:
    window, anew = Window(), Window(NOW + passed)
    for hour, day, verdict in added:
        window.add(NOW + hour, verdict, day=DAY + day)
        anew.add(NOW + hour, verdict, day=DAY + day)
    window.pass_to(NOW + passed)
    assert window.sums == anew.sums
