"""The stored form of shipments: rows of bytes, the same in a store and in the changelog.

key:   2 bytes length of the seller id, the seller id, the shipment id (UTF-8): a seller's shipments are neighbours,
       and no character need be forbidden to separate the two.
value: 1 byte version of this form, 4 bytes hour until which the shipment is kept, then the facts as MessagePack
       arrays. The hour stands in front so that finding what to forget decodes nothing.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from stream.events import Money, OrderShipped, TrackingScanned, TrackingUploaded
from stream.shipment import Shipment, ShipmentId, scan_fact, shipped_fact, tracking_fact
from stream.state.facts import Facts, ScanFact, ShippedFact, TrackingFact

FORM: Final = b"\x02"
_FACTS: Final = 5

WATERMARK_KEY: Final = b"\x00\x00watermark"
"""The row that keeps the hour the partition has reached. No shipment's key begins like it: no seller id is empty."""

_WATERMARK_PREFIX: Final = FORM + b"\xff\xff\xff\xff"
"""In the form of a shipment's row that is never forgotten, so that a sweep need not tell it apart."""


class CorruptShipmentError(Exception):
    """A stored row is not in the form this version writes. Never skipped: the state behind it would be wrong."""


_Raw: Final = msgspec.Raw
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_facts: Final = msgspec.msgpack.Decoder(Facts).decode


def shipment_key(shipment_id: ShipmentId) -> bytes:
    """The key of a shipment's row."""
    seller = shipment_id[0].encode()
    return len(seller).to_bytes(2, "big") + seller + shipment_id[1].encode()


def split_key(key: bytes) -> ShipmentId:
    """Seller id and shipment id of a key. Raises :class:`CorruptShipmentError`."""
    end = 2 + int.from_bytes(key[:2], "big")
    if not 2 < end < len(key):
        raise CorruptShipmentError(f"key {key!r:.80}")
    try:
        return key[2:end].decode(), key[end:].decode()
    except UnicodeDecodeError as error:
        raise CorruptShipmentError(f"key {key!r:.80}: {error}") from error


def pack(keep_until: int, shipment: Shipment) -> bytes:
    """The value of a shipment's row; ``keep_until`` is the hour since 1970 UTC in which it may be forgotten."""
    shipped, tracking = shipment.shipped, shipment.tracking
    packed = shipment.packed
    if packed is None and shipped is not None:
        # It stays the same while tracking and scans come.
        packed = shipment.packed = _Raw(_encode(shipped_fact(shipped)))
    facts = (
        packed,
        None if tracking is None else tracking_fact(tracking),
        [scan_fact(scan) for scan in shipment.scans],
        shipment.entries,
    )
    return FORM + keep_until.to_bytes(4, "big") + _encode(facts)


def unpack(shipment_id: ShipmentId, value: bytes) -> Shipment:
    """The shipment of a row. Raises :class:`CorruptShipmentError`."""
    shipment = Shipment()
    unpack_into(shipment, shipment_id, value)
    return shipment


def unpack_into(shipment: Shipment, shipment_id: ShipmentId, value: bytes) -> None:
    """Let a new shipment be that of a row. Raises :class:`CorruptShipmentError`."""
    if value[:1] != FORM:
        raise CorruptShipmentError(f"unknown form {value[:1]!r}")
    try:
        facts = _decode_facts(value[_FACTS:])
        shipped = None if facts.shipped is None else _order_shipped(shipment_id, facts.shipped)
    except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError) as error:
        raise CorruptShipmentError(str(error)) from error
    tracking = None if facts.tracking is None else _tracking_uploaded(shipment_id, facts.tracking)
    scans = tuple([_tracking_scanned(shipment_id, scan) for scan in facts.scans])
    times = [fact.event_time for fact in (facts.shipped, facts.tracking, *facts.scans) if fact is not None]
    if not times:
        raise CorruptShipmentError("a shipment without facts")
    shipment.shipped, shipment.tracking, shipment.scans, shipment.entries = shipped, tracking, scans, facts.entries
    shipment.latest = max(times)


def check(key: bytes, value: bytes | None) -> None:
    """Raises :class:`CorruptShipmentError` for what is no row of this form; half the work of :func:`unpack`."""
    if key == WATERMARK_KEY:
        if value is not None:
            unpack_watermark(value)
        return
    split_key(key)
    if value is None:
        return
    if value[:1] != FORM:
        raise CorruptShipmentError(f"unknown form {value[:1]!r}")
    try:
        _decode_facts(value[_FACTS:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptShipmentError(str(error)) from error


def _order_shipped(shipment_id: ShipmentId, fact: ShippedFact) -> OrderShipped:
    return OrderShipped(
        event_id=fact.event_id,
        event_time=fact.event_time,
        seller_id=shipment_id[0],
        order_id=fact.order_id,
        marketplace=fact.marketplace,
        shipped_at=fact.shipped_at,
        shipment_id=shipment_id[1],
        category=fact.category,
        fulfilled_by="marketplace" if fact.by_marketplace else "merchant",
        carrier=fact.carrier,
        ship_method=fact.ship_method,
        order_value=None if fact.amount is None else Money(Decimal(fact.amount), fact.currency or ""),
        ship_from=fact.ship_from,
        ship_to=fact.ship_to,
        promised_delivery_by=fact.promised_delivery_by,
    )


def _tracking_uploaded(shipment_id: ShipmentId, fact: TrackingFact) -> TrackingUploaded:
    return TrackingUploaded(
        event_id=fact.event_id,
        event_time=fact.event_time,
        seller_id=shipment_id[0],
        tracking_number=fact.tracking_number,
        shipment_id=shipment_id[1],
        carrier=fact.carrier,
        uploaded_at=fact.uploaded_at,
    )


def _tracking_scanned(shipment_id: ShipmentId, fact: ScanFact) -> TrackingScanned:
    return TrackingScanned(
        event_id=fact.event_id,
        event_time=fact.event_time,
        seller_id=shipment_id[0],
        milestone=fact.milestone,
        shipment_id=shipment_id[1],
        tracking_number=fact.tracking_number,
        carrier=fact.carrier,
        scanned_at=fact.scanned_at,
    )


def kept_until(value: bytes) -> int:
    """The hour since 1970 UTC in which the shipment may be forgotten."""
    return int.from_bytes(value[1:_FACTS], "big")


def forgettable(rows: Iterable[tuple[bytes, bytes]], hour: int) -> list[bytes]:
    """The keys of the rows that may be forgotten in ``hour``."""
    now = hour.to_bytes(4, "big")  # big-endian bytes compare as the numbers do
    return [key for key, value in rows if value[1:_FACTS] <= now]


def pack_watermark(hour: int) -> bytes:
    """The value of the watermark's row."""
    return _WATERMARK_PREFIX + hour.to_bytes(4, "big")


def unpack_watermark(value: bytes) -> int:
    """The hour since 1970 UTC that the partition has reached. Raises :class:`CorruptShipmentError`."""
    if len(value) != len(_WATERMARK_PREFIX) + 4 or not value.startswith(_WATERMARK_PREFIX):
        raise CorruptShipmentError(f"watermark {value!r:.80}")
    return int.from_bytes(value[-4:], "big")
