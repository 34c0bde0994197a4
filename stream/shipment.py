"""One shipment: its facts, how versions of a fact merge, and its form in the store and the changelog.

Every event is a fact with a version ``(event_time, event_id)``. Per shipment and kind of fact the highest version
wins, so duplicates, re-deliveries and any order of arrival end in the same state.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import cast

import msgspec
from msgspec import Struct

from stream.events import Event, Milestone, OrderShipped, TrackingUploaded

HOUR = 3600
"""Seconds."""
DAY = 86_400
"""Seconds."""
MICROSECOND = 1_000_000
"""Per second."""


class ShippedFact(Struct, array_like=True, frozen=True, gc=False):
    """What the latest order-shipped event says. ``version_us`` is its time in microseconds, other times are in
    seconds, all since 1970 UTC; ``amount`` is a decimal in major units."""

    version_us: int
    event_id: str
    order_id: str
    marketplace: str
    category: str
    fulfilled_by: str
    carrier: str | None
    ship_method: str | None
    amount: str | None
    currency: str | None
    ship_from: str | None
    ship_to: str | None
    shipped_at: int
    promised_by: int

    @property
    def hour(self) -> int:
        """The hour since 1970 UTC that the shipment belongs to in the live window."""
        return self.shipped_at // HOUR

    @property
    def day(self) -> int:
        """The day since 1970 UTC that the shipment belongs to in the official window."""
        return self.promised_by // DAY


class TrackingFact(Struct, array_like=True, frozen=True, gc=False):
    """What the latest tracking-uploaded event says; ``number`` is None where the seller removed it."""

    version_us: int
    event_id: str
    carrier: str | None
    number: str | None
    uploaded_at: int


class ScanFact(Struct, array_like=True, frozen=True, gc=False):
    """What the latest tracking-scanned event of one milestone says."""

    version_us: int
    event_id: str
    milestone: Milestone
    carrier: str | None
    number: str | None
    scanned_at: int


_encode = msgspec.msgpack.Encoder().encode

Fact = ShippedFact | TrackingFact | ScanFact


class Shipment(Struct, array_like=True):
    """All that is known of one shipment. ``scans`` holds one fact per milestone, in order of the milestones' names,
    so that equal states have equal bytes."""

    shipped: ShippedFact | None = None
    tracking: TrackingFact | None = None
    scans: tuple[ScanFact, ...] = ()

    def merge(self, fact: Fact) -> bool:
        """Take the fact if no higher version of it is known. Returns whether it was taken."""
        kind = fact.__class__
        if kind is ShippedFact:
            if self.shipped is not None and not _is_news(fact, self.shipped):
                return False
            self.shipped = cast("ShippedFact", fact)
        elif kind is TrackingFact:
            if self.tracking is not None and not _is_news(fact, self.tracking):
                return False
            self.tracking = cast("TrackingFact", fact)
        else:
            return self._merge_scan(cast("ScanFact", fact))
        return True

    def _merge_scan(self, fact: ScanFact) -> bool:
        known = next((scan for scan in self.scans if scan.milestone == fact.milestone), None)
        if known is not None:
            if not _is_news(fact, known):
                return False
            others = [scan for scan in self.scans if scan is not known]
        else:
            others = [*self.scans]
        others.append(fact)
        others.sort(key=lambda scan: scan.milestone)
        self.scans = tuple(others)
        return True


def _is_news(fact: Fact, known: Fact) -> bool:
    if fact.version_us != known.version_us:
        return fact.version_us > known.version_us
    if fact.event_id != known.event_id:
        return fact.event_id > known.event_id
    # A producer has used an id twice. Either may win, but the same one in every order of arrival.
    return fact != known and _encode(fact) > _encode(known)


def fact_of(event: Event) -> Fact:
    """The fact that an event states."""
    version_us = microseconds(event.event_time)
    if isinstance(event, OrderShipped):
        value = event.order_value
        shipped_at = int(event.shipped_at.timestamp())
        promised = event.promised_delivery_by
        return ShippedFact(
            version_us,
            event.event_id,
            event.order_id,
            event.marketplace,
            event.category,
            event.fulfilled_by,
            event.carrier,
            event.ship_method,
            None if value is None else str(value.amount),
            None if value is None else value.currency,
            event.ship_from,
            event.ship_to,
            shipped_at,
            shipped_at if promised is None else int(promised.timestamp()),
        )
    if isinstance(event, TrackingUploaded):
        uploaded_at = version_us // MICROSECOND if event.uploaded_at is None else seconds(event.uploaded_at)
        return TrackingFact(version_us, event.event_id, event.carrier, event.tracking_number, uploaded_at)
    scanned_at = version_us // MICROSECOND if event.scanned_at is None else seconds(event.scanned_at)
    return ScanFact(version_us, event.event_id, event.milestone, event.carrier, event.tracking_number, scanned_at)


def seconds(instant: datetime) -> int:
    """Whole seconds since 1970 UTC, rounded down; for instants after 1970."""
    return int(instant.timestamp())


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970 UTC, exact until the year 2106: a double holds them to the half."""
    return round(instant.timestamp() * MICROSECOND)


# --- The stored form -------------------------------------------------------------------------------------------------
#
# key:   2 bytes length of the seller id, the seller id, the shipment id (UTF-8): a seller's shipments are neighbours,
#        and no character need be forbidden to separate the two.
# value: 1 byte version of this form, 4 bytes hour until which the shipment is kept, then the facts as MessagePack
#        arrays. The hour stands in front so that finding what to forget decodes nothing.

FORM = b"\x01"
_KEEP_UNTIL = slice(1, 5)
_FACTS = 5

_decode_facts = msgspec.msgpack.Decoder(Shipment).decode


class CorruptShipmentError(Exception):
    """A stored row is not in the form this version writes. Never skipped: the state behind it would be wrong."""


def shipment_key(seller_id: str, shipment_id: str) -> bytes:
    """The key of a shipment in the store and the changelog."""
    seller = seller_id.encode()
    return len(seller).to_bytes(2, "big") + seller + shipment_id.encode()


def split_key(key: bytes) -> tuple[str, str]:
    """Seller id and shipment id of a key. Raises :class:`CorruptShipmentError`."""
    end = 2 + int.from_bytes(key[:2], "big")
    if not 2 < end < len(key):
        raise CorruptShipmentError(f"key {key!r:.80}")
    try:
        return key[2:end].decode(), key[end:].decode()
    except UnicodeDecodeError as error:
        raise CorruptShipmentError(f"key {key!r:.80}: {error}") from error


def pack(keep_until: int, shipment: Shipment) -> bytes:
    """The stored form; ``keep_until`` is the hour since 1970 UTC in which the shipment may be forgotten."""
    return FORM + keep_until.to_bytes(4, "big") + _encode(shipment)


def kept_until(value: bytes) -> int:
    """The hour since 1970 UTC in which the shipment may be forgotten."""
    return int.from_bytes(value[_KEEP_UNTIL], "big")


def forgettable(rows: Iterable[tuple[bytes, bytes]], hour: int) -> list[bytes]:
    """The keys of the rows that may be forgotten in ``hour``."""
    now = hour.to_bytes(4, "big")  # big-endian bytes compare as the numbers do
    return [key for key, value in rows if value[_KEEP_UNTIL] <= now]


def unpack(value: bytes) -> Shipment:
    """The facts of a stored shipment. Raises :class:`CorruptShipmentError`."""
    if value[:1] != FORM:
        raise CorruptShipmentError(f"unknown form {value[:1]!r}")
    try:
        return _decode_facts(value[_FACTS:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptShipmentError(str(error)) from error
