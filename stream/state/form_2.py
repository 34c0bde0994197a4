"""Rows as they were written before: read, so that a changelog or a store of an earlier version still serves.

Nothing is written in this form. A shipment is kept for some ten weeks at most, so the last such row is gone by then.
"""

from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from stream.events import Instant, Milestone, Money, OrderShipped, TrackingScanned, TrackingUploaded
from stream.shipment import Entry, Shipment, ShipmentId

FORM_2: Final = b"\x02"


class _Shipped(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    event_time: Instant
    event_id: str
    order_id: str
    marketplace: str
    category: str
    by_marketplace: bool
    carrier: str | None
    ship_method: str | None
    amount: str | None
    currency: str | None
    ship_from: str | None
    ship_to: str | None
    shipped_at: Instant
    promised_delivery_by: Instant | None


class _Tracking(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    event_time: Instant
    event_id: str
    carrier: str | None
    tracking_number: str | None
    uploaded_at: Instant | None


class _Scan(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    event_time: Instant
    event_id: str
    milestone: Milestone
    carrier: str | None
    tracking_number: str | None
    scanned_at: Instant | None


class _Facts(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    shipped: _Shipped | None
    tracking: _Tracking | None
    scans: tuple[_Scan, ...]
    entries: tuple[Entry, ...]


_decode: Final = msgspec.msgpack.Decoder(_Facts).decode


def unpack_form_2(shipment: Shipment, shipment_id: ShipmentId, facts: bytes) -> None:
    """Let a new shipment have these facts. Raises msgspec's errors, UnicodeDecodeError and ArithmeticError for what is
    not in this form."""
    stored = _decode(facts)
    seller_id, own_id = shipment_id
    if (shipped := stored.shipped) is not None:
        amount = shipped.amount
        shipment.shipped = OrderShipped(
            event_id=shipped.event_id,
            event_time=shipped.event_time,
            seller_id=seller_id,
            order_id=shipped.order_id,
            marketplace=shipped.marketplace,
            shipped_at=shipped.shipped_at,
            shipment_id=own_id,
            category=shipped.category,
            fulfilled_by="marketplace" if shipped.by_marketplace else "merchant",
            carrier=shipped.carrier,
            ship_method=shipped.ship_method,
            order_value=None if amount is None else Money(Decimal(amount), shipped.currency or ""),
            ship_from=shipped.ship_from,
            ship_to=shipped.ship_to,
            promised_delivery_by=shipped.promised_delivery_by,
        )
    if (tracking := stored.tracking) is not None:
        shipment.tracking = TrackingUploaded(
            event_id=tracking.event_id,
            event_time=tracking.event_time,
            seller_id=seller_id,
            tracking_number=tracking.tracking_number,
            shipment_id=own_id,
            carrier=tracking.carrier,
            uploaded_at=tracking.uploaded_at,
        )
    shipment.scans = tuple(
        TrackingScanned(
            event_id=scan.event_id,
            event_time=scan.event_time,
            seller_id=seller_id,
            milestone=scan.milestone,
            shipment_id=own_id,
            tracking_number=scan.tracking_number,
            carrier=scan.carrier,
            scanned_at=scan.scanned_at,
        )
        for scan in stored.scans
    )
    shipment.entries = stored.entries
