"""The stored form of shipments: rows of bytes, the same in a store and in the changelog.

key:   2 bytes length of the seller id, the seller id, the shipment id (UTF-8): a seller's shipments are neighbours,
       and no character need be forbidden to separate the two.
value: 1 byte version of this form, 2 bytes length of what many shipments have alike, that (nothing before the shipment
       is known to be shipped), the facts, both as MessagePack arrays (:mod:`stream.state.facts`), 4 bytes hour until
       which the shipment is kept. What many have alike is in front, so that a store can keep it once; the hour has its
       place so that finding what to forget decodes nothing.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec
import msgspec.structs

from stream.events import Money, OrderShipped, TrackingScanned, TrackingUploaded
from stream.shipment import Fact, Shipment, ShipmentId
from stream.state.event_ids import packed_id, unpacked_id
from stream.state.facts import Common, Facts, ScanFact, ShippedFact, TrackingFact
from stream.state.form_2 import FORM_2, unpack_form_2

FORM: Final = b"\x03"
_FORM: Final = 3
_COMMON: Final = 3
"""Where what many have alike begins, behind the form and its length."""
_HOUR: Final = 4

NO_SHIPMENT: Final = b"\x00\x00"
"""No shipment's key begins so, for no seller id is empty. What a store keeps beside the rows does."""

WATERMARK_KEY: Final = NO_SHIPMENT + b"watermark"
"""The row that keeps the hour the partition has reached."""

_NEVER: Final = b"\xff\xff\xff\xff"
_WATERMARK_FORM: Final = FORM + bytes(2)
"""In the form of a shipment's row that is never forgotten, so that a sweep need not tell it apart."""


class CorruptShipmentError(Exception):
    """A stored row is not in the form this version writes. Never skipped: the state behind it would be wrong."""


# Compiled code has its own module's names at hand, and looks up those of others each time.
_Money: Final = Money
_Decimal: Final = Decimal
_Shipped: Final = OrderShipped
_Uploaded: Final = TrackingUploaded
_astuple: Final = msgspec.structs.astuple
"""A fifth of what it costs to ask for the fields one by one. They come in the order of their declaration."""
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_common: Final = msgspec.msgpack.Decoder(Common).decode
_decode_facts: Final = msgspec.msgpack.Decoder(Facts).decode

_THREE: Final = b"\x93"
"""The beginning of the array of the three facts: each is packed for itself."""
_NIL: Final = b"\xc0"
_NO_MORE: Final = _NIL + _NIL
_NOT_SHIPPED: Final = FORM + bytes(2) + _THREE + _NIL

_LENGTHS: Final = [length.to_bytes(2, "big") for length in range(256)]
_MOST_HOURS: Final = 4096
_hours: Final[dict[int, bytes]] = {}
"""Hours as bytes: many rows of a time have the same."""

_MOST_COMMONS: Final = 8192
_commons: Final[dict[bytes, Common]] = {}
"""What was decoded lately of what many have alike: shipments of a seller differ little, and look up what is the same
faster than they decode it."""


def shipment_key(shipment_id: ShipmentId) -> bytes:
    """The key of a shipment's row."""
    seller = shipment_id[0].encode()
    return _length(seller) + seller + shipment_id[1].encode()


def _length(field: bytes) -> bytes:
    length = len(field)
    return _LENGTHS[length] if length < 256 else length.to_bytes(2, "big")


def split_key(key: bytes) -> ShipmentId:
    """Seller id and shipment id of a key. Raises :class:`CorruptShipmentError`."""
    length = len(key)
    end = 2 + (key[0] << 8 | key[1]) if length > 2 else 0
    if not 2 < end < length:
        raise CorruptShipmentError(f"key {key!r:.80}")
    try:
        return key[2:end].decode(), key[end:].decode()
    except UnicodeDecodeError as error:
        raise CorruptShipmentError(f"key {key!r:.80}: {error}") from error


# --- To bytes --------------------------------------------------------------------------------------------------------


def pack(keep_until: int, shipment: Shipment) -> bytes:
    """The value of a shipment's row; ``keep_until`` is the hour since 1970 UTC in which it may be forgotten."""
    hour = _hours.get(keep_until)
    if hour is None:
        if len(_hours) >= _MOST_HOURS:
            _hours.clear()
        hour = _hours[keep_until] = keep_until.to_bytes(_HOUR, "big")
    shipped, tracking = shipment.shipped, shipment.tracking
    packed = shipment.packed
    if packed is None:
        # It stays the same while tracking and scans come.
        packed = shipment.packed = _NOT_SHIPPED if shipped is None else _pack_shipped(shipped)
    scans, entries = shipment.scans, shipment.entries
    if tracking is None and not scans and not entries:
        return packed + _NO_MORE + hour
    carrier = None if shipped is None else shipped.carrier
    tracked = _NIL if tracking is None else _encode(_tracking_fact(tracking, carrier))
    if not scans and not entries:
        return packed + tracked + _NIL + hour
    number = None if tracking is None else tracking.tracking_number
    more = _encode(([_scan_fact(scan, carrier, number) for scan in scans], entries))
    return packed + tracked + more + hour


