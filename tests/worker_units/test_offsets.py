"""Which offsets may be committed."""

from collections.abc import Iterator
from itertools import takewhile

import pytest
from faust.types import TP
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stream.worker.offsets import OffsetLedger

A, B = TP("shipped", 0), TP("shipped", 1)


@pytest.fixture
def ledger() -> OffsetLedger:
    return OffsetLedger()


def test_nothing_was_handed_out(ledger: OffsetLedger) -> None:
    assert ledger.committable(A) is None
    assert ledger.partitions() == []
    assert not ledger.is_pending(A)


@pytest.mark.parametrize("offset", [0, 1, 41])
def test_the_commit_is_that_of_the_next_record(ledger: OffsetLedger, offset: int) -> None:
    ledger.hand_out(A, offset)
    assert ledger.is_pending(A)
    assert ledger.committable(A) is None
    assert ledger.finish(A, offset)
    assert not ledger.is_pending(A)
    assert ledger.committable(A) == offset + 1
    assert ledger.partitions() == [A]


def test_gaps_mean_nothing(ledger: OffsetLedger) -> None:
    for offset in (0, 5, 6, 1000):
        ledger.hand_out(A, offset)
        ledger.finish(A, offset)
        assert ledger.committable(A) == offset + 1


def test_an_unfinished_batch_holds_back_those_behind_it(ledger: OffsetLedger) -> None:
    for offset in (9, 19, 29, 39):
        ledger.hand_out(A, offset)
    assert ledger.finish(A, 29)
    assert ledger.finish(A, 19)
    assert ledger.committable(A) is None
    assert ledger.finish(A, 9)
    assert ledger.committable(A) == 30
    assert ledger.is_pending(A)
    assert ledger.finish(A, 39)
    assert ledger.committable(A) == 40


def test_partitions_do_not_wait_for_each_other(ledger: OffsetLedger) -> None:
    ledger.hand_out(A, 9)
    ledger.hand_out(B, 9)
    ledger.finish(B, 9)
    assert ledger.partitions() == [B]
    assert (ledger.committable(A), ledger.committable(B)) == (None, 10)
    assert (ledger.is_pending(A), ledger.is_pending(B)) == (True, False)


def test_what_was_not_expected_changes_nothing(ledger: OffsetLedger) -> None:
    assert not ledger.finish(A, 9)
    ledger.hand_out(A, 9)
    assert not ledger.finish(A, 8)
    assert not ledger.finish(B, 9)
    assert ledger.finish(A, 9)
    assert not ledger.finish(A, 9)
    assert ledger.partitions() == [A]
    assert ledger.committable(A) == 10


def test_a_partition_that_went_and_came_back(ledger: OffsetLedger) -> None:
    for tp in (A, B):
        for offset in (9, 19, 29):
            ledger.hand_out(tp, offset)
        ledger.finish(tp, 9)
        ledger.finish(tp, 29)
    ledger.forget(iter([A]))
    assert ledger.partitions() == [B], "and what was not forgotten stays"
    assert not ledger.is_pending(A)
    assert not ledger.finish(A, 19), "handed out before"
    ledger.hand_out(A, 19)
    ledger.hand_out(A, 29)
    assert ledger.committable(A) is None
    assert ledger.finish(A, 19)
    assert ledger.committable(A) == 20, "that 29 was done before does not count"
    assert ledger.finish(A, 29)
    assert ledger.committable(A) == 30
    ledger.forget([TP("never", 7)])
    assert ledger.committable(B) == 10


class Ledger(RuleBasedStateMachine):
    """The ledger beside a list of all batches of a partition, each with whether it is done."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = OffsetLedger()
        self.batches: dict[TP, list[list[int]]] = {A: [], B: []}
        """Offset and whether it is done, in the order handed out."""

    tps = st.sampled_from([A, B])

    @rule(tp=tps, step=st.integers(1, 3))
    def hand_out(self, tp: TP, step: int) -> None:
        offset = (self.batches[tp][-1][0] if self.batches[tp] else -1) + step
        self.batches[tp].append([offset, False])
        self.ledger.hand_out(tp, offset)

    @precondition(lambda self: any(not done for _, done in self._all()))
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        tp = data.draw(st.sampled_from([tp for tp in (A, B) if any(not done for _, done in self.batches[tp])]))
        batch = data.draw(st.sampled_from([batch for batch in self.batches[tp] if not batch[1]]))
        batch[1] = True
        assert self.ledger.finish(tp, batch[0])

    @rule(tp=tps, offset=st.integers(0, 30))
    def finish_unexpected(self, tp: TP, offset: int) -> None:
        if offset not in [known for known, _ in self.batches[tp]]:
            assert not self.ledger.finish(tp, offset)

    @rule(tp=tps)
    def forget(self, tp: TP) -> None:
        self.batches[tp].clear()
        self.ledger.forget([tp])

    def _all(self) -> Iterator[list[int]]:
        return (batch for batches in self.batches.values() for batch in batches)

    @invariant()
    def commits_follow_what_is_done_without_interruption(self) -> None:
        for tp, batches in self.batches.items():
            done = [offset for offset, _ in takewhile(lambda batch: batch[1], batches)]
            assert self.ledger.committable(tp) == (done[-1] + 1 if done else None)
            assert self.ledger.is_pending(tp) == (len(done) < len(batches))
            assert (tp in self.ledger.partitions()) == bool(done)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(deadline=None, max_examples=20, stateful_step_count=20)
