"""Windows that are kept over a restart: an engine that goes on with them is one that was restored from its rows."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from stream.engine import Engine, EngineSettings, KeptWindows
from stream.engine.kept import DamagedWindowsError, pack, unpack
from stream.engine.window import _DAY_MASK, _KIND_BITS, _KIND_MASK, _LEAF_SHIFT, _MANY_KINDS, _MANY_LEAVES
from stream.policy import Policy
from stream.records import Metric, Scope
from stream.state import MemoryStore
from tests.simple_policy import SimplePolicy
from tests.test_engine_properties import (
    DAY,
    HOUR,
    MIDNIGHT,
    Case,
    Run,
    Step,
    StrictPolicy,
    cases,
    examples,
    run_of,
    shipments,
    shipped,
)


class OpenPolicy(StrictPolicy):
    """Strict, with verdicts that the rules leave open, but not about numbers that are used again."""

    judges_reuse = False


class Keeping(Run):
    """A run that may be restored from kept windows, and from its rows."""

    def policy(self) -> Policy:
        policy = SimplePolicy.of(self.settings)
        return OpenPolicy(policy) if self.is_strict else policy

    def successor(self, kept: KeptWindows | None) -> "Keeping":
        """Another, with the same rows and alerts, restored."""
        store = MemoryStore()
        store.write(dict(self.store.scan()))
        other = Keeping(self.settings, self.is_strict, store, list(self.alerts))
        other.engine = Engine.restore(
            other.policy(),
            EngineSettings.of(self.settings),
            other.shipments,
            watermark=other.shipments.watermark(),
            last_alerts={alert.scope: alert for alert in self.alerts}.values(),
            kept=kept,
        )
        return other

    def kept(self) -> KeptWindows:
        """What it keeps, as it comes out of a store."""
        kept = self.engine.kept()
        assert kept is not None
        return unpack(dict(reversed(pack(kept).items())))


def windows_of(engine: Engine) -> Any:  # noqa: ANN401 - only to be compared
    """All that the windows and leaves of an engine hold, without the numbers that stand for it."""
    windows = engine._windows
    names = {leaf.base >> _LEAF_SHIFT: names for names, leaf in engine._leaves.items()}
    verdicts = windows.kinds.verdicts

    def buckets(by_time: dict[int, dict[int, int]]) -> Any:  # noqa: ANN401
        return {
            (time, names[slot >> _LEAF_SHIFT], slot >> _KIND_BITS & _DAY_MASK, verdicts[slot & _KIND_MASK]): n
            for time, bucket in by_time.items()
            for slot, n in bucket.items()
        }

    leaves = {names: (leaf.size, leaf in engine._touched) for names, leaf in engine._leaves.items() if leaf.size}
    states = {
        state.scope: (
            state.leaves,
            {verdicts[kind]: n for kind, n in (state.defects or {}).items()},
            (state.status, state.alert_id, state.published),
        )
        for state in engine.scopes()
    }
    return buckets(windows._hours), buckets(windows._days), leaves, states, engine.silences(), engine.as_of


def counted(engine: Engine) -> Any:  # noqa: ANN401 - only to be compared
    """What of that is counted from the shipments, and the sums over it of every scope that has some."""
    hours, days, leaves, states, *_ = windows_of(engine)
    scopes = {scope for names in leaves for scope in (Scope(*names), Scope(*names[:2]), Scope(names[0]))}
    sums = {metric.scope: (metric.live, metric.official) for metric in engine.metrics() if metric.scope in scopes}
    defects = {scope: defects for scope, (_, defects, _) in states.items() if scope in scopes}
    return hours, days, {names: size for names, (size, _) in leaves.items()}, defects, sums


def are_alike(one: Run, other: Run) -> None:
    assert windows_of(one.engine) == windows_of(other.engine)
    assert one.engine.metrics() == other.engine.metrics()


def taken(engine: Engine) -> tuple[set[Scope], dict[Scope, Metric]]:
    """What whoever keeps an engine's metrics is told."""
    return set(engine.take_gone()), {metric.scope: metric for metric in engine.take_metrics()}


def go_on_alike(runs: Sequence[Run], steps: Sequence[Step], takes: Sequence[bool]) -> None:
    """Let two runs go through steps, and hold them to each other in all they give."""
    one, other = runs
    for step, take in zip(steps, takes, strict=True):
        first, second = one.apply(step.batch), other.apply(step.batch)
        assert list(first.shipments) == list(second.shipments)
        assert first.rejected == second.rejected
        if step.to is None:
            emptied = one.engine.emptied(), other.engine.emptied()
            assert set(emptied[0]) == set(emptied[1])
            assert len(emptied[0]) == len(emptied[1])
        else:
            assert one.advance(step.to) == other.advance(step.to)
        are_alike(one, other)
        if take:
            assert taken(one.engine) == taken(other.engine)
    assert dict(one.store.scan()) == dict(other.store.scan())


