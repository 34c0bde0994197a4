"""The simulator: the same bytes for the same configuration, and every trait of real traffic in them."""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from stream.events import Event, OrderShipped, Rejection, RejectionCode, TrackingScanned, TrackingUploaded, decode
from stream.simulator import LiveSimulation, Record, SimulationConfig, simulate_history
from stream.simulator import tracking_numbers as numbers
from stream.simulator.incidents import plan_incidents
from stream.simulator.sellers import draw_sellers
from stream.tracking import is_placeholder

START = datetime(2026, 10, 5, tzinfo=UTC)
END = datetime(2026, 10, 19, tzinfo=UTC)
CONFIG = SimulationConfig(start=START, end=END, sellers=20)
BROKEN = SimulationConfig(start=START, end=END, sellers=20, malformed=0.05)
EVENTS = 30_000
LIVE_RATE = 40.0
LIVE_SECONDS = 120

ShipmentId = tuple[str, str]


@pytest.fixture(scope="module")
def history() -> list[Record]:
    return list(simulate_history(CONFIG, EVENTS))


@pytest.fixture(scope="module")
def events(history: list[Record]) -> list[Event]:
    return [usable(record) for record in history]


@pytest.fixture(scope="module")
def live() -> list[Record]:
    return [record for _, records in run_live(CONFIG, step=0.5) for record in records]


def usable(record: Record) -> Event:
    event = decode(record.value)
    assert not isinstance(event, Rejection), event
    return event


def run_live(config: SimulationConfig, step: float) -> Iterator[tuple[datetime, list[Record]]]:
    """Each reading of a clock that moves by ``step`` seconds, and what is due at it."""
    now = END
    simulation = LiveSimulation(config, LIVE_RATE, lambda: now)
    for tick in range(1, int(LIVE_SECONDS / step) + 1):
        now = END + timedelta(seconds=tick * step)
        yield now, simulation.due()


def shipped(events: list[Event]) -> dict[ShipmentId, OrderShipped]:
    return {(e.seller_id, e.shipment_id): e for e in events if isinstance(e, OrderShipped)}


def uploads(events: list[Event]) -> dict[ShipmentId, list[TrackingUploaded]]:
    """All distinct uploads of each shipment, the earliest first."""
    found: dict[ShipmentId, dict[str, TrackingUploaded]] = defaultdict(dict)
    for event in events:
        if isinstance(event, TrackingUploaded):
            found[event.seller_id, event.shipment_id][event.event_id] = event
    return {shipment: sorted(of.values(), key=lambda e: e.event_time) for shipment, of in found.items()}


def is_good(upload: TrackingUploaded) -> bool:
    number = upload.tracking_number
    return number is not None and upload.carrier is not None and not is_placeholder(number, upload.order_id or "")


def digest(records: Iterator[Record]) -> str:
    return sha256(b"".join(repr(record).encode() for record in records)).hexdigest()


