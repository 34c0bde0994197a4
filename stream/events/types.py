"""The three event types, and what stands for an event that cannot be used."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=1024)]
Text = Annotated[str, Meta(max_length=256)]
Instant = Annotated[datetime, Meta(tz=True)]
Currency = Annotated[str, Meta(min_length=3, max_length=3)]

Milestone = Literal[
    "carrier_received",
    "arrived_at_facility",
    "in_transit",
    "out_for_delivery",
    "delivery_attempted",
    "delivered",
    "returned",
]


class Money(Struct, frozen=True, gc=False):
    """An exact amount: a decimal in major units and its ISO 4217 currency."""

    amount: Decimal
    currency: Currency


class OrderShipped(Struct, tag_field="type", tag="order-shipped", kw_only=True, omit_defaults=True, gc=False):
    """A package left, or was confirmed to leave, the seller. Times are UTC-aware.

    After :func:`decode`, ``shipment_id`` and ``promised_delivery_by`` are filled in, marketplace and countries are in
    their canonical codes, and times in UTC.
    """

    event_id: Id
    event_time: Instant
    seller_id: Id
    order_id: Id
    marketplace: Annotated[str, Meta(min_length=1, max_length=64)]
    shipped_at: Instant
    shipment_id: Id = ""
    category: Annotated[str, Meta(min_length=1, max_length=256)] = "unknown"
    fulfilled_by: Literal["merchant", "marketplace"] = "merchant"
    carrier: Text | None = None
    ship_method: Text | None = None
    order_value: Money | None = None
    ship_from: Text | None = None
    ship_to: Text | None = None
    promised_delivery_by: Instant | None = None


class TrackingUploaded(Struct, tag_field="type", tag="tracking-uploaded", kw_only=True, omit_defaults=True, gc=False):
    """The seller gave, changed or removed a tracking number. After :func:`decode`, ``tracking_number`` is ``None``
    where the seller removed it (null, blank or ``NULL``, as in the marketplace's own feed), and times are in UTC."""

    event_id: Id
    event_time: Instant
    seller_id: Id
    tracking_number: Text | None
    order_id: Id | None = None
    shipment_id: Id = ""
    carrier: Text | None = None
    uploaded_at: Instant | None = None


class TrackingScanned(Struct, tag_field="type", tag="tracking-scanned", kw_only=True, omit_defaults=True, gc=False):
    """The carrier saw the package. After :func:`decode`, times are in UTC."""

    event_id: Id
    event_time: Instant
    seller_id: Id
    milestone: Milestone
    order_id: Id | None = None
    shipment_id: Id = ""
    tracking_number: Text | None = None
    carrier: Text | None = None
    scanned_at: Instant | None = None


Event = OrderShipped | TrackingUploaded | TrackingScanned


class RejectionCode(StrEnum):
    """Why an event cannot be used. Stable strings: dead letters carry them in a header."""

    EMPTY_VALUE = "empty_value"
    TOO_LARGE = "too_large"
    MALFORMED_JSON = "malformed_json"
    UNKNOWN_TYPE = "unknown_type"
    MISSING_FIELD = "missing_field"
    INVALID_FIELD = "invalid_field"
    KEY_MISMATCH = "key_mismatch"
    FUTURE_EVENT = "future_event"
    TOO_LATE = "too_late"


class Rejection(Struct, frozen=True):
    """An event that cannot be used: a stable code and a sentence that names the field."""

    code: RejectionCode
    message: str
