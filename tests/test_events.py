"""Events in: what bytes become, and why others are rejected."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.events import (
    MAX_EVENT_BYTES,
    MAX_FUTURE,
    Event,
    Money,
    OrderShipped,
    Rejection,
    RejectionCode,
    TrackingUploaded,
    check_arrival,
    decode,
    encode,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
ABSENT = object()

Fields = dict[str, object]

COMMON: Fields = {"event_id": "e1", "event_time": "2026-11-22T12:00:00Z", "seller_id": "A1"}
SHIPPED: Fields = COMMON | {
    "type": "order-shipped",
    "order_id": "028-1",
    "marketplace": "DE",
    "shipped_at": "2026-11-22T11:58:00Z",
}
UPLOADED: Fields = COMMON | {"type": "tracking-uploaded", "shipment_id": "028-1-1", "tracking_number": "0034043416109"}
SCANNED: Fields = COMMON | {"type": "tracking-scanned", "shipment_id": "028-1-1", "milestone": "delivered"}
ALL = [SHIPPED, UPLOADED, SCANNED]


def line(base: Fields, **changes: object) -> bytes:
    fields = {name: value for name, value in (base | changes).items() if value is not ABSENT}
    return json.dumps(fields, default=datetime.isoformat).encode()


def accepted(base: Fields, **changes: object) -> Event:
    event = decode(line(base, **changes))
    assert not isinstance(event, Rejection), event
    return event


def assert_rejected(value: bytes | None, code: RejectionCode, said: str) -> None:
    rejection = decode(value)
    assert isinstance(rejection, Rejection), rejection
    assert rejection.code is code
    assert said in rejection.message
    assert "\n" not in rejection.message
    assert len(rejection.message) < 600, "it goes into a header, and into logs"


# --- Accepted --------------------------------------------------------------------------------------------------------


FULL = {
    "order-shipped": SHIPPED
    | {"shipment_id": "028-1-1", "category": "Home", "fulfilled_by": "marketplace", "carrier": "DHL"}
    | {"ship_method": "Paket", "order_value": {"amount": "24.90", "currency": "EUR"}, "ship_from": "DE"}
    | {"ship_to": "FR", "promised_delivery_by": "2026-11-25T22:59:59Z"},
    "tracking-uploaded": UPLOADED | {"order_id": "028-1", "carrier": "DHL", "uploaded_at": "2026-11-21T12:00:00Z"},
    "tracking-scanned": SCANNED
    | {"order_id": "028-1", "tracking_number": "X1", "carrier": "DHL", "scanned_at": "2026-11-21T12:00:00Z"},
}


@pytest.mark.parametrize("type_", FULL)
def test_every_field_is_read_and_others_are_ignored(type_: str) -> None:
    assert json.loads(encode(accepted(FULL[type_], later_versions_add="fields"))) == FULL[type_]


def test_an_order_shipped_event_of_the_least_fields() -> None:
    event = accepted(SHIPPED)
    assert isinstance(event, OrderShipped)
    assert event.event_time == NOON
    assert event.shipped_at == event.promised_delivery_by == NOON - timedelta(minutes=2)
    assert (event.shipment_id, event.category, event.fulfilled_by) == ("028-1", "unknown", "merchant")
    assert (event.carrier, event.ship_method, event.order_value, event.ship_from, event.ship_to) == (None,) * 5


@pytest.mark.parametrize("base", ALL, ids=lambda base: base["type"])
def test_the_shipment_defaults_to_the_order(base: Fields) -> None:
    assert accepted(base, shipment_id=ABSENT, order_id="028-7").shipment_id == "028-7"


@pytest.mark.parametrize(
    ("given_number", "number"),
    [(None, None), ("", None), (" \t", None), ("NULL", None), (" NULL ", None), (" X1 ", "X1"), ("null", "null")],
)
def test_what_removes_a_tracking_number(given_number: str | None, number: str | None) -> None:
    event = accepted(UPLOADED, tracking_number=given_number)
    assert isinstance(event, TrackingUploaded)
    assert event.tracking_number == number


@pytest.mark.parametrize(
    ("field", "value", "normalised"),
    [
        ("marketplace", "GB", "UK"),
        ("marketplace", "UK", "UK"),
        ("marketplace", " uk", "UK"),
        ("marketplace", "de ", "DE"),
        ("marketplace", " my-own-shop ", "my-own-shop"),
        ("ship_from", "UK", "GB"),
        ("ship_to", "GB", "GB"),
        ("ship_from", " uk ", "GB"),
        ("ship_to", "de", "DE"),
    ],
)
def test_places_have_one_spelling(field: str, value: str, normalised: str) -> None:
    assert getattr(accepted(SHIPPED, **{field: value}), field) == normalised


@pytest.mark.parametrize("amount", ["0", "19.99", "0.000001", "999999999999.999999", "1E+11", 24.9, 24])
def test_money_is_exact(amount: object) -> None:
    event = accepted(SHIPPED, order_value={"amount": amount, "currency": "EUR"})
    assert isinstance(event, OrderShipped)
    assert event.order_value == Money(Decimal(str(amount)), "EUR")


@pytest.mark.parametrize(
    ("base", "field", "before", "after"),
    [
        (SHIPPED, "shipped_at", 366, 31),
        (SHIPPED, "promised_delivery_by", 366, 366),
        (UPLOADED, "uploaded_at", 366, 366),
        (SCANNED, "scanned_at", 366, 366),
    ],
)
def test_how_many_days_dates_may_lie_apart(base: Fields, field: str, before: int, after: int) -> None:
    for at, beyond in ((NOON - before * DAY, -SECOND), (NOON + after * DAY, SECOND)):
        assert getattr(accepted(base, **{field: at}), field) == at
        assert_rejected(line(base, **{field: at + beyond}), RejectionCode.INVALID_FIELD, f"`$.{field}`")


def test_the_earliest_event_time() -> None:
    first = datetime(2000, 1, 1, tzinfo=UTC)
    assert accepted(SCANNED, event_time=first).event_time == first
    assert_rejected(line(SCANNED, event_time=first - SECOND), RejectionCode.INVALID_FIELD, "`$.event_time`")


@pytest.mark.parametrize("base", ALL, ids=lambda base: base["type"])
def test_a_time_that_is_beyond_all_time_in_utc(base: Fields) -> None:
    last = "9999-12-31T23:59:59-23:59"
    assert_rejected(line(base, event_time=last), RejectionCode.INVALID_FIELD, "`$.event_time`")


TIMES = [
    (SHIPPED, "shipped_at"),
    (SHIPPED, "promised_delivery_by"),
    (UPLOADED, "uploaded_at"),
    (SCANNED, "scanned_at"),
]


@pytest.mark.parametrize(("base", "field"), TIMES)
def test_so_is_one_beside_the_latest_event_time(base: Fields, field: str) -> None:
    times = {"event_time": "9999-12-31T12:00:00Z", "shipped_at": "9999-12-31T12:00:00Z"}
    changes = times | {field: "9999-12-31T23:59:59-23:59"}
    assert_rejected(line(base, **changes), RejectionCode.INVALID_FIELD, f"`$.{field}`")


@pytest.mark.parametrize(("base", "field"), [*((base, "event_time") for base in ALL), *TIMES])
def test_times_are_in_utc(base: Fields, field: str) -> None:
    at = getattr(accepted(base, **{field: "2026-11-22T13:45:00+02:00"}), field)
    assert (at.isoformat(), at.tzinfo) == ("2026-11-22T11:45:00+00:00", UTC)


@pytest.mark.parametrize("digits", ["999999", "9999994", "9999995", "999999999"])
@pytest.mark.parametrize("offset", ["Z", "+05:30"])
@pytest.mark.parametrize("field", ["shipped_at", "promised_delivery_by"])
def test_the_end_of_a_day_is_not_rounded_to_the_next(field: str, offset: str, digits: str) -> None:
    """Java's last time of a day has nanoseconds; an event has microseconds."""
    local = {"Z": "23:59", "+05:30": "05:29"}[offset]
    day = {"Z": "2026-11-21", "+05:30": "2026-11-22"}[offset]
    event = accepted(SHIPPED, category="T10:00:00.9999999", **{field: f"{day}T{local}:59.{digits}{offset}"})
    assert getattr(event, field) == datetime(2026, 11, 21, 23, 59, 59, 999999, tzinfo=UTC)
    assert isinstance(event, OrderShipped)
    assert event.category == "T10:00:00.9999999"


