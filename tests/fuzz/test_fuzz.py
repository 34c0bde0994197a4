"""A short run of the fuzzer, and whether it would notice. ``python -m tests.fuzz`` makes long ones."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Literal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from stream.engine import IS_COMPILED
from stream.events import Event, Rejection, RejectionCode, decode
from stream.settings import Settings
from stream.shipment import Shipment
from stream.state.rows import pack
from stream.worker.consumer import Record
from stream.worker.dead_letters import DeadLetter, dead_letter
from stream.worker.partition import Batch, Partition
from stream.worker.publisher import Outgoing
from tests.fuzz.harness import START, BrokenError, Harness
from tests.fuzz.inputs import any_input
from tests.fuzz.run import run, text
from tests.fuzz.words import any_value

Tamper = Callable[[pytest.MonkeyPatch], None]


@examples(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.randoms(use_true_random=False), st.sampled_from([None, "scan"]), st.integers(1, 8))
def test_every_record_is_accepted_or_explained(random: Random, valid_when: Literal["scan"] | None, count: int) -> None:
    harness = Harness(Settings(valid_when=valid_when, min_counted=1))
    for _ in range(2):
        harness.feed([any_input(random, harness.now) for _ in range(count)])
        harness.pass_time(timedelta(hours=random.randrange(50)))
        harness.check_restored()
    harness.check_recounted()


def test_nothing_is_found_in_a_short_run() -> None:
    report = run(4_000, seed=7)
    assert report.findings == [], text(report)
    assert sum(each.read for each in report.totals) == 4_000
    accepted = sum(each.accepted for each in report.totals)
    assert accepted > 1_000, "most inputs never get far"
    # Each code is met, or the inputs have grown too tame.
    assert {code for each in report.totals for code in each.codes} == set(RejectionCode)


def test_a_seed_names_its_inputs() -> None:
    one, again, other = ([any_input(Random(seed), START) for _ in range(50)] for seed in (1, 1, 2))  # noqa: S311
    assert one == again != other


# --- Would it notice -------------------------------------------------------------------------------------------------


def lose_a_letter(patch: pytest.MonkeyPatch) -> None:
    real = Partition.process

    def losing(
        self: Partition, batches: Sequence[Batch], now: datetime, monotonic: float, is_at_end: Callable[[str], bool]
    ) -> Outgoing:
        outgoing = real(self, batches, now, monotonic, is_at_end)
        del outgoing.dead_letters[-1:]
        return outgoing

    patch.setattr(Partition, "process", losing)


def change_a_value(patch: pytest.MonkeyPatch) -> None:
    def changing(record: Record, rejection: Rejection, at: datetime) -> DeadLetter:
        return dead_letter(record, rejection, at)._replace(value=(record.value or b"").strip())

    patch.setattr("stream.worker.partition.dead_letter", changing)


def name_no_field(patch: pytest.MonkeyPatch) -> None:
    def nameless(value: bytes | None) -> Event | Rejection:
        result = decode(value)
        return Rejection(result.code, "no") if isinstance(result, Rejection) else result

    patch.setattr("stream.worker.partition.decode", nameless)


def raise_an_error(patch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OverflowError

    patch.setattr("stream.worker.partition.check_arrival", broken)


def keep_the_older_fact(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Shipment, "_merge_tracking", lambda *_: False)


def store_no_tracking(patch: pytest.MonkeyPatch) -> None:
    def losing(until: int, shipment: Shipment) -> bytes:
        return pack(until, Shipment(shipment.shipped, None, shipment.scans, (), shipment.latest))

    patch.setattr("stream.state.shipments.pack", losing)


needs_source = pytest.mark.skipif(IS_COMPILED, reason="a compiled class cannot be tampered with")

TAMPERS = [
    lose_a_letter,
    change_a_value,
    name_no_field,
    raise_an_error,
    pytest.param(keep_the_older_fact, marks=needs_source),
    pytest.param(store_no_tracking, marks=needs_source),
]


@pytest.mark.parametrize("tamper", TAMPERS)
def test_it_would_notice(tamper: Tamper, monkeypatch: pytest.MonkeyPatch) -> None:
    tamper(monkeypatch)
    report = run(2_400, seed=7)
    assert report.findings
    assert "FOUND" in text(report)


def test_a_restored_engine_that_counts_otherwise_is_noticed() -> None:
    random = Random(3)  # noqa: S311
    harness = Harness(Settings(min_counted=1))
    harness.feed([any_input(random, harness.now) for _ in range(300)])
    harness.pass_time(timedelta(hours=1))
    harness.check_restored()
    harness.check_recounted()
    for state in harness.engine._scopes.states():
        state.live.valid += 1
    with pytest.raises(BrokenError, match="when restored"):
        harness.check_restored()
    with pytest.raises(BrokenError, match="counted anew"):
        harness.check_recounted()


def test_values_are_of_every_kind() -> None:
    random = Random(5)  # noqa: S311
    values = [any_value(random, START) for _ in range(3000)]
    for part in (b"NaN", b"\\ud800", b"\xff", b"[[[[", b"e+400", b"9999-12-31", b":60", b"+14:00", "📦".encode()):
        assert any(part.lower() in value.lower() for value in values), part
