"""One partition of the worker, without broker and clock: records in, what to send out."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from aiokafka import ConsumerRecord

from stream.engine import Engine, EngineSettings
from stream.events import RejectionCode
from stream.records import Scope
from stream.settings import Settings
from stream.state import MemoryStore, StoredShipments
from stream.state.rows import shipment_key
from stream.worker.dead_letters import RejectionLimit, TooManyRejectionsError
from stream.worker.late import LONGEST, LateShipments
from stream.worker.partition import HISTORY, RECORDS_PER_METRIC, Partition
from stream.worker.publisher import Outgoing
from stream.worker.watermark import Watermark
from tests.simple_policy import SimplePolicy

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SHIPPED, UPLOADED = "order-shipped", "tracking-uploaded"
INTERVAL, IDLE, START = 1.0, 5.0, 100.0
SELLER = Scope("A1")


def order(number: int = 1, at: datetime = NOW - DAY, **changes: object) -> bytes:
    fields: dict[str, object] = {
        "type": SHIPPED,
        "event_id": f"s{number}",
        "event_time": at.isoformat(),
        "seller_id": "A1",
        "order_id": f"028-{number}",
        "marketplace": "DE",
        "carrier": "DHL",
        "shipped_at": at.isoformat(),
    }
    return json.dumps(fields | changes).encode()


def upload(number: int = 1, at: datetime = NOW) -> bytes:
    fields = {"event_time": at.isoformat(), "seller_id": "A1", "tracking_number": f"0034043416{number}"}
    return json.dumps(fields | {"type": UPLOADED, "event_id": f"t{number}", "shipment_id": f"028-{number}"}).encode()


def records(*values: bytes | None, key: bytes | None = b"A1") -> list["ConsumerRecord[bytes | None, bytes | None]"]:
    return [ConsumerRecord(SHIPPED, 3, offset, 0, 0, key, value, None, 0, 0, ()) for offset, value in enumerate(values)]


class Worker:
    """A partition, and a clock that tests set."""

    def __init__(self, limit: RejectionLimit | None = None) -> None:
        self.store = MemoryStore()
        self.now, self.monotonic = NOW, START
        self.at_end: set[str] = set()
        settings = EngineSettings.of(Settings(min_counted=1))
        shipments = StoredShipments(self.store, settings.lag_days)
        self.engine = Engine(SimplePolicy(Fraction(95, 100), 24), settings, shipments)
        watermark = Watermark([SHIPPED, UPLOADED], IDLE, START)
        limit = limit or RejectionLimit(Decimal(1), 1000)
        self.outcomes: Counter[tuple[str, str]] = Counter()
        late = LateShipments([SHIPPED, UPLOADED], IDLE)
        self.partition = Partition(self.engine, shipments, watermark, limit, late, INTERVAL, self.outcomes)

    def process(self, *values: bytes | None, topic: str = SHIPPED, key: bytes | None = b"A1") -> Outgoing:
        batches = [(topic, records(*values, key=key))]
        return self.partition.process(batches, self.now, self.monotonic, self.at_end.__contains__)

    def idle(self) -> Outgoing:
        return self.partition.idle(self.now, self.monotonic, self.at_end.__contains__)

    def pass_time(self, passed: timedelta) -> None:
        self.now += passed
        self.monotonic += passed.total_seconds()

    def all_at_end(self) -> "Worker":
        """Both topics are read to their end and silent, so time follows the clock."""
        self.at_end = {SHIPPED, UPLOADED}
        self.pass_time(timedelta(seconds=IDLE))
        return self


@pytest.fixture
def worker() -> Worker:
    return Worker()


def metrics(outgoing: Outgoing) -> dict[Scope, int]:
    """Pending shipments by scope."""
    return {metric.scope: metric.live.pending for metric in outgoing.metrics}


def codes(outgoing: Outgoing) -> list[str]:
    return [dict(letter.headers)["vtr_error_code"].decode() for letter in outgoing.dead_letters]


# --- Events ----------------------------------------------------------------------------------------------------------


def test_rows_are_written_and_sent(worker: Worker) -> None:
    outgoing = worker.process(order(1), order(2))
    assert set(outgoing.rows) == {shipment_key(("A1", "028-1")), shipment_key(("A1", "028-2"))}
    assert dict(worker.store.scan()) == outgoing.rows
    assert worker.store.offset is None, "what the changelog has not acknowledged is not persisted"
    assert worker.process(order(1)).rows == {}, "a duplicate changes nothing"


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_what_is_rejected_becomes_dead_letters_in_the_records_order(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("stream.worker.partition.SLICE", at_once)
    worker.all_at_end().idle()
    values = [
        order(1, NOW - 60 * DAY),
        b"not json",
        order(2),
        None,
        order(3, NOW + 2 * HOUR),
        order(4, NOW - 60 * DAY),
        order(5, seller_id="A2"),
        order(6),
    ]
    outgoing = worker.process(*values)
    expected = ["too_late", "malformed_json", "empty_value", "future_event", "too_late", "key_mismatch"]
    assert codes(outgoing) == expected
    assert [letter.value for letter in outgoing.dead_letters] == [values[index] for index in (0, 1, 3, 4, 5, 6)]
    offsets = [dict(letter.headers)["vtr_source_offset"] for letter in outgoing.dead_letters]
    assert offsets == [b"0", b"1", b"3", b"4", b"5", b"6"]
    assert {dict(letter.headers)["vtr_rejected_at"] for letter in outgoing.dead_letters} == {b"2026-11-22T12:30:05Z"}
    assert worker.outcomes == {
        (SHIPPED, "accepted"): 2,
        (SHIPPED, "too_late"): 2,
        **{(SHIPPED, code): 1 for code in ("malformed_json", "empty_value", "future_event", "key_mismatch")},
    }


@pytest.mark.parametrize("late_first", [True, False])
def test_of_two_events_of_a_shipment_one_may_be_too_late(worker: Worker, late_first: bool) -> None:
    worker.all_at_end().idle()
    late, good = order(1, NOW - 60 * DAY), order(1)
    outgoing = worker.process(*([late, good] if late_first else [good, late]))
    assert [(letter.value, code) for letter, code in zip(outgoing.dead_letters, codes(outgoing), strict=True)] == [
        (late, "too_late")
    ]
    assert dict(worker.store.scan()).keys() >= {shipment_key(("A1", "028-1"))}


def test_an_hour_of_the_future_is_allowed_for_sellers_clocks(worker: Worker) -> None:
    assert codes(worker.process(order(1, NOW + HOUR), order(2, NOW + HOUR + timedelta(seconds=1)))) == ["future_event"]


@pytest.mark.parametrize("key", [None, b"", b"A2"])
def test_a_seller_in_anothers_partition_is_not_counted(worker: Worker, key: bytes | None) -> None:
    outgoing = worker.process(order(), key=key)
    assert codes(outgoing) == [RejectionCode.KEY_MISMATCH]
    assert outgoing.rows == {}


def test_a_batch_of_nothing_usable(worker: Worker) -> None:
    outgoing = worker.process(b"[]", b"", b"{}")
    assert len(outgoing.dead_letters) == 3
    assert (outgoing.rows, outgoing.metrics, outgoing.alerts) == ({}, [], [])


def test_too_many_rejections_stop_the_worker() -> None:
    worker = Worker(RejectionLimit(Decimal("0.5"), 4))
    worker.process(b"", b"", order())
    with pytest.raises(TooManyRejectionsError, match=r"3 of the last 4 events were rejected.*empty_value"):
        worker.process(b"")


# --- Time ------------------------------------------------------------------------------------------------------------


def test_time_does_not_pass_before_every_topic_has_said_its_time(worker: Worker) -> None:
    outgoing = worker.process(order())
    assert (outgoing.metrics, outgoing.alerts) == ([], [])
    outgoing = worker.process(upload(2, NOW - HOUR), topic=UPLOADED)
    assert worker.engine.as_of == NOW - DAY
    assert metrics(outgoing) == {Scope("A1", "DE", "unknown"): 1, Scope("A1", "DE"): 1, SELLER: 1}


def test_time_never_goes_back(worker: Worker) -> None:
    worker.all_at_end().idle()
    reached = worker.engine.as_of
    assert reached == worker.now
    worker.at_end.clear()
    worker.process(order(1, NOW - 5 * HOUR))
    assert worker.engine.as_of == reached


def test_what_time_changes_is_written_and_sent_too(worker: Worker) -> None:
    worker.process(order(1, NOW - 23 * HOUR))
    outgoing = worker.all_at_end().idle()
    assert (len(outgoing.alerts), metrics(outgoing)[SELLER]) == (0, 1)
    assert outgoing.watermark, "the hour that the partition has reached"
    assert outgoing.watermark not in dict(worker.store.scan()).values(), "it is stored when its alerts were said"
    worker.pass_time(2 * HOUR)  # the grace period ends
    outgoing = worker.idle()
    assert [(alert.type, alert.causes[0].reason) for alert in outgoing.alerts] == [("vtr-breached", "no_tracking")] * 3
    assert metrics(outgoing)[SELLER] == 0


def test_a_scope_that_is_emptied_before_time_is_known_is_told_with_the_rows(worker: Worker) -> None:
    """A successor that restores these rows knows nothing of the scope, whose metric may have been published before."""
    worker.process(order(1, category="Home"))
    outgoing = worker.process(order(1, category="Toys", event_id="s9"))
    assert outgoing.rows
    assert outgoing.metrics == [], "no time is known yet"
    assert outgoing.gone == [Scope("A1", "DE", "Home")]
    assert worker.idle().gone == [], "once is enough"
    assert worker.process(order(1, category="Home", event_id="s99")).gone == [Scope("A1", "DE", "Toys")]
    said = worker.all_at_end().idle()
    assert Scope("A1", "DE", "Home") in metrics(said)
    assert Scope("A1", "DE", "Toys") not in metrics(said)


def test_a_scope_that_is_gone_is_told_at_once(worker: Worker) -> None:
    worker.process(order())
    assert metrics(worker.all_at_end().idle())[SELLER] == 1
    # Within the metrics' interval, and before anything else may happen to the scope.
    gone = Scope("A1", "DE", "unknown")
    outgoing = worker.process(order(event_id="s2", category="Home"))
    outgoing_again = worker.idle()
    assert (outgoing.gone, outgoing_again.gone) == ([gone], [])
    assert gone not in metrics(outgoing)


def test_nothing_is_sent_when_nothing_changed(worker: Worker) -> None:
    worker.process(order())
    assert not worker.all_at_end().idle().is_empty()
    worker.pass_time(timedelta(seconds=10))
    assert worker.idle().is_empty()


# --- Metrics ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def step(worker: Worker) -> Callable[[int, float], dict[Scope, int]]:
    """Brings a new order after so many seconds; returns the metrics."""
    worker.process(upload(99), topic=UPLOADED)
    worker.at_end = {UPLOADED}

    def step(number: int, passed: float) -> dict[Scope, int]:
        worker.pass_time(timedelta(seconds=passed))
        return metrics(worker.process(order(number, NOW - HOUR)))

    return step


def test_at_most_one_metric_of_a_scope_in_an_interval(step: Callable[[int, float], dict[Scope, int]]) -> None:
    published = [step(number, 0.25).get(SELLER) for number in range(1, 10)]
    assert published == [1, None, None, None, 5, None, None, None, 9]


def test_without_change_the_interval_is_not_used_up(
    worker: Worker, step: Callable[[int, float], dict[Scope, int]]
) -> None:
    step(1, 0)
    worker.pass_time(timedelta(seconds=1.5))
    assert worker.idle().metrics == []
    assert step(2, 0.1)[SELLER] == 2, "sent at once, not an interval after the look that found nothing"


def test_what_was_held_back_is_sent_when_the_partition_is_idle(
    worker: Worker, step: Callable[[int, float], dict[Scope, int]]
) -> None:
    step(1, 0)
    assert step(2, 0.5) == {}
    worker.pass_time(timedelta(seconds=0.4))
    assert metrics(worker.idle()) == {}
    worker.pass_time(timedelta(seconds=0.1))
    assert metrics(worker.idle())[SELLER] == 2
    assert worker.idle().is_empty()


def test_metrics_that_are_too_many_for_a_step_go_with_the_next(
    worker: Worker, step: Callable[[int, float], dict[Scope, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.worker.partition.MOST_METRICS", 2)
    said = [step(1, 0), metrics(worker.idle()), metrics(worker.idle())]
    assert [len(each) for each in said] == [2, 1, 0]
    assert said[0] | said[1] == {Scope("A1", "DE", "unknown"): 1, Scope("A1", "DE"): 1, SELLER: 1}


def test_a_scope_has_one_metric_in_an_interval_however_many_are_left_over(
    step: Callable[[int, float], dict[Scope, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.worker.partition.MOST_METRICS", 2)
    said = [step(number, 0.1) for number in range(1, 16)]
    for scope in {scope for each in said for scope in each}:
        at = [place for place, each in enumerate(said) if scope in each]
        assert at[0] <= 1
        assert len(at) > 1
        assert all(later - earlier >= 10 for earlier, later in pairwise(at))


def test_most_of_a_history_goes_into_events_and_not_into_metrics(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many sellers it has. At its end all is said."""
    monkeypatch.setattr("stream.worker.partition.LEAST_METRICS", 1)
    worker.process(upload(99, NOW - HISTORY), topic=UPLOADED)
    orders = [order(number, NOW - HISTORY, category=f"C{number}") for number in range(2 * RECORDS_PER_METRIC)]
    outgoing = worker.process(*orders)
    assert len(outgoing.metrics) == len(orders) // RECORDS_PER_METRIC
    said = metrics(outgoing) | metrics(worker.all_at_end().idle())
    assert said == {metric.scope: metric.live.pending for metric in worker.engine.metrics()}
    assert len(said) == len(orders) + 2


