"""Any record the code writes is one that its schema accepts and the code reads back."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from stream import events, records
from stream.events import Event, Money, OrderShipped, Rejection, TrackingScanned, TrackingUploaded, decoding
from stream.records import Alert, Cause, Counts, Metric, OfficialCounts, Scope
from tests.schemas.documents import KEY, STRUCTS, VALIDATORS, decoded

quick = settings(max_examples=60, deadline=None)

TIMES = st.datetimes(
    min_value=datetime(2001, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))]),
)
IDS = st.text(min_size=1, max_size=30)
TEXTS = st.none() | st.text(max_size=30)
MARKETPLACES = st.sampled_from(["de", "GB", " uk "]) | IDS.filter(str.strip)
COUNTRIES = st.none() | st.sampled_from(["DE", "gb", "UK", "XK"])
AMOUNTS = st.integers(0, decoding.MAX_AMOUNT_DECIMALS).flatmap(
    lambda places: st.decimals(0, decoding.MAX_AMOUNT - 1, places=places)
)


def around(at: datetime, before: timedelta, after: timedelta) -> st.SearchStrategy[datetime]:
    return st.timedeltas(-before, after).map(lambda distance: at + distance)


@st.composite
def shipped(draw: st.DrawFn) -> OrderShipped:
    at = draw(TIMES)
    return OrderShipped(
        event_id=draw(IDS),
        event_time=at,
        seller_id=draw(IDS),
        order_id=draw(IDS),
        marketplace=draw(MARKETPLACES),
        shipped_at=draw(around(at, decoding.MAX_BACKDATING, decoding.MAX_AHEAD_SHIPPING)),
        shipment_id=draw(st.just("") | IDS),
        category=draw(IDS),
        fulfilled_by=draw(st.sampled_from(["merchant", "marketplace"])),
        carrier=draw(TEXTS),
        ship_method=draw(TEXTS),
        order_value=draw(st.none() | st.builds(Money, amount=AMOUNTS, currency=st.sampled_from(["EUR", "JPY"]))),
        ship_from=draw(COUNTRIES),
        ship_to=draw(COUNTRIES),
        promised_delivery_by=draw(st.none() | around(at, decoding.MAX_BACKDATING, decoding.MAX_AHEAD_PROMISE)),
    )


@st.composite
def uploaded(draw: st.DrawFn) -> TrackingUploaded:
    at = draw(TIMES)
    return TrackingUploaded(
        event_id=draw(IDS),
        event_time=at,
        seller_id=draw(IDS),
        tracking_number=draw(TEXTS),
        order_id=draw(IDS),
        shipment_id=draw(st.just("") | IDS),
        carrier=draw(TEXTS),
        uploaded_at=draw(st.none() | around(at, decoding.MAX_BACKDATING, decoding.MAX_BACKDATING)),
    )


@st.composite
def scanned(draw: st.DrawFn) -> TrackingScanned:
    at = draw(TIMES)
    return TrackingScanned(
        event_id=draw(IDS),
        event_time=at,
        seller_id=draw(IDS),
        milestone=draw(st.sampled_from(get_args(events.Milestone))),
        order_id=draw(st.none() | IDS),
        shipment_id=draw(IDS),
        tracking_number=draw(TEXTS),
        carrier=draw(TEXTS),
        scanned_at=draw(st.none() | around(at, decoding.MAX_BACKDATING, decoding.MAX_BACKDATING)),
    )


EVENTS: st.SearchStrategy[Event] = st.one_of(shipped(), uploaded(), scanned())
COUNTS = st.integers(0, 2**70)
RATES = st.floats(0, 1)
SUMS: dict[str, st.SearchStrategy[Any]] = {
    "counted": COUNTS,
    "valid": COUNTS,
    "defects": COUNTS,
    "pending": COUNTS,
    "exempt": COUNTS,
    "ambiguous": COUNTS,
    "vtr": st.none() | RATES,
}
STATUSES = st.sampled_from(get_args(records.Status))
UTC_TIMES = TIMES.map(lambda at: at.astimezone(UTC))
METRICS = st.builds(
    Metric,
    seller_id=IDS,
    marketplace=st.none() | IDS,
    category=st.none() | IDS,
    as_of=UTC_TIMES,
    live=st.builds(Counts, **SUMS),
    official=st.builds(OfficialCounts, from_=st.dates(), to=st.dates(), **SUMS),
    threshold=RATES,
    status=STATUSES,
    allowance=COUNTS,
    needed_to_recover=COUNTS,
    policy=IDS,
)
CAUSES = st.builds(
    Cause,
    reason=st.sampled_from(get_args(records.DefectReason)),
    carrier=TEXTS,
    count=st.integers(1, 2**70),
)
ALERTS = st.builds(
    Alert,
    alert_id=IDS,
    type=st.sampled_from(get_args(records.AlertType)),
    severity=st.sampled_from(get_args(records.Severity)),
    seller_id=IDS,
    marketplace=st.none() | IDS,
    category=st.none() | IDS,
    status=STATUSES,
    previous_status=STATUSES,
    since=UTC_TIMES,
    metric=METRICS,
    causes=st.lists(CAUSES, max_size=3),
)


def name_of(record: Struct) -> str:
    return next(name for name, struct in STRUCTS.items() if isinstance(record, struct))


@quick
@given(EVENTS)
def test_encoded_events_are_accepted_by_both(event: Event) -> None:
    value = events.encode(event)
    VALIDATORS[name_of(event)].validate(json.loads(value))
    decoded_event = events.decode(value)
    assert not isinstance(decoded_event, Rejection)
    VALIDATORS[name_of(event)].validate(json.loads(events.encode(decoded_event)))


@quick
@given(METRICS | ALERTS)
def test_encoded_records_are_accepted_by_both(record: Metric | Alert) -> None:
    value = records.encode(record)
    VALIDATORS[name_of(record)].validate(json.loads(value))
    assert decoded(name_of(record), value) == record


@quick
@given(st.builds(Scope, IDS, st.none() | IDS, st.none() | IDS))
def test_encoded_keys_are_accepted_by_both(scope: Scope) -> None:
    value = records.encode_key(scope)
    VALIDATORS[KEY].validate(json.loads(value))
    assert records.decode_key(value) == scope
