"""The two sliding windows, at their edges."""

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.engine.recount import Recount
from stream.engine.scope import ScopeState, Totals, counts, rate
from stream.engine.window import Counted, Kinds, Windows
from stream.policy import Outcome, Verdict
from stream.policy.verdict import MAX_GRACE_HOURS
from stream.records import Scope
from stream.shipment import EPOCH
from stream.span import Span, keep_until
from tests.test_shipment import SHIPPED, merged
from tests.test_status import levels

VALID = Verdict(Outcome.VALID)
DEFECT = Verdict(Outcome.DEFECT, "no_carrier", "DHL")
EXEMPT = Verdict(Outcome.EXEMPT, "digital")
AMBIGUOUS = Verdict(Outcome.VALID, ambiguous=True)
AWAITING = Verdict(Outcome.AWAITING, "no_tracking", "DHL", grace_hours=24)

LAG = 10
DAY = 20_000
NOW = DAY * 24 + 9
"""Any hour that is no midnight."""


# --- Kinds, spans, rates ---------------------------------------------------------------------------------------------


def test_kinds_are_numbered_as_they_are_met() -> None:
    kinds = Kinds()
    assert [kinds.number(verdict) for verdict in (VALID, AWAITING, VALID, DEFECT)] == [0, 1, 0, 2]
    assert kinds.verdicts == [VALID, AWAITING, DEFECT]
    late = kinds.after_grace(1)
    assert kinds.awaiting == {24: {1}}
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


@pytest.mark.parametrize(
    ("hour", "day", "behind"),
    [
        (NOW - 719, DAY - LAG - 30, False),
        (NOW - 720, DAY - LAG - 29, False),
        (NOW - 720, DAY - LAG - 30, True),
        (NOW + 1, DAY + 5, False),
    ],
)
def test_what_both_windows_have_left_is_behind(hour: int, day: int, behind: bool) -> None:
    assert Span(LAG, NOW).is_behind(hour, day) is behind


@pytest.mark.parametrize("hour", range(DAY * 24 - 1, DAY * 24 + 2))
@pytest.mark.parametrize("promised_days", [-3, 0, 5, 40])
def test_a_shipment_is_kept_until_no_window_and_no_correction_needs_it(hour: int, promised_days: int) -> None:
    at = EPOCH + timedelta(hours=hour)
    shipped = replace(SHIPPED, event_time=at, shipped_at=at, promised_delivery_by=at + timedelta(days=promised_days))
    until = keep_until(merged(shipped), LAG)
    day = hour // 24 + promised_days
    assert until == max(hour + 960, next(h for h in count(hour) if Span(LAG, h).is_behind(hour, day)))
    # An event of that time is refused from then on, unless a window needs it.
    assert at < Span(LAG, until).horizon
    assert at >= Span(LAG, hour + 959).horizon


@pytest.mark.parametrize(
    ("valid", "counted", "expected"),
    [(0, 0, None), (0, 1, 0.0), (1, 1, 1.0), (172, 180, 0.9556), (19, 20, 0.95), (1, 20_000, 0.0001), (1, 20_001, 0.0)],
)
def test_rates_have_four_decimals_halves_up(valid: int, counted: int, expected: float | None) -> None:
    assert rate(valid, counted) == expected
    sums = counts((valid, counted - valid, 7, 3, 1))
    assert (sums.counted, sums.valid, sums.defects) == (counted, valid, counted - valid)
    assert (sums.pending, sums.exempt, sums.ambiguous, sums.vtr) == (7, 3, 1, expected)


# --- Windows ---------------------------------------------------------------------------------------------------------


class Window:
    """The windows of one leaf, its scope's sums, and time that passes as in the engine."""

    def __init__(self, now: int = NOW) -> None:
        self.span = Span(LAG, now)
        self.scope = ScopeState(Scope("A"), levels(), "ok", "")
        self.windows = Windows(self.span)
        self.leaf = self.windows.new_leaf((self.scope,))
        self.touched: list[int] = []
        """The hours at which the sums of the leaf changed as they passed."""

    def add(self, hour: int, verdict: Verdict = VALID, n: int = 1, day: int = 0) -> Counted:
        for _ in range(n):
            counted = Counted(SHIPPED, self.leaf, hour, day, self.windows.kinds.number(verdict))
            self.windows.add(counted)
        return counted

    def change(self, counted: Counted, verdict: Verdict) -> None:
        self.windows.change(counted, self.windows.kinds.number(verdict))

    def pass_to(self, hour: int) -> None:
        for passing in range(self.span.last_hour + 1, hour + 1):
            if list(self.windows.pass_hour(passing)):
                self.touched.append(passing)

    @property
    def sums(self) -> tuple[Totals, Totals]:
        return self.scope.live.totals(), self.scope.official.totals()

    @property
    def defects(self) -> dict[Verdict, int]:
        return {self.windows.kinds.verdicts[kind]: n for kind, n in (self.scope.defects or {}).items()}