# --- Shipments that come late ----------------------------------------------------------------------------------------

OLD = NOW - 3 * DAY


@pytest.fixture
def caught_up(worker: Worker) -> Worker:
    """Time has followed the clock, and now a backlog is there."""
    worker.process(order(0, NOW - HOUR))
    worker.process(upload(0, NOW - HOUR), topic=UPLOADED)
    worker.all_at_end().idle()
    worker.pass_time(timedelta(seconds=INTERVAL))
    worker.at_end = set()
    return worker


def statuses(outgoing: Outgoing) -> list[str]:
    return [alert.type for alert in outgoing.alerts]


def test_a_history_raises_no_alert_before_its_tracking_is_read(caught_up: Worker) -> None:
    worker = caught_up
    said = [worker.process(order(1, OLD), order(2, OLD)), worker.idle()]
    worker.at_end = {SHIPPED}
    worker.pass_time(2 * HOUR / 3)
    said += [worker.idle(), worker.process(upload(1, OLD), upload(2, OLD), topic=UPLOADED)]
    said += [worker.all_at_end().idle(), worker.all_at_end().idle()]
    assert [alert for outgoing in said for alert in outgoing.alerts] == []
    assert [metric.live.vtr for outgoing in said for metric in outgoing.metrics if metric.scope == SELLER] == [
        0.3333,
        1.0,
    ]