@examples(100)
@given(cases(longest=6 * DAY), st.data())
def test_what_is_counted_anew_is_what_was_counted_step_by_step(case: Case, data: st.DataObject) -> None:
    """Whatever has passed: hours, days, grace, or none of them yet."""
    subject = case.new_run()
    for place, step in enumerate(case.steps, start=1):
        subject.step(step)
        if place < len(case.steps) and data.draw(st.booleans()):
            continue
        live = counted(subject.engine)
        subject.restart()
        assert counted(subject.engine) == live
        assert subject.engine._touched.keys() == set(subject.engine._leaves.values()), "all may be unpublished"


@examples(150)
@given(cases(longest=6 * DAY), st.data())
def test_kept_windows_are_those_of_the_shipments(case: Case, data: st.DataObject) -> None:
    """Wherever a history is cut, then and ever after, and when it is cut again."""
    subject = Keeping(case.settings, case.is_strict)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(case.steps)), min_size=1, max_size=2)))
    for step in case.steps[: cuts[0]]:
        subject.step(step)
        if data.draw(st.booleans()):
            subject.engine.take_metrics()
    later = [*case.steps, *(Step([], case.end + n * data.draw(st.sampled_from([HOUR, DAY]))) for n in range(1, 5))]
    runs = [subject.successor(None), subject.successor(subject.kept())]
    event(f"{min(10, len(runs[0].engine.scopes()))} scopes")
    for begin, end in zip(cuts, [*cuts[1:], len(later)], strict=True):
        are_alike(*runs)
        steps = later[begin:end]
        go_on_alike(runs, steps, [data.draw(st.booleans()) for _ in steps])
        # The one by its rows each time, the other by what it kept.
        runs = [runs[0].successor(None), runs[1].successor(runs[1].kept())]
    are_alike(*runs)


def test_time_that_has_not_begun_is_kept_as_such() -> None:
    """Before the first watermark all shipments lie ahead, and some may have emptied a leaf again."""
    subject = Keeping(run_of([], MIDNIGHT).settings)
    subject.apply([*shipments(3, 2, MIDNIGHT - 3 * DAY), shipped("moved", MIDNIGHT - DAY)])
    subject.apply([shipped("moved", MIDNIGHT - DAY, event_id="2", category="Toys")])
    runs = [subject.successor(None), subject.successor(subject.kept())]
    are_alike(*runs)
    go_on_alike(runs, [Step([], None), Step([], MIDNIGHT), Step([], MIDNIGHT + DAY)], [False, True, True])


def test_only_shipments_tell_which_numbers_are_used_again() -> None:
    assert Run(run_of([], MIDNIGHT).settings, is_strict=True).engine.kept() is None


@pytest.mark.parametrize("what", ["leaves", "kinds"])
def test_numbers_do_not_grow_over_restarts_without_end(what: str) -> None:
    subject = run_of([shipped("1", MIDNIGHT)], MIDNIGHT)
    windows = subject.engine._windows
    if what == "leaves":
        windows._next_number = _MANY_LEAVES + 1
    else:
        windows.kinds.verdicts += [windows.kinds.verdicts[0]] * _MANY_KINDS
    assert subject.engine.kept() is None


def test_the_largest_leaf_number_can_be_kept() -> None:
    subject = Keeping(run_of([], MIDNIGHT).settings)
    subject.engine._windows._next_number = _MANY_LEAVES - 1
    subject.step(Step([shipped("1", MIDNIGHT, promised_delivery_by=MIDNIGHT + 3 * DAY)], MIDNIGHT + timedelta(hours=1)))
    are_alike(subject.successor(None), subject.successor(subject.kept()))


def test_what_was_damaged_is_not_unpacked() -> None:
    subject = Keeping(run_of([], MIDNIGHT).settings)
    subject.step(Step(shipments(3, 2, MIDNIGHT - 3 * DAY), MIDNIGHT))
    rows = pack(subject.kept())
    assert unpack(rows) == subject.engine.kept()
    for name, value in rows.items():
        others = [value[:-1], value + b"\x00", bytes([value[0] ^ 1]) + value[1:]]
        for damaged in ({name: other} for other in others):
            with pytest.raises(DamagedWindowsError):
                unpack(rows | damaged)
        with pytest.raises(DamagedWindowsError):
            unpack({other: value for other, value in rows.items() if other != name})
    with pytest.raises(DamagedWindowsError):
        unpack({})
