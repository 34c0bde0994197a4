"""The facts of a shipment as its row has them: arrays, without the shipment's own ids."""

from msgspec import Struct

from stream.events import Instant, Milestone
from stream.shipment import Entry


class ShippedFact(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
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


class TrackingFact(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    event_time: Instant
    event_id: str
    carrier: str | None
    tracking_number: str | None
    uploaded_at: Instant | None


class ScanFact(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    event_time: Instant
    event_id: str
    milestone: Milestone
    carrier: str | None
    tracking_number: str | None
    scanned_at: Instant | None


class Facts(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    shipped: ShippedFact | None
    tracking: TrackingFact | None
    scans: tuple[ScanFact, ...]
    entries: tuple[Entry, ...]