def test_a_time_at_the_beginning_of_an_hour_is_what_it_says() -> None:
    event = accepted(SHIPPED, category="T10:00:00.9999999", shipped_at="2026-11-22T10:00:00.999999Z")
    assert isinstance(event, OrderShipped)
    assert event.shipped_at == datetime(2026, 11, 22, 10, 0, 0, 999999, tzinfo=UTC)


def test_the_largest_event() -> None:
    padding = MAX_EVENT_BYTES - len(line(SCANNED, padding=""))
    assert not isinstance(decode(line(SCANNED, padding="x" * padding)), Rejection)
    assert_rejected(line(SCANNED, padding="x" * (padding + 1)), RejectionCode.TOO_LARGE, "65537 bytes")


# --- Rejected --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [
        (None, RejectionCode.EMPTY_VALUE, "no value"),
        (b"", RejectionCode.EMPTY_VALUE, "no value"),
        (b'["order-shipped"]', RejectionCode.INVALID_FIELD, "Expected `object`, got `array`"),
    ],
)
def test_no_object(value: bytes | None, code: RejectionCode, said: str) -> None:
    assert_rejected(value, code, said)


@pytest.mark.parametrize(
    "value",
    [
        b"not json",
        line(SCANNED)[:-1],
        line(SCANNED) + b"{}",
        line(SCANNED).replace(b"A1", b"\xff\xfe"),
        line(SCANNED).replace(b"A1", b"\\ud800"),
        b'{"type":"order-shipped","x":' + b"[" * 60_000,
    ],
    ids=["text", "cut off", "two", "invalid UTF-8", "half a surrogate pair", "deep"],
)
def test_malformed_json(value: bytes) -> None:
    assert_rejected(value, RejectionCode.MALFORMED_JSON, "")