NONE = (0, 0, 0, 0, 0)
ONE_VALID = (1, 0, 0, 0, 0)
ONE_DEFECT = (0, 1, 0, 0, 0)
ONE_PENDING = (0, 0, 1, 0, 0)
ONE_EXEMPT = (0, 0, 0, 1, 0)


@pytest.mark.parametrize(
    ("hour", "live", "touched"),
    [
        (NOW - 720, NONE, []),
        (NOW - 719, ONE_VALID, [NOW + 1]),
        (NOW, ONE_VALID, [NOW + 720]),
        (NOW + 1, NONE, [NOW + 1, NOW + 721]),
    ],
)
def test_the_edges_of_the_live_window(hour: int, live: Totals, touched: list[int]) -> None:
    window = Window()
    window.add(hour)
    assert window.sums == (live, NONE)
    window.pass_to(NOW + 1000)
    assert window.touched == touched
    assert window.leaf.size == 0


@pytest.mark.parametrize(
    ("day", "official", "touched"),
    [
        (DAY - LAG - 30, NONE, []),
        (DAY - LAG - 29, ONE_VALID, [(DAY + 1) * 24]),
        (DAY - LAG, ONE_VALID, [(DAY + 30) * 24]),
        (DAY - LAG + 1, NONE, [(DAY + 1) * 24, (DAY + 31) * 24]),
    ],
)
def test_the_edges_of_the_official_window(day: int, official: Totals, touched: list[int]) -> None:
    window = Window()
    window.add(0, day=day)
    assert window.sums == (NONE, official)
    window.pass_to(NOW + 1000)
    assert window.touched == touched
    assert window.leaf.size == 0


def test_an_hour_ahead_enters_and_leaves() -> None:
    window = Window()
    window.add(NOW + 1, DEFECT)
    for hour, live in [(NOW + 1, ONE_DEFECT), (NOW + 720, ONE_DEFECT), (NOW + 721, NONE)]:
        window.pass_to(hour)
        assert window.sums == (live, NONE)
        assert window.defects == ({DEFECT: 1} if live[1] else {})
    assert window.leaf.size == 0


def test_a_day_ahead_enters_and_leaves_at_midnight() -> None:
    window = Window()
    window.add(0, EXEMPT, day=DAY - LAG + 1)
    for hour, official in [(DAY * 24 + 23, NONE), (DAY * 24 + 24, ONE_EXEMPT)]:
        window.pass_to(hour)
        assert window.sums == (NONE, official)
    for hour, official in [((DAY + 31) * 24 - 1, ONE_EXEMPT), ((DAY + 31) * 24, NONE)]:
        window.pass_to(hour)
        assert window.sums == (NONE, official)
    assert window.leaf.size == 0


@pytest.mark.parametrize("grace", [0, 1, 24, MAX_GRACE_HOURS])
def test_grace_ends_with_the_hour_it_names(grace: int) -> None:
    window, awaiting = Window(), AWAITING._replace(grace_hours=grace)
    end = NOW + 1 + grace
    window.add(NOW, awaiting, day=DAY + 15)
    for hour, sums in [(end - 1, ONE_PENDING), (end, ONE_DEFECT)]:
        window.pass_to(hour)
        assert window.sums == (sums, sums if hour >= (DAY + 15 + LAG) * 24 else NONE)
    assert window.defects == {Verdict(Outcome.DEFECT, "no_tracking", "DHL"): 1}


@pytest.mark.parametrize("shipped", [NOW - 26, NOW - 25, NOW - 24, NOW, NOW + 3])
@pytest.mark.parametrize("passed", [0, 1, 24, 25, 26, 719, 721])
def test_what_was_added_can_be_taken_away_at_any_time(shipped: int, passed: int) -> None:
    window = Window()
    counted = window.add(shipped, AWAITING, day=DAY - LAG)
    window.pass_to(NOW + passed)
    window.windows.remove(counted)
    assert window.sums == (NONE, NONE)
    assert window.leaf.size == 0
    assert window.defects == {}
    window.touched.clear()
    window.pass_to(NOW + 1000)
    assert window.sums == (NONE, NONE)
    assert window.touched == [], "nothing was left to come due"