def test_same_configuration_gives_the_same_bytes_in_another_process() -> None:
    code = f"""
from datetime import datetime
from hashlib import sha256
from stream.simulator import SimulationConfig, simulate_history
start, end = map(datetime.fromisoformat, ("{START.isoformat()}", "{END.isoformat()}"))
config = SimulationConfig(start=start, end=end, sellers=20, malformed=0.05)
print(sha256(b"".join(repr(record).encode() for record in simulate_history(config, 3000))).hexdigest())
"""
    other = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        # Another hash seed, so an order that depends on hashes would show.
        env=os.environ | {"PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == digest(simulate_history(BROKEN, 3000))


def test_another_seed_gives_other_sellers_and_events() -> None:
    other = SimulationConfig(start=START, end=END, sellers=20, seed=2)
    assert digest(simulate_history(other, 500)) != digest(simulate_history(CONFIG, 500))
    assert {s.seller_id for s in draw_sellers(other)}.isdisjoint(s.seller_id for s in draw_sellers(CONFIG))


@pytest.mark.parametrize("count", [0, 1, 777])
@pytest.mark.parametrize("config", [CONFIG, BROKEN])
def test_exactly_as_many_records_as_asked_for(config: SimulationConfig, count: int) -> None:
    assert sum(1 for _ in simulate_history(config, count)) == count


def test_a_long_history_starts_without_being_drawn_to_its_end() -> None:
    first = next(simulate_history(CONFIG, 1_000_000))
    assert abs(first.arrival - START) < timedelta(hours=4)


def test_records_are_keyed_and_typed_as_the_topics_need(history: list[Record], events: list[Event]) -> None:
    assert len(history) == EVENTS
    kinds = {OrderShipped: "order-shipped", TrackingUploaded: "tracking-uploaded", TrackingScanned: "tracking-scanned"}
    for record, event in zip(history, events, strict=True):
        assert record.key == event.seller_id.encode()
        assert record.kind == kinds[type(event)]
    assert {record.kind for record in history} == set(kinds.values())


def test_time_order(history: list[Record], events: list[Event]) -> None:
    assert all(earlier.arrival <= later.arrival for earlier, later in pairwise(history))
    for record, event in zip(history, events, strict=True):
        assert event.event_time <= record.arrival <= END
    for order in shipped(events).values():
        assert START <= order.shipped_at <= END


def test_duplicates_out_of_order_and_late_records_have_their_shares(history: list[Record], events: list[Event]) -> None:
    duplicates = EVENTS - len({record.value for record in history})
    assert duplicates / EVENTS == pytest.approx(0.01, abs=0.003)
    # Event times are cut to whole seconds, so a second is no delay.
    first_arrivals = {
        e.event_id: r.arrival - e.event_time for r, e in reversed(list(zip(history, events, strict=True)))
    }
    delays = [delay for delay in first_arrivals.values() if delay >= timedelta(seconds=1)]
    late = sum(1 for delay in delays if delay > timedelta(hours=1))
    assert late / EVENTS == pytest.approx(0.01, abs=0.003)
    assert (len(delays) - late) / EVENTS == pytest.approx(0.05, abs=0.006)
    assert max(delays) <= timedelta(days=2, seconds=1)


def test_without_mishaps_records_arrive_once_and_in_order() -> None:
    config = SimulationConfig(start=START, end=END, sellers=5, duplicates=0, out_of_order=0, late=0)
    records = list(simulate_history(config, 3000))
    times = [usable(record).event_time for record in records]
    assert times == sorted(times)
    assert len({record.value for record in records}) == 3000


def test_malformed_records_are_broken_in_every_way() -> None:
    results = [decode(record.value) for record in simulate_history(BROKEN, 10_000)]
    rejections = Counter(result.code for result in results if isinstance(result, Rejection))
    assert rejections.total() / 10_000 == pytest.approx(0.05, abs=0.01)
    assert set(rejections) == {
        RejectionCode.EMPTY_VALUE,
        RejectionCode.MALFORMED_JSON,
        RejectionCode.MISSING_FIELD,
        RejectionCode.INVALID_FIELD,
        RejectionCode.UNKNOWN_TYPE,
    }


def test_seller_sizes_are_skewed(events: list[Event]) -> None:
    sizes = sorted(Counter(seller_id for seller_id, _ in shipped(events)).values())
    assert len(sizes) == 20
    assert sizes[-1] > 5 * sizes[len(sizes) // 2]


def test_shipping_has_a_rhythm(events: list[Event]) -> None:
    orders = list(shipped(events).values())
    weekdays = Counter(order.shipped_at.weekday() for order in orders)
    hours = Counter(order.shipped_at.hour for order in orders)
    assert weekdays[6] * 3 < weekdays[5] * 2 < weekdays[0]
    assert hours[2] * 5 < hours[14]
    # The end of the history is not thinner or denser than its beginning, though its tracking is still to come.
    by_week = Counter((order.shipped_at - START).days // 7 for order in orders)
    assert by_week[1] == pytest.approx(by_week[0], rel=0.08)


def test_orders_are_of_all_sorts(events: list[Event]) -> None:
    orders = list(shipped(events).values())
    assert {"DE", "UK", "FR"} <= {order.marketplace for order in orders}
    assert len({order.category for order in orders}) > 4
    assert {order.fulfilled_by for order in orders} == {"merchant", "marketplace"}
    assert {"Großbrief", "Paket"} <= {order.ship_method for order in orders}
    domestic = sum(1 for order in orders if order.ship_from == order.ship_to) / len(orders)
    assert 0.6 < domestic < 0.97
    assert 0 < sum(1 for order in orders if order.shipment_id.endswith("-2")) / len(orders) < 0.2
    currencies = {"DE": "EUR", "UK": "GBP", "PL": "PLN", "US": "USD"}
    for order in orders:
        value, promised = order.order_value, order.promised_delivery_by
        assert value is not None
        assert value.amount.as_tuple().exponent == -2
        assert value.currency == currencies.get(order.marketplace, "EUR")
        assert promised is not None
        assert timedelta(days=1) < promised - order.shipped_at < timedelta(days=10)
        assert promised.second == promised.minute == 59


def test_tracking_comes_before_and_after_shipping_or_never(events: list[Event]) -> None:
    orders, tracking = shipped(events), uploads(events)
    # What shipped in the last days may still be tracked after the history.
    settled = {shipment: o for shipment, o in orders.items() if o.shipped_at < END - timedelta(days=4)}
    lags = [tracking[shipment][0].event_time - o.event_time for shipment, o in settled.items() if shipment in tracking]
    before = sum(1 for lag in lags if lag < timedelta(0))
    late = sum(1 for lag in lags if lag > timedelta(hours=24))
    assert 0.1 < before / len(lags) < 0.5
    assert 0 < late / len(lags) < 0.03
    never = sum(1 for s, o in settled.items() if s not in tracking and o.fulfilled_by == "merchant")
    assert 0.002 < never / len(settled) < 0.1


def test_tracking_is_amended_removed_and_mistyped(events: list[Event]) -> None:
    tracking = uploads(events).values()
    assert any(is_good(last) and not is_good(first) for first, last in (u for u in tracking if len(u) == 2))
    last = [of[-1] for of in tracking]
    assert any(upload.tracking_number is None for upload in last)
    assert any(upload.carrier is None for upload in last)
    placeholders = {u.tracking_number for u in last if u.tracking_number and is_placeholder(u.tracking_number, "")}
    assert {"N/A", "none", "0000000000"} <= placeholders
    assert any(upload.tracking_number == upload.order_id for upload in last)


def test_most_sellers_are_careful_and_some_are_not() -> None:
    rates = [seller.defect_rate for seller in draw_sellers(CONFIG)]
    assert sum(1 for rate in rates if rate <= 0.02) == 15
    assert sum(1 for rate in rates if 0.03 <= rate <= 0.05) == 3
    assert sum(1 for rate in rates if rate >= 0.07) == 2


def test_an_incident_shows_and_passes() -> None:
    calm = SimulationConfig(start=START, end=END, sellers=3)
    sellers = draw_sellers(calm)
    incident = next(i for i in plan_incidents(calm, sellers) if i.subject in {s.seller_id for s in sellers})
    shares: dict[bool, list[bool]] = {True: [], False: []}
    events = [usable(record) for record in simulate_history(calm, 15_000)]
    tracking = uploads(events)
    for shipment, order in shipped(events).items():
        if order.seller_id == incident.subject and shipment in tracking:
            during = incident.start + 3600 <= order.shipped_at.timestamp() < incident.end - 3600
            around = incident.start <= order.shipped_at.timestamp() < incident.end + 3600
            if during == around:
                shares[during].append(is_good(tracking[shipment][0]))
    assert len(shares[True]) > 30
    assert sum(shares[True]) / len(shares[True]) < 0.5
    assert sum(shares[False]) / len(shares[False]) > 0.8


def test_scans_follow_the_parcel_and_can_be_turned_off(events: list[Event]) -> None:
    orders = shipped(events)
    delivered = [
        event.event_time - orders[event.seller_id, event.shipment_id].shipped_at
        for event in events
        if isinstance(event, TrackingScanned)
        and event.milestone == "delivered"
        and (event.seller_id, event.shipment_id) in orders
    ]
    assert len(delivered) > 500
    assert timedelta(days=1) <= min(delivered) < max(delivered) <= timedelta(days=6)
    unscanned = SimulationConfig(start=START, end=END, sellers=20, scanned=0)
    assert all(record.kind != "tracking-scanned" for record in simulate_history(unscanned, 2000))


def test_no_number_is_used_for_two_shipments(events: list[Event], live: list[Record]) -> None:
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in [*events, *map(usable, live)]:
        if isinstance(event, TrackingUploaded) and event.tracking_number and is_good(event):
            users[event.seller_id, event.tracking_number].add(event.shipment_id)
    assert users
    assert all(len(shipments) == 1 for shipments in users.values())


@pytest.mark.parametrize(
    ("number", "published"),
    [
        (numbers.dhl(1610, 9404255), "00340434161094042557"),
        (numbers.usps(12062, 640626078), "9400111206206406260787"),
        (numbers.fedex(9865, 7878885), "986578788855"),
        (numbers.s10("AA", "GB")(4, 7312482), "AA473124829GB"),
        (f"1Z5R8939035756712{numbers.ups_check_digit('5R8939035756712')}", "1Z5R89390357567127"),
    ],
)
def test_check_digits_are_those_of_published_numbers(number: str, published: str) -> None:
    assert number == published


def test_live_events_are_about_now_and_at_the_rate() -> None:
    sellers = {seller.seller_id for seller in draw_sellers(CONFIG)}
    total = 0
    for now, records in run_live(CONFIG, step=1):
        total += len(records)
        for record in records:
            event = usable(record)
            assert event.seller_id in sellers
            assert now - timedelta(minutes=3) < event.event_time <= record.arrival <= now
            assert record.arrival > now - timedelta(seconds=1)
    assert total / LIVE_SECONDS == pytest.approx(LIVE_RATE, rel=0.25)


def test_live_records_do_not_depend_on_how_often_they_are_asked_for(live: list[Record]) -> None:
    assert [record for _, records in run_live(CONFIG, step=8) for record in records] == live


def test_live_incidents_show_within_a_minute_and_are_repaired(live: list[Record]) -> None:
    tracking = uploads([usable(record) for record in live])
    first_minute: dict[str, list[list[TrackingUploaded]]] = defaultdict(list)
    for (seller_id, _), of in tracking.items():
        if of[0].event_time < END + timedelta(minutes=1):
            first_minute[seller_id].append(of)
    hit = [
        shipments
        for shipments in first_minute.values()
        if len(shipments) >= 20 and sum(1 for of in shipments if not is_good(of[0])) / len(shipments) > 0.3
    ]
    assert len(hit) >= 2
    for shipments in hit:
        assert sum(1 for of in shipments if is_good(of[-1])) / len(shipments) > 0.9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": datetime(2026, 10, 5)}, "`start` has no time zone"),  # noqa: DTZ001 - what is to be refused
        ({"end": START}, "`end` is not at least one day after `start`"),
        ({"sellers": 0}, "`sellers` is not from 1"),
        ({"late": -0.1}, "`late` is not a share"),
        ({"late": 0.5, "malformed": 0.6}, "together exceed 1"),
    ],
)
def test_impossible_configurations_are_refused(changes: dict[str, datetime | float], message: str) -> None:
    settings: dict[str, datetime | float] = {"start": START, "end": END, **changes}
    with pytest.raises(ValueError, match=message):
        SimulationConfig(**settings)  # type: ignore[arg-type] # drawn from a table


def test_impossible_amounts_are_refused() -> None:
    with pytest.raises(ValueError, match="`events` is negative"):
        simulate_history(CONFIG, -1)
    with pytest.raises(ValueError, match="`rate` is not above 0"):
        LiveSimulation(CONFIG, 0, lambda: END)
