"""The oracle against examples small enough to be computed by hand, so that the property tests rest on something."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import pytest
from msgspec import structs

from stream.events import Event, Money, OrderShipped, TrackingUploaded
from stream.records import Counts, Scope, Status
from tests import oracle
from tests.oracle import Monitor, Rules

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
REAL = "00340434161094042557"


def shipped(shipment: str = "1", /, **fields: object) -> OrderShipped:
    event = OrderShipped(
        event_id=f"s{shipment}",
        event_time=NOW - 2 * DAY,
        seller_id="A",
        order_id=f"order-{shipment}",
        shipment_id=shipment,
        marketplace="DE",
        category="Home",
        carrier="DHL",
        shipped_at=NOW - 2 * DAY,
    )
    event = structs.replace(event, **fields)
    if event.promised_delivery_by is None:
        event.promised_delivery_by = event.shipped_at
    return event


def tracked(shipment: str = "1", /, **fields: object) -> TrackingUploaded:
    event = TrackingUploaded(
        event_id=f"t{shipment}",
        event_time=NOW - 2 * DAY,
        seller_id="A",
        shipment_id=shipment,
        tracking_number=REAL,
    )
    return structs.replace(event, **fields)


def outcome_of(*events: Event, at: datetime = NOW, rules: Rules | None = None) -> tuple[str, str | None]:
    (shipment,) = oracle.shipments_of(events)
    return oracle.outcome(shipment, oracle.hour_of(at), rules or Rules())


def counts(counted: int, valid: int, *, pending: int = 0, exempt: int = 0, vtr: float | None) -> Counts:
    return Counts(
        counted=counted, valid=valid, defects=counted - valid, pending=pending, exempt=exempt, ambiguous=0, vtr=vtr
    )


def test_hours_and_days_are_utc() -> None:
    assert oracle.hour_of(datetime(1970, 1, 2, 1, 59, 59, tzinfo=UTC)) == 25
    assert oracle.hour_of(datetime(1970, 1, 2, 3, 0, tzinfo=UTC)) == 27
    assert oracle.day_of(datetime(1970, 1, 31, 23, 59, 59, tzinfo=UTC)) == 30
    assert oracle.date_of(31) == date(1970, 2, 1)


def test_the_latest_version_of_a_fact_wins_in_any_order() -> None:
    first = shipped(event_id="9", category="Home")
    tie = shipped(event_id="10", category="Toys")  # "10" < "9", as strings
    later = shipped(event_id="1", category="Books", event_time=NOW - DAY)
    for events in ([first, tie], [tie, first]):
        assert [each.shipped.category for each in oracle.shipments_of(events)] == ["Home"]
    for events in ([first, later], [later, first]):
        assert [each.shipped.category for each in oracle.shipments_of(events)] == ["Books"]


def test_tracking_alone_is_no_shipment() -> None:
    assert oracle.shipments_of([tracked()]) == []


def test_shipments_of_different_sellers_are_different() -> None:
    assert len(oracle.shipments_of([shipped(), shipped(seller_id="B"), tracked(seller_id="C")])) == 2


@pytest.mark.parametrize(
    ("tracking", "carrier", "expected"),
    [
        ({}, "DHL", ("valid", None)),
        ({"tracking_number": None}, "DHL", ("defect", "no_tracking")),
        ({"carrier": "GLS"}, None, ("valid", None)),
        ({"carrier": " "}, "DHL", ("valid", None)),
        ({}, None, ("defect", "no_carrier")),
        ({"carrier": " "}, "", ("defect", "no_carrier")),
        ({"tracking_number": "N/A"}, "DHL", ("defect", "placeholder_number")),
        ({"tracking_number": "N/A"}, None, ("defect", "no_carrier")),
        ({"tracking_number": "order-1"}, "DHL", ("defect", "placeholder_number")),
        ({"tracking_number": "order-2"}, "DHL", ("valid", None)),
        ({"tracking_number": "0000000000"}, "DHL", ("defect", "placeholder_number")),
        ({"tracking_number": "-"}, "DHL", ("defect", "placeholder_number")),
    ],
)
def test_verdict(tracking: dict[str, object], carrier: str | None, expected: tuple[str, str | None]) -> None:
    assert outcome_of(shipped(carrier=carrier), tracked(**tracking)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "low_value_letter"),
        ({"ship_from": "US", "ship_to": "SE"}, "low_value_letter"),
        ({"ship_from": "US", "ship_to": "GB"}, None),
        ({"ship_to": "DE"}, None),
        ({"ship_to": None}, None),
        ({"ship_method": "Paket"}, None),
        ({"ship_method": None}, None),
        ({"order_value": None}, None),
        ({"order_value": Money(Decimal("20.00"), "EUR")}, None),
        ({"order_value": Money(Decimal("19.99"), "GBP")}, None),
        ({"ship_method": "Paket", "fulfilled_by": "marketplace"}, "marketplace_fulfilled"),
    ],
)
def test_exemption(fields: dict[str, object], expected: str | None) -> None:
    letter: dict[str, object] = {
        "ship_from": "DE",
        "ship_to": "GB",
        "ship_method": "Brief",
        "order_value": Money(Decimal("19.99"), "EUR"),
    }
    assert oracle.exemption(shipped(**(letter | fields))) == expected
    if expected is not None:
        assert outcome_of(shipped(**(letter | fields)), tracked()) == ("exempt", expected)


def test_pending_ends_with_the_hour_of_shipping_plus_the_grace() -> None:
    event = shipped(shipped_at=datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC))
    assert outcome_of(event, at=datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)) == ("pending", "no_tracking")
    assert outcome_of(event, at=datetime(2026, 11, 22, 0, 0, tzinfo=UTC)) == ("defect", "no_tracking")
    at_once = Rules(grace_hours=0)
    assert outcome_of(event, at=datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC), rules=at_once)[0] == "pending"
    assert outcome_of(event, at=datetime(2026, 11, 21, 0, 0, tzinfo=UTC), rules=at_once)[0] == "defect"


def test_the_live_window_is_720_hours() -> None:
    hours = {"last": 719, "gone": 720, "now": 0, "ahead": -1}
    events = [shipped(name, shipped_at=NOW - hours * HOUR) for name, hours in hours.items()]
    hour = oracle.hour_of(NOW)
    inside = {each.shipped.shipment_id for each in oracle.shipments_of(events) if oracle.is_live(each, hour)}
    assert inside == {"last", "now"}


def test_the_official_window_is_30_days_that_ended_10_days_ago() -> None:
    promises = {
        "gone": datetime(2026, 10, 13, 23, 59, 59, tzinfo=UTC),
        "first": datetime(2026, 10, 14, tzinfo=UTC),
        "last": datetime(2026, 11, 12, 23, 59, 59, tzinfo=UTC),
        "ahead": datetime(2026, 11, 13, tzinfo=UTC),
    }
    found = oracle.shipments_of([shipped(name, promised_delivery_by=promise) for name, promise in promises.items()])
    today = oracle.day_of(NOW)
    assert {x.shipped.shipment_id for x in found if oracle.is_official(x, today, Rules())} == {"first", "last"}
    counted = oracle.official_counts(found, NOW, Rules())
    assert (counted.from_, counted.to, counted.defects) == (date(2026, 10, 14), date(2026, 11, 12), 2)


def test_a_scope_exists_as_long_as_a_shipment_is_in_or_ahead_of_a_window() -> None:
    long_ago = NOW - 720 * HOUR
    for promise, exists in [(NOW - 39 * DAY, True), (NOW - 40 * DAY, False)]:
        (shipment,) = oracle.shipments_of([shipped(shipped_at=long_ago, promised_delivery_by=promise)])
        assert oracle.is_in_or_ahead_of_a_window(shipment, NOW, Rules()) is exists
    (shipment,) = oracle.shipments_of([shipped(shipped_at=long_ago + HOUR, promised_delivery_by=NOW - 40 * DAY)])
    assert oracle.is_in_or_ahead_of_a_window(shipment, NOW, Rules())


@pytest.mark.parametrize(
    ("valid", "counted", "expected"),
    [(0, 0, None), (0, 3, 0.0), (190, 200, 0.95), (2, 3, 0.6667), (1, 3, 0.3333), (1, 32, 0.0313), (3, 3, 1.0)],
)
def test_rate_is_rounded_half_up_to_four_decimals(valid: int, counted: int, expected: float | None) -> None:
    # 1/32 is 0.03125: a tie, which goes up.
    assert oracle.rate(valid, counted) == expected


@pytest.mark.parametrize(
    ("valid", "counted", "at_threshold", "expected"),
    [
        (190, 200, "pass", 0),
        (191, 200, "pass", 1),  # 191/201 = 0.95025, 191/202 = 0.9455
        (200, 200, "pass", 10),
        (0, 0, "pass", 0),
        (19, 19, "pass", 1),
        (19, 19, "fail", 0),
    ],
)
def test_allowance(valid: int, counted: int, at_threshold: Literal["pass", "fail"], expected: int) -> None:
    assert oracle.allowance(valid, counted, "ok", Rules(at_threshold=at_threshold)) == expected
    assert oracle.allowance(valid, counted, "breached", Rules(at_threshold=at_threshold)) == 0


@pytest.mark.parametrize(
    ("valid", "counted", "expected"),
    [
        (189, 200, 45),  # (189 + n) / (200 + n) >= 0.955 from n = 44.4
        (0, 1, 22),  # 22/23 = 0.9565, 21/22 = 0.9545
        (1, 1, 19),  # enough of them are valid, not enough are counted
    ],
)
def test_needed_to_recover(valid: int, counted: int, expected: int) -> None:
    assert oracle.needed_to_recover(valid, counted, "breached", Rules()) == expected
    assert oracle.needed_to_recover(valid, counted, "at_risk", Rules()) == 0


@pytest.mark.parametrize(
    ("current", "valid", "counted", "expected"),
    [
        ("ok", 200, 200, "ok"),
        ("ok", 190, 200, "at_risk"),
        ("ok", 194, 200, "ok"),
        ("ok", 189, 200, "breached"),
        ("at_risk", 189, 200, "breached"),
        ("at_risk", 194, 200, "at_risk"),  # 0.97: no longer below the warn level, but not 0.975
        ("at_risk", 195, 200, "ok"),
        ("breached", 190, 200, "breached"),
        ("breached", 191, 200, "at_risk"),
        ("breached", 194, 200, "ok"),  # has left the threshold by the margin, so it takes the status of 0.97
        ("breached", 0, 19, "breached"),
        ("breached", 19, 19, "breached"),
        ("ok", 0, 19, "ok"),
        ("ok", 0, 20, "breached"),
        ("breached", 0, 0, "ok"),
    ],
)
def test_next_status(current: Status, valid: int, counted: int, expected: Status) -> None:
    assert oracle.next_status(current, valid, counted, Rules()) == expected


def test_exactly_on_the_threshold_can_be_made_to_fail() -> None:
    assert oracle.next_status("ok", 190, 200, Rules(at_threshold="fail")) == "breached"
    assert oracle.next_status("ok", 191, 200, Rules(at_threshold="fail")) == "at_risk"


def test_metrics_of_one_shipment_are_those_of_its_three_scopes() -> None:
    found = oracle.metrics([shipped(), tracked()], NOW, Rules(), {})
    assert set(found) == {Scope("A"), Scope("A", "DE"), Scope("A", "DE", "Home")}
    for scope, metric in found.items():
        assert metric.scope == scope
        assert metric.live == counts(1, 1, vtr=1.0)
        assert (metric.official.counted, metric.official.vtr) == (0, None)
        assert (metric.status, metric.allowance, metric.needed_to_recover) == ("ok", 0, 0)


def test_the_monitor_looks_at_every_full_hour_on_the_way() -> None:
    monitor = Monitor(Rules(min_counted=1))
    start = NOW - 90 * timedelta(minutes=1)  # 08:30
    monitor.apply([shipped(shipped_at=NOW - 25 * HOUR - timedelta(minutes=10))])  # 08:50 the day before
    assert monitor.advance(start) == []
    changes = monitor.advance(NOW + timedelta(minutes=5))
    assert [(x.since, x.previous, x.status) for x in changes] == [(NOW - HOUR, "ok", "breached")] * 3
    assert [x.scope for x in changes] == [Scope("A"), Scope("A", "DE"), Scope("A", "DE", "Home")]
    assert changes[0].causes == {("no_tracking", "DHL"): 1}
    assert changes[0].metric.live == counts(1, 0, vtr=0.0)
    # The shipment leaves the window 720 hours after the beginning of its hour; nothing is counted then.
    left = monitor.advance(NOW + 720 * HOUR)
    assert {(x.since, x.status) for x in left} == {(NOW - 26 * HOUR + 720 * HOUR, "ok")}


def test_the_monitor_sees_what_was_applied_only_when_it_advances() -> None:
    monitor = Monitor(Rules(min_counted=1, recover_margin=Fraction(0)))
    monitor.advance(NOW)
    monitor.apply([shipped()])
    assert {x.since for x in monitor.advance(NOW)} == {NOW}
    monitor.apply([tracked()])
    assert {(x.since, x.status) for x in monitor.advance(NOW + 2 * HOUR)} == {(NOW + HOUR, "ok")}
    monitor.apply([shipped("2")])
    assert {(x.since, x.status) for x in monitor.advance(NOW)} == {(NOW + 2 * HOUR, "breached")}
