"""The stored form of shipments: it gives back what was put in, and damage is found."""

from datetime import timedelta
from decimal import Decimal
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.events import Event, Money, OrderShipped, TrackingScanned, TrackingUploaded
from stream.shipment import Shipment
from stream.state.rows import (
    FORM,
    WATERMARK_KEY,
    CorruptShipmentError,
    check,
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


@quick
@given(st.lists(EVENTS, min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_a_shipment_survives_being_stored(events: list[Event], keep_until: int) -> None:
    value = pack(keep_until, merged(*events))
    assert known(unpack(ID, value)) == known(merged(*events))
    assert kept_until(value) == keep_until


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
        STORED[:5],
        STORED[:-1],
        STORED + b"\0",
        FORM + bytes(4) + msgspec.msgpack.encode({"shipped": None}),
        FORM + bytes(4) + msgspec.msgpack.encode([[AT, "e"], None, [], []]),
        FORM + bytes(4) + msgspec.msgpack.encode([None, None, [[AT, "e", "lost", None, None, None]], []]),
        FORM + bytes(4) + msgspec.msgpack.encode([None, None, [], []]),
        STORED.replace(b"Home", b"Ho\xff\xff"),
        STORED.replace(b"1.50", b"1,50"),
    ],
    ids=[
        "empty",
        "form",
        "no hour",
        "no facts",
        "cut off",
        "too long",
        "no array",
        "fields",
        "milestone",
        "nothing",
        "UTF-8",
        "amount",
    ],
)
def test_a_corrupt_shipment(value: bytes) -> None:
    with pytest.raises(CorruptShipmentError):
        unpack(ID, value)


@pytest.mark.parametrize(
    "row",
    [
        (b"\0\1a", STORED),
        (shipment_key(ID), STORED[:-1]),
        (shipment_key(ID), b"\x01" + STORED[1:]),
        (shipment_key(ID), b""),
    ],
)
def test_a_corrupt_row_is_found_without_unpacking_it(row: tuple[bytes, bytes]) -> None:
    with pytest.raises(CorruptShipmentError):
        check(*row)
    with pytest.raises(CorruptShipmentError, match="watermark"):
        check(WATERMARK_KEY, STORED)
    for whole in (
        (shipment_key(ID), STORED),
        (shipment_key(ID), None),
        (WATERMARK_KEY, pack_watermark(7)),
        (WATERMARK_KEY, None),
    ):
        check(*whole)


@quick
@given(st.integers(0, len(STORED)), st.integers(0, 9), st.binary(max_size=9))
def test_damage_is_found_or_harmless(start: int, length: int, patch: bytes) -> None:
    try:
        unpack(ID, STORED[:start] + patch + STORED[start + length :])
    except CorruptShipmentError as error:
        assert str(error)  # noqa: PT017 - that no other error is raised is the point


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


def test_the_watermark_survives_and_is_never_forgotten() -> None:
    row = pack_watermark(500_000)
    assert unpack_watermark(row) == 500_000
    assert forgettable([(WATERMARK_KEY, row)], 2**32 - 2) == []
    for corrupt in (b"", row[:-1], row + b"\0", STORED):
        with pytest.raises(CorruptShipmentError, match="watermark"):
            unpack_watermark(corrupt)
