"""The stored form of shipments: it gives back what was put in, and damage is found."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.events import Event, Milestone, Money, OrderShipped, TrackingScanned, TrackingUploaded
from stream.shipment import Entry, Shipment
from stream.state.rows import (
    FORM,
    WATERMARK_KEY,
    CorruptShipmentError,
    common_end,
    forgettable,
    kept_until,
    pack,
    pack_watermark,
    shipment_key,
    split_key,
    unpack,
    unpack_watermark,
)
from tests.test_shipment import AT, EVENTS, ID, SCAN, SHIPPED, TRACKING, known, merged, parts, quick

FULL = replace(
    SHIPPED,
    category="Home",
    fulfilled_by="marketplace",
    carrier="DHL",
    ship_method="Brief",
    order_value=Money(Decimal("1.50"), "EUR"),
    ship_from="DE",
    ship_to="FR",
    promised_delivery_by=AT + timedelta(days=4, microseconds=1),
)
HOSTILE_IDS = ["a", "0", "\0", "a\0b", "📦" * 256, "é" * 1000, "x" * 1000, " ", '"', "\n", "\x02a", "a|b:c/d"]
STORED = pack(5, merged(FULL, TRACKING, SCAN))

HEX = "0123456789abcdef"
UUID = "01234567-89ab-cdef-0123-456789abcdef"
EVENT_IDS = st.one_of(
    st.sampled_from(["e", HEX, HEX * 2, UUID, HEX[::-1], UUID[::-1], HEX.upper(), UUID.upper(), "x" * 16, "x" * 36]),
    st.sampled_from(
        ["-" * 36, "e" * 35 + "-", UUID[:-1] + "-", UUID[1:] + "-", HEX[:-1] + "²", "0" * 16, HEX + " " * 8]
    ),
    st.text("0123456789abcdefA-", min_size=1, max_size=40),
    st.uuids().map(str),
    st.uuids().map(lambda it: it.hex),
    st.text(min_size=1, max_size=40),
)
TIMES = st.one_of(st.just(AT), st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
TEXTS = st.none() | st.sampled_from(["DHL", "X1", "", "1"]) | st.text(max_size=256)
IDS = st.sampled_from(["1", "12", "1-1", ""]) | st.text(max_size=1024)


@st.composite
def any_events(draw: st.DrawFn) -> list[Event]:
    """Of one shipment: whatever fields can hold, and often what another field holds too."""
    shipment_id = draw(IDS)
    shipped = OrderShipped(
        event_id=draw(EVENT_IDS),
        event_time=draw(TIMES),
        seller_id="A",
        order_id=draw(st.just(shipment_id) | st.just(shipment_id[:2]) | IDS),
        marketplace=draw(st.sampled_from(["DE", "é" * 64])),
        shipped_at=draw(TIMES),
        shipment_id=shipment_id,
        category=draw(st.sampled_from(["Home", "é" * 256])),
        fulfilled_by=draw(st.sampled_from(["merchant", "marketplace"])),
        carrier=draw(TEXTS),
        ship_method=draw(TEXTS),
        order_value=draw(
            st.none()
            | st.builds(
                Money,
                st.decimals(0, 10**12, allow_nan=False, allow_infinity=False),
                st.sampled_from(["EUR", "USD"]),
            )
        ),
        ship_from=draw(TEXTS),
        ship_to=draw(TEXTS),
        promised_delivery_by=draw(st.none() | TIMES),
    )
    tracking = st.builds(
        TrackingUploaded,
        event_id=EVENT_IDS,
        event_time=TIMES,
        seller_id=st.just("A"),
        tracking_number=TEXTS,
        shipment_id=st.just(shipment_id),
        carrier=TEXTS,
        uploaded_at=st.none() | TIMES,
    )
    scan = st.builds(
        TrackingScanned,
        event_id=EVENT_IDS,
        event_time=TIMES,
        seller_id=st.just("A"),
        milestone=st.sampled_from(get_args(Milestone)),
        shipment_id=st.just(shipment_id),
        tracking_number=TEXTS,
        carrier=TEXTS,
        scanned_at=st.none() | TIMES,
    )
    others: list[Event] = draw(st.lists(st.one_of(tracking, tracking, scan), max_size=5))
    return [shipped, *others] if not others or draw(st.booleans()) else others


def exactly(shipment: Shipment) -> tuple[object, ...]:
    """All that a shipment knows, and amounts to their last decimal, which `==` does not look at."""
    value = None if shipment.shipped is None else shipment.shipped.order_value
    return *known(shipment), None if value is None else str(value.amount)


def with_facts(facts: object) -> bytes:
    return FORM + bytes(2) + msgspec.msgpack.encode(facts) + bytes(4)


@quick
@given(st.lists(EVENTS, min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_a_shipment_survives_being_stored(events: list[Event], keep_until: int) -> None:
    value = pack(keep_until, merged(*events))
    assert known(unpack(ID, value)) == known(merged(*events))
    assert kept_until(value) == keep_until


@settings(deadline=None, max_examples=150)
@given(any_events())
def test_whatever_fields_hold_survives_being_stored(events: list[Event]) -> None:
    shipment = merged(*events)
    value = pack(5, shipment)
    unpacked = unpack((events[0].seller_id, events[0].shipment_id), value)
    assert exactly(unpacked) == exactly(shipment)
    assert pack(5, unpacked) == value


@pytest.mark.parametrize("event_id", [HEX, HEX * 2, HEX * 4, UUID])
def test_ids_of_random_digits_take_half_of_their_length(event_id: str) -> None:
    spared = len(pack(5, merged(replace(SHIPPED, event_id="x" * len(event_id))))) - len(
        pack(5, merged(replace(SHIPPED, event_id=event_id)))
    )
    assert spared >= len(event_id) // 2 - 2


def test_what_many_have_alike_is_bytes_in_one_place() -> None:
    other = replace(FULL, event_id="f", shipped_at=AT - timedelta(days=1), order_value=Money(Decimal(7), "EUR"))
    rows = [pack(5, merged(it, TRACKING)) for it in (FULL, other)]
    ends = [common_end(row) for row in rows]
    assert rows[0][: ends[0]] == rows[1][: ends[1]]
    assert rows[0][ends[0] :] != rows[1][ends[1] :]
    for word in (b"DE", b"Home", b"DHL", b"Brief", b"EUR", b"FR"):
        assert word in rows[0][: ends[0]]


def test_every_field_survives_being_stored() -> None:
    tracking = replace(TRACKING, uploaded_at=AT)
    scan = replace(SCAN, tracking_number="X1", carrier="DHL", scanned_at=AT)
    shipment = unpack(ID, pack(5, merged(FULL, tracking, scan)))
    assert parts(shipment) == [FULL, tracking, scan]
    assert shipment.shipped is not None
    assert shipment.shipped.order_value is not None
    assert str(shipment.shipped.order_value.amount) == "1.50"


@pytest.mark.parametrize("kind", [OrderShipped, TrackingUploaded, TrackingScanned])
def test_no_field_is_forgotten(kind: type[Event]) -> None:
    """Whoever adds a field to an event has to decide whether it is stored."""
    known = {OrderShipped: 15, TrackingUploaded: 8, TrackingScanned: 9}
    assert len(msgspec.structs.fields(kind)) == known[kind]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x01" + STORED[1:],
        FORM,
        STORED[:2],
        STORED[:3],
        STORED[: common_end(STORED)],
        STORED[:1] + b"\xff\xff" + STORED[3:],
        STORED[:1] + bytes(2) + STORED[3:],
        STORED[:-1],
        STORED + b"\0",
        with_facts({"shipped": None}),
        with_facts([[AT, "e"], None, None]),
        with_facts([None, None, [[[AT, "e", "lost", None, None, None]], []]]),
        with_facts([None, [AT, 7, None, "X1", None], None]),
        with_facts([None, None, None]),
        with_facts([None, None, [[], []]]),
        STORED.replace(b"Home", b"Ho\xff\xff"),
        STORED.replace(b"1.50", b"1,50"),
    ],
    ids=[
        "empty",
        "form",
        "cut length",
        "no length",
        "nothing alike",
        "no facts",
        "length",
        "another length",
        "cut off",
        "too long",
        "no array",
        "fields",
        "milestone",
        "id",
        "nothing",
        "no scan",
        "UTF-8",
        "amount",
    ],
)
def test_a_corrupt_shipment(value: bytes) -> None:
    with pytest.raises(CorruptShipmentError):
        unpack(ID, value)


def test_a_shipment_is_no_watermark() -> None:
    with pytest.raises(CorruptShipmentError, match="watermark"):
        unpack_watermark(STORED)


@quick
@given(st.integers(0, len(STORED)), st.integers(0, 9), st.binary(max_size=9))
def test_damage_is_found_or_harmless(start: int, length: int, patch: bytes) -> None:
    try:
        unpack(ID, STORED[:start] + patch + STORED[start + length :])
    except CorruptShipmentError as error:
        assert str(error)  # noqa: PT017 - that no other error is raised is the point


FORM_2_FACTS = [
    [AT, "e", "o", "DE", "Home", True, "DHL", "Brief", "1.50", "EUR", "DE", "FR", AT, FULL.promised_delivery_by],
    [AT, "e", "DHL", "X1", None],
    [[AT, "e", "delivered", None, None, None]],
    [[AT, "X0", "UPS"]],
]


def test_a_row_of_the_form_before_is_read() -> None:
    shipped, tracking, scans, entries = FORM_2_FACTS
    value = b"\x02" + (5).to_bytes(4, "big") + msgspec.msgpack.encode(FORM_2_FACTS)
    assert kept_until(value) == 5
    assert known(unpack(ID, value)) == (FULL, TRACKING, (SCAN,), (Entry(AT, "X0", "UPS"),), AT)
    for facts in ([shipped, None, [], []], [None, tracking, [], []], [None, None, scans, []]):
        value = b"\x02" + bytes(4) + msgspec.msgpack.encode(facts)
        assert len(parts(unpack(ID, value))) == 1
    for damaged in (value[:-1], value[:5], b"\x02" + bytes(4) + msgspec.msgpack.encode([None, None, [], entries])):
        with pytest.raises(CorruptShipmentError):
            unpack(ID, damaged)


def test_the_watermark_of_the_form_before_is_read() -> None:
    assert unpack_watermark(b"\x02\xff\xff\xff\xff" + (500_000).to_bytes(4, "big")) == 500_000


def test_hostile_ids_survive_their_key() -> None:
    pairs = list(product(HOSTILE_IDS, HOSTILE_IDS))
    assert [split_key(shipment_key(pair)) for pair in pairs] == pairs


@quick
@given(st.text(min_size=1, max_size=1024), st.text(min_size=1, max_size=1024))
def test_any_ids_survive_their_key(seller_id: str, shipment_id: str) -> None:
    assert split_key(shipment_key((seller_id, shipment_id))) == (seller_id, shipment_id)


def test_ids_that_run_together_have_different_keys() -> None:
    assert shipment_key(("a", "bc")) != shipment_key(("ab", "c"))


@pytest.mark.parametrize(
    "key", [b"", b"\0", b"\0\0", b"\0\0x", b"\0\1", b"\0\1a", b"\0\2a", b"\0\1\xffb", b"\0\1a\xff", WATERMARK_KEY]
)
def test_a_corrupt_key(key: bytes) -> None:
    with pytest.raises(CorruptShipmentError, match="key"):
        split_key(key)


def test_what_may_be_forgotten() -> None:
    rows = [(str(hour).encode(), pack(hour, Shipment())) for hour in (0, 255, 256, 257, 2**32 - 1)]
    assert forgettable(rows, 256) == [b"0", b"255", b"256"]
    assert forgettable(rows, 0) == [b"0"]
    before = [(key, b"\x02" + value[-4:] + b"\xff\xff\xff\xff") for key, value in rows]
    assert forgettable(before, 256) == [b"0", b"255", b"256"]


def test_the_watermark_survives_and_is_never_forgotten() -> None:
    row = pack_watermark(500_000)
    assert unpack_watermark(row) == 500_000
    assert forgettable([(WATERMARK_KEY, row)], 2**32 - 2) == []
    for corrupt in (b"", row[:-1], row + b"\0", STORED):
        with pytest.raises(CorruptShipmentError, match="watermark"):
            unpack_watermark(corrupt)