def _pack_shipped(event: OrderShipped) -> bytes:
    order_id: str
    shipment_id: str
    fulfilled_by: str
    (
        event_id,
        event_time,
        _seller_id,
        order_id,
        marketplace,
        shipped_at,
        shipment_id,
        category,
        fulfilled_by,
        carrier,
        ship_method,
        value,
        ship_from,
        ship_to,
        promised,
    ) = _astuple(event)
    amount = currency = None
    if value is not None:
        amount, currency = str(value.amount), value.currency
    common = _encode(
        (marketplace, category, fulfilled_by == "marketplace", carrier, ship_method, currency, ship_from, ship_to)
    )
    fact = _encode(
        (
            event_time,
            packed_id(event_id),
            len(order_id) if shipment_id.startswith(order_id) else order_id,
            amount,
            None if shipped_at == event_time else shipped_at,
            True if promised == shipped_at else promised,
        )
    )
    return FORM + _length(common) + common + _THREE + fact


def _tracking_fact(event: TrackingUploaded, shipped_with: str | None) -> Fact:
    carrier: str | None
    event_id, event_time, _seller_id, number, _order_id, _shipment_id, carrier, uploaded_at = _astuple(event)
    return (
        event_time,
        packed_id(event_id),
        True if carrier is not None and carrier == shipped_with else carrier,
        number,
        True if uploaded_at == event_time else uploaded_at,
    )


def _scan_fact(event: TrackingScanned, shipped_with: str | None, known_number: str | None) -> Fact:
    (
        event_id,
        event_time,
        _seller_id,
        milestone,
        _order_id,
        _shipment_id,
        number,
        carrier,
        scanned_at,
    ) = _astuple(event)
    return (
        event_time,
        packed_id(event_id),
        milestone,
        True if carrier is not None and carrier == shipped_with else carrier,
        True if number is not None and number == known_number else number,
        True if scanned_at == event_time else scanned_at,
    )


# --- From bytes ------------------------------------------------------------------------------------------------------


def unpack(shipment_id: ShipmentId, value: bytes) -> Shipment:
    """The shipment of a row. Raises :class:`CorruptShipmentError`."""
    shipment = Shipment()
    unpack_into(shipment, shipment_id, value)
    return shipment


def unpack_into(shipment: Shipment, shipment_id: ShipmentId, value: bytes) -> None:
    """Let a new shipment be that of a row. Raises :class:`CorruptShipmentError`."""
    form = value[:1]
    try:
        if form == FORM:
            _unpack_facts(shipment, shipment_id, value)
        elif form == FORM_2:
            unpack_form_2(shipment, shipment_id, value[1 + _HOUR :])
        else:
            raise CorruptShipmentError(f"unknown form {form!r}")
    except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError) as error:
        raise CorruptShipmentError(str(error)) from error
    shipped, tracking = shipment.shipped, shipment.tracking
    latest = None if shipped is None else shipped.event_time
    if tracking is not None and (latest is None or tracking.event_time > latest):
        latest = tracking.event_time
    for scan in shipment.scans:
        if latest is None or scan.event_time > latest:
            latest = scan.event_time
    if latest is None:
        raise CorruptShipmentError("a shipment without facts")
    shipment.latest = latest


def _unpack_facts(shipment: Shipment, shipment_id: ShipmentId, value: bytes) -> None:
    end = common_end(value)
    if end == 0:
        raise CorruptShipmentError(f"no facts in {value!r:.80}")
    # Taken apart as a tuple of anything, the types of what is in it are not looked at once more.
    facts: tuple[Any, ...] = _decode_facts(value[end : len(value) - _HOUR])
    shipped, tracking, more = facts
    carrier: str | None = None
    if shipped is not None:
        known = value[:end]
        common = _commons.get(known)
        if common is None:
            common = _decode_common(known[_COMMON:])
            if len(_commons) >= _MOST_COMMONS:
                _commons.clear()
            _commons[known] = common
        carrier = common[3]
        shipment.shipped = _order_shipped(shipment_id, common, shipped)
    if tracking is not None:
        shipment.tracking = _tracking_uploaded(shipment_id, tracking, carrier)
    if more is not None:
        scans, shipment.entries = more
        number = None if tracking is None else tracking[3]
        shipment.scans = tuple([_tracking_scanned(shipment_id, scan, carrier, number) for scan in scans])