def test_late_shipments_without_tracking_are_told_once_all_is_read(caught_up: Worker) -> None:
    worker = caught_up
    assert statuses(worker.process(order(1, OLD))) == []
    worker.at_end = {SHIPPED, UPLOADED}
    assert statuses(worker.idle()) == [], "who sends it may not be done"
    worker.pass_time(timedelta(seconds=IDLE / 2))
    assert statuses(worker.process(order(2, OLD))) == []
    worker.pass_time(timedelta(seconds=IDLE / 2))
    assert statuses(worker.idle()) == []
    assert statuses(worker.all_at_end().idle()) == ["vtr-breached"] * 3
    worker.at_end = set()
    assert statuses(worker.process(order(3, OLD))) == []


def test_late_shipments_that_never_end_are_told_too(caught_up: Worker) -> None:
    worker = caught_up
    worker.process(order(1, OLD))
    worker.pass_time(timedelta(seconds=LONGEST - 1))
    assert statuses(worker.process(order(2, OLD))) == []
    worker.pass_time(timedelta(seconds=1))
    assert statuses(worker.process(order(3, OLD))) == ["vtr-breached"] * 3


def test_late_shipments_hold_back_no_other_seller(caught_up: Worker) -> None:
    worker = caught_up
    worker.process(order(1, NOW - DAY, seller_id="B2"), key=b"B2")
    worker.at_end = {UPLOADED}
    worker.pass_time(HOUR / 2)
    worker.process(order(1, OLD))
    outgoing = worker.process(order(2, worker.now))
    assert worker.engine.as_of == NOW.replace(hour=13, minute=0) + timedelta(seconds=IDLE + INTERVAL)
    assert {alert.seller_id for alert in outgoing.alerts} == {"B2"}


def test_an_order_that_comes_within_its_grace_is_not_late(caught_up: Worker) -> None:
    """What it has shipped longer ago, as those are that are confirmed late, is told at once."""
    worker = caught_up
    assert statuses(worker.process(order(1, NOW - HOUR, shipped_at=OLD.isoformat()))) == ["vtr-breached"] * 3


def test_what_is_out_of_order_in_a_backlog_is_told_as_its_time_passes(worker: Worker) -> None:
    worker.process(order(0, NOW - 5 * DAY))
    worker.process(upload(0, NOW - 5 * DAY), topic=UPLOADED)
    assert worker.engine.as_of == NOW - 5 * DAY
    assert statuses(worker.process(order(1, NOW - 8 * DAY))) == ["vtr-breached"] * 3