@pytest.mark.parametrize("type_", ["order-cancelled", "", 5, None, "missing required field", "x" * 60_000])
def test_an_unknown_type(type_: object) -> None:
    assert_rejected(line(SHIPPED, type=type_), RejectionCode.UNKNOWN_TYPE, "`$.type`")


@pytest.mark.parametrize(
    ("base", "field"),
    [
        *[(base, field) for base in ALL for field in ("type", "event_id", "event_time", "seller_id")],
        *[(SHIPPED, field) for field in ("order_id", "marketplace", "shipped_at")],
        *[(UPLOADED, field) for field in ("tracking_number", "shipment_id")],
        *[(SCANNED, field) for field in ("milestone", "shipment_id")],
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)
def test_a_missing_field(base: Fields, field: str) -> None:
    assert_rejected(line(base, **{field: ABSENT}), RejectionCode.MISSING_FIELD, f"`{field}`")


INVALID: dict[str, list[object]] = {
    "event_id": ["", "x" * 1025, None, 1],
    "event_time": ["2026-11-22T12:00:00", "2026-11-22", 1_795_348_800],
    "seller_id": ["", None],
    "order_id": ["", 28],
    "shipment_id": ["", None],
    "marketplace": ["", "  ", "x" * 65],
    "category": ["", "x" * 257],
    "fulfilled_by": ["amazon", None],
    "shipped_at": ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"],
    "promised_delivery_by": ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"],
    "ship_from": ["Germany", "EU", "", "ß"],
    "ship_to": ["Germany", "EU", "", "\ufb01"],
    "carrier": ["x" * 257, 5],
    "tracking_number": [340434161094042557, "x" * 257],
    "milestone": ["lost", None, "missing required field", "x" * 60_000],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in INVALID.items() for value in values])
def test_an_invalid_field(field: str, value: object) -> None:
    base = {"tracking_number": UPLOADED, "milestone": SCANNED}.get(field, SHIPPED)
    assert_rejected(line(base, **{field: value}), RejectionCode.INVALID_FIELD, f"`$.{field}`")


AMOUNTS = ["-0.01", "1000000000000", "1E+12", "1e999999", "0.0000001", "1E-7", "1e-999999", "NaN", "sNaN", "Infinity"]


@pytest.mark.parametrize(
    ("money", "part"),
    [
        *[({"amount": amount, "currency": "EUR"}, "amount") for amount in [*AMOUNTS, "9" * 60_000, "24,90", True]],
        *[
            ({"amount": "1", "currency": currency}, "currency")
            for currency in ["eur", "EU", "EURO", "E1R", "ÄÖÜ", None]
        ],
    ],
)
def test_invalid_money(money: Fields, part: str) -> None:
    assert_rejected(line(SHIPPED, order_value=money), RejectionCode.INVALID_FIELD, f"`$.order_value.{part}`")


# --- Where an event arrives ------------------------------------------------------------------------------------------

LATEST = NOON + MAX_FUTURE


@pytest.mark.parametrize("key", [None, b"", b"A2", b"a1", b"A1 ", b"\xff"])
def test_a_key_that_is_not_the_sellers(key: bytes | None) -> None:
    rejection = check_arrival(accepted(SHIPPED), key, LATEST)
    assert rejection is not None
    assert rejection.code is RejectionCode.KEY_MISMATCH
    assert "`seller_id`" in rejection.message


def test_an_event_from_the_future() -> None:
    assert check_arrival(accepted(SCANNED, event_time=LATEST), b"A1", LATEST) is None
    rejection = check_arrival(accepted(SCANNED, event_time=LATEST + SECOND), b"A1", LATEST)
    assert rejection is not None
    assert rejection.code is RejectionCode.FUTURE_EVENT
    assert "`event_time`" in rejection.message


# --- Whatever comes --------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.datetimes().map(str)
VALUES = (
    SCALARS | st.lists(SCALARS, max_size=2) | st.fixed_dictionaries({"amount": SCALARS, "currency": st.just("EUR")})
)
FIELDS = sorted({*SHIPPED, *UPLOADED, *SCANNED, "carrier", "order_value", "ship_to", "promised_delivery_by", "x"})


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_a_rejection(value: bytes) -> None:
    assert isinstance(decode(value), Event | Rejection)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(ALL), st.integers(0, 200), st.integers(0, 20), st.binary(max_size=10))
def test_so_are_damaged_events(base: Fields, start: int, length: int, patch: bytes) -> None:
    value = line(base)
    assert isinstance(decode(value[:start] + patch + value[start + length :]), Event | Rejection)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(ALL), st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3))
def test_what_is_accepted_is_canonical(base: Fields, changes: Fields) -> None:
    event = decode(line(base, **changes))
    if isinstance(event, Rejection):
        assert event.message
    else:
        assert decode(encode(event)) == event
        check_arrival(event, None, LATEST)