def _order_shipped(shipment_id: ShipmentId, common: Common, fact: ShippedFact) -> OrderShipped:
    seller_id, own_id = shipment_id
    marketplace, category, by_marketplace, carrier, ship_method, currency, ship_from, ship_to = common
    event_time, event_id, order, amount, at, promised = fact
    shipped_at = event_time if at is None else at
    return _Shipped(
        event_id=unpacked_id(event_id),
        event_time=event_time,
        seller_id=seller_id,
        order_id=order if isinstance(order, str) else own_id[:order],
        marketplace=marketplace,
        shipped_at=shipped_at,
        shipment_id=own_id,
        category=category,
        fulfilled_by="marketplace" if by_marketplace else "merchant",
        carrier=carrier,
        ship_method=ship_method,
        order_value=None if amount is None else _Money(_Decimal(amount), currency or ""),
        ship_from=ship_from,
        ship_to=ship_to,
        promised_delivery_by=shipped_at if isinstance(promised, bool) else promised,
    )


def _tracking_uploaded(shipment_id: ShipmentId, fact: TrackingFact, shipped_with: str | None) -> TrackingUploaded:
    seller_id, own_id = shipment_id
    event_time, event_id, carrier, number, uploaded_at = fact
    return _Uploaded(
        event_id=unpacked_id(event_id),
        event_time=event_time,
        seller_id=seller_id,
        tracking_number=number,
        shipment_id=own_id,
        carrier=shipped_with if isinstance(carrier, bool) else carrier,
        uploaded_at=event_time if isinstance(uploaded_at, bool) else uploaded_at,
    )


def _tracking_scanned(
    shipment_id: ShipmentId, fact: ScanFact, shipped_with: str | None, known_number: str | None
) -> TrackingScanned:
    seller_id, own_id = shipment_id
    event_time, event_id, milestone, carrier, number, scanned_at = fact
    return TrackingScanned(
        event_id=unpacked_id(event_id),
        event_time=event_time,
        seller_id=seller_id,
        milestone=milestone,
        shipment_id=own_id,
        tracking_number=known_number if isinstance(number, bool) else number,
        carrier=shipped_with if isinstance(carrier, bool) else carrier,
        scanned_at=event_time if isinstance(scanned_at, bool) else scanned_at,
    )


# --- Without decoding ------------------------------------------------------------------------------------------------


def common_end(value: bytes) -> int:
    """Where what many have alike ends, from the beginning of the value on, and the facts begin; 0 where the value is
    not in this form."""
    length = len(value)
    if length <= _COMMON + _HOUR or value[0] != _FORM:
        return 0
    end = _COMMON + (value[1] << 8 | value[2])
    return end if end + _HOUR < length else 0


def kept_until(value: bytes) -> int:
    """The hour since 1970 UTC in which the shipment may be forgotten."""
    return int.from_bytes(_hour(value), "big")


def _hour(value: bytes) -> bytes:
    return value[len(value) - _HOUR :] if value[:1] == FORM else value[1 : 1 + _HOUR]


def forgettable(rows: Iterable[tuple[bytes, bytes]], hour: int) -> list[bytes]:
    """The keys of the rows that may be forgotten in ``hour``."""
    now = hour.to_bytes(_HOUR, "big")  # big-endian bytes compare as the numbers do
    return [key for key, value in rows if _hour(value) <= now]


def pack_watermark(hour: int) -> bytes:
    """The value of the watermark's row."""
    return _WATERMARK_FORM + hour.to_bytes(_HOUR, "big") + _NEVER


def unpack_watermark(value: bytes) -> int:
    """The hour since 1970 UTC that the partition has reached. Raises :class:`CorruptShipmentError`."""
    if len(value) == len(_WATERMARK_FORM) + 2 * _HOUR and value.startswith(_WATERMARK_FORM) and value.endswith(_NEVER):
        return int.from_bytes(value[len(_WATERMARK_FORM) : -_HOUR], "big")
    if len(value) == len(FORM_2) + 2 * _HOUR and value.startswith(FORM_2 + _NEVER):
        return int.from_bytes(value[-_HOUR:], "big")
    raise CorruptShipmentError(f"watermark {value!r:.80}")