@pytest.mark.parametrize("passed", [0, 1, 24, 25, 26, 719, 720, 721])
@pytest.mark.parametrize(
    ("before", "after"),
    [(AWAITING, VALID), (VALID, AWAITING), (AWAITING, EXEMPT), (DEFECT, VALID), (AMBIGUOUS, VALID), (VALID, AMBIGUOUS)],
)
def test_a_verdict_may_change_at_any_time(before: Verdict, after: Verdict, passed: int) -> None:
    window, anew = Window(), Window(NOW + passed)
    counted = window.add(NOW, before, 3, day=DAY - LAG)
    window.pass_to(NOW + passed)
    window.change(counted, after)
    anew.add(NOW, before, 2, day=DAY - LAG)
    anew.add(NOW, after, day=DAY - LAG)
    assert window.sums == anew.sums
    assert window.defects == anew.defects


def test_what_is_taken_away_must_have_been_there() -> None:
    window = Window()
    counted = window.add(NOW)
    window.windows.remove(counted)
    with pytest.raises(KeyError):
        window.windows.remove(counted)


def test_defects_are_those_inside_the_window() -> None:
    window = Window()
    for hour, n in [(NOW - 720, 1), (NOW - 719, 2), (NOW, 4), (NOW + 1, 8)]:
        window.add(hour, DEFECT, n, day=DAY)
    window.add(NOW, VALID, 16)
    assert window.defects == {DEFECT: 6}


def test_the_ambiguous_are_counted_twice_and_only_where_they_count() -> None:
    window = Window()
    window.add(NOW, AMBIGUOUS)
    window.add(NOW, DEFECT._replace(ambiguous=True))
    window.add(NOW, AWAITING._replace(ambiguous=True))
    window.add(NOW, EXEMPT._replace(ambiguous=True))
    assert window.scope.live.totals() == (1, 1, 1, 1, 2)
    window.pass_to(NOW + 25)
    assert window.scope.live.totals() == (1, 2, 0, 1, 3)
    window.pass_to(NOW + 720)
    assert window.scope.live.totals() == NONE


def test_leaves_do_not_run_together() -> None:
    """Leaf, day and kind share one integer."""
    window = Window()
    others = [window.windows.new_leaf((ScopeState(Scope(f"B{n}"), levels(), "ok", ""),)) for n in range(3)]
    kinds = [window.windows.kinds.number(DEFECT._replace(carrier=str(n))) for n in range(300)]
    for leaf in others:
        for day in (0, 1, DAY, 2**17 - 1):
            window.windows.add(Counted(SHIPPED, leaf, NOW, day, kinds[-1]))
    window.add(NOW, day=2**17 - 1)
    assert [leaf.scopes[0].live.defects for leaf in others] == [4, 4, 4]
    assert window.scope.live.totals() == ONE_VALID
    window.pass_to(NOW + 720)
    assert [leaf.scopes[0].live.defects for leaf in others] == [0, 0, 0]


HISTORIES = st.lists(
    st.tuples(st.integers(-800, 60), st.integers(-45, 3), st.sampled_from([VALID, DEFECT, AWAITING, AMBIGUOUS]))
)


@settings(deadline=None, max_examples=25)
@given(HISTORIES, st.integers(1, 40))
def test_passing_hours_and_counting_anew_agree(added: list[tuple[int, int, Verdict]], passed: int) -> None:
    window, anew, begun = Window(), Window(NOW + passed), Window(0)
    for hour, day, verdict in added:
        for each in (window, anew, begun):
            each.add(NOW + hour, verdict, day=DAY + day)
    window.pass_to(NOW + passed)
    begun.windows.begin(NOW + passed)
    assert window.sums == anew.sums == begun.sums
    assert window.defects == anew.defects == begun.defects
    assert window.leaf.size == anew.leaf.size == begun.leaf.size


@pytest.mark.parametrize("verdict", [VALID, DEFECT, AWAITING, AMBIGUOUS])
@pytest.mark.parametrize("hour", [NOW - 720, NOW - 719, NOW - 26, NOW - 25, NOW - 24, NOW, NOW + 1])
@pytest.mark.parametrize("day", [DAY - LAG - 30, DAY - LAG - 29, DAY - LAG, DAY - LAG + 1])
def test_a_recount_gives_what_adding_gives(hour: int, day: int, verdict: Verdict) -> None:
    window, anew = Window(), Window()
    window.add(hour, verdict, 2, day=day)
    recount = Recount(anew.windows)
    for _ in range(2):
        recount.add(anew.leaf, hour, day, anew.windows.kinds.number(verdict))
    anew.windows.hold(recount.hours, recount.days)
    for each in (window, anew):
        each.pass_to(NOW + 1)
    assert (window.sums, window.defects, window.leaf.size) == (anew.sums, anew.defects, anew.leaf.size)
    assert (window.windows._hours, window.windows._days) == (anew.windows._hours, anew.windows._days)
    window.pass_to(NOW + 1000)
    anew.pass_to(NOW + 1000)
    assert (window.touched, window.sums, window.leaf.size) == (anew.touched, anew.sums, anew.leaf.size)
