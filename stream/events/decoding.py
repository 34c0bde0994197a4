"""The one place where bytes become events."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar, cast

import msgspec

from stream.events.types import Event, Money, OrderShipped, Rejection, RejectionCode, TrackingScanned, TrackingUploaded
from stream.places import COUNTRIES, MARKETPLACES, canonical_country, canonical_marketplace

MAX_EVENT_BYTES: Final = 65_536
"""An event is 200 to 600 bytes; what is a hundred times that is not one, and decoding it would stall a batch."""

MAX_FUTURE: Final = timedelta(hours=1)
"""How far ahead of the clock an event may be dated: sellers' clocks drift by minutes, never by hours."""

EARLIEST_EVENT_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""The marketplaces' rules start in 2015; what is dated before 2000 is a unit or default-value error."""

MAX_BACKDATING: Final = timedelta(days=366)
"""A fact may be reported late, but one about a shipment more than a year earlier is a wrong date."""

_EARLIEST: Final = -MAX_BACKDATING

MAX_AHEAD_SHIPPING: Final = timedelta(days=31)
"""Shipments are confirmed ahead of the pick-up by days; a month ahead is a wrong date."""

MAX_AHEAD_PROMISE: Final = timedelta(days=366)
"""Pre-orders promise months ahead; a promise more than a year away is a wrong date."""

MAX_AMOUNT: Final = Decimal(10) ** 12
"""No parcel is worth a trillion of any currency; the bound keeps exact arithmetic small."""

MAX_AMOUNT_DECIMALS: Final = 6
_CENT: Final = Decimal("0.01")
_NOTHING: Final = Decimal(0)

MAX_MESSAGE: Final = 500
"""Characters. A rejection quotes the value it is about, and a value can be as long as an event."""

# Compiled code has its own module's names at hand, and looks up those of others each time.
_SHIPPED: Final = OrderShipped
_UPLOADED: Final = TrackingUploaded
_UTC: Final = UTC
_COUNTRIES: Final = COUNTRIES
_MARKETPLACES: Final = MARKETPLACES

_NEARLY_A_SECOND: Final = b".999999"
_EXCESS: Final = re.compile(rb'("(?:event_time|shipped_at|promised_delivery_by)"\s*:\s*"[^"]*:[0-9]{2}\.999999)[0-9]+')
"""msgspec rounds to microseconds, and so the end of a day as some programs write it (23:59:59.999999999) to the next
day. Such a time is cut off instead."""

_Timed = TypeVar("_Timed", bound=Event)

_decoder: Final = msgspec.json.Decoder(Event)
_encoder: Final = msgspec.json.Encoder()


def encode(event: Event) -> bytes:
    """The event as one line of JSON, without the fields that hold their default."""
    return _encoder.encode(event)


def decode(value: bytes | None) -> Event | Rejection:
    """One record's value, or one line of a history file, as an event.

    Returns a :class:`Rejection` for whatever cannot be used; raises nothing, whatever the bytes.
    """
    if not value:
        return Rejection(RejectionCode.EMPTY_VALUE, "the record has no value")
    if len(value) > MAX_EVENT_BYTES:
        return Rejection(RejectionCode.TOO_LARGE, f"the event has {len(value)} bytes, more than {MAX_EVENT_BYTES}")
    try:
        event = _decoder.decode(value)
    except msgspec.ValidationError as error:
        return _explain(_shortened(str(error)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejection(RejectionCode.MALFORMED_JSON, str(error))
    try:
        return _normalise(event, value)
    except OverflowError:  # asking each time first would cost every event something
        return _beyond_time(event)


def check_arrival(event: Event, key: bytes | None, latest: datetime) -> Rejection | None:
    """What can only be judged where an event arrives: its record's key, and its time against the clock.

    ``latest`` is the clock plus :data:`MAX_FUTURE`; computed once per batch by the caller.
    """
    if key != event.seller_id.encode():
        return Rejection(
            RejectionCode.KEY_MISMATCH,
            f"the record's key is not the event's `seller_id`: {key!r:.80}; seller and partition would not match",
        )
    return future_event(event) if event.event_time > latest else None


def future_event(event: Event) -> Rejection:
    """The rejection of an event that is dated more than an hour ahead: one must not expire a window."""
    return Rejection(
        RejectionCode.FUTURE_EVENT, f"`event_time` {event.event_time.isoformat()} is more than an hour ahead"
    )


def _invalid(field: str, problem: str) -> Rejection:
    return Rejection(RejectionCode.INVALID_FIELD, f"{problem[:MAX_MESSAGE]} - at `$.{field}`")


def _shortened(message: str) -> str:
    """The message without the middle of a long value: it ends with the field's name."""
    return message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE // 2]}…{message[-MAX_MESSAGE // 2 :]}"


def _explain(message: str) -> Rejection:
    """msgspec names the field in its sentence; only the code has to be told apart. A value may be quoted in it, so
    only its fixed beginning and end can tell."""
    if message.startswith("Object missing required field"):
        return Rejection(RejectionCode.MISSING_FIELD, message)
    if message.endswith("`$.type`"):
        return Rejection(RejectionCode.UNKNOWN_TYPE, message)
    return Rejection(RejectionCode.INVALID_FIELD, message)


def _beyond_time(event: Event) -> Rejection:
    """The rejection of an event with a time that lies in the year 9999 where it was written, and in UTC after it."""
    field = "event_time"
    for name in ("event_time", "shipped_at", "promised_delivery_by", "uploaded_at", "scanned_at"):
        at: datetime | None = getattr(event, name, None)
        try:
            if at is not None:
                at.astimezone(UTC)
        except OverflowError:
            field = name
            break
    return _invalid(field, "the time is after the year 9999 in UTC")


def _normalise(event: Event, value: bytes) -> Event | Rejection:
    event_time = event.event_time
    if event_time < EARLIEST_EVENT_TIME:
        return _invalid("event_time", f"{event_time.isoformat()} is before {EARLIEST_EVENT_TIME.year}")
    if event_time.tzinfo is not _UTC:
        event.event_time = event_time.astimezone(UTC)
    if not event.shipment_id:
        if event.order_id is None:
            return Rejection(RejectionCode.MISSING_FIELD, "Object missing required field `shipment_id` (or `order_id`)")
        event.shipment_id = event.order_id
    kind = event.__class__
    if kind is _SHIPPED:
        return _normalise_shipped(cast("OrderShipped", event), value)
    if kind is _UPLOADED:
        return _normalise_tracking(cast("TrackingUploaded", event))
    return _normalise_scan(cast("TrackingScanned", event))


def _normalise_shipped(event: OrderShipped, value: bytes) -> Event | Rejection:
    event_time, shipped_at, promised = event.event_time, event.shipped_at, event.promised_delivery_by
    if not _EARLIEST <= shipped_at - event_time <= MAX_AHEAD_SHIPPING:
        return _invalid("shipped_at", f"{shipped_at.isoformat()} does not fit `event_time` {event_time.isoformat()}")
    if shipped_at.tzinfo is not _UTC:
        shipped_at = event.shipped_at = shipped_at.astimezone(UTC)
    if promised is None:
        promised = event.promised_delivery_by = shipped_at
    elif not _EARLIEST <= promised - event_time <= MAX_AHEAD_PROMISE:
        return _invalid(
            "promised_delivery_by", f"{promised.isoformat()} does not fit `event_time` {event_time.isoformat()}"
        )
    elif promised.tzinfo is not _UTC:
        promised = event.promised_delivery_by = promised.astimezone(UTC)
    # What windows go by: a time that is not at the beginning of an hour is in the hour that was written.
    if not (shipped_at.minute and promised.minute) and _NEARLY_A_SECOND in value:
        exact = _EXCESS.sub(rb"\1", value)
        if exact != value:
            return decode(exact)
    if event.order_value is not None and (rejection := _check_value(event.order_value)) is not None:
        return rejection
    marketplace = event.marketplace
    if marketplace not in _MARKETPLACES:
        event.marketplace = canonical_marketplace(marketplace)
        if not event.marketplace:
            return _invalid("marketplace", "a blank is no marketplace")
    if event.ship_from not in _COUNTRIES and event.ship_from is not None:
        event.ship_from = canonical_country(unknown := event.ship_from)
        if event.ship_from is None:
            return _invalid("ship_from", f"`{unknown}` is not an ISO 3166 alpha-2 country code")
    if event.ship_to not in _COUNTRIES and event.ship_to is not None:
        event.ship_to = canonical_country(unknown := event.ship_to)
        if event.ship_to is None:
            return _invalid("ship_to", f"`{unknown}` is not an ISO 3166 alpha-2 country code")
    return event


def _check_value(value: Money) -> Rejection | None:
    amount = value.amount
    # Not-a-number compares false, so it falls out here too.
    if not amount.is_finite() or not _NOTHING <= amount < MAX_AMOUNT:
        return _invalid("order_value.amount", f"`{amount}` is not an amount from 0 to below {MAX_AMOUNT:,}")
    # Nearly all amounts have two decimals, and asking for that is cheaper than asking how many.
    if not amount.same_quantum(_CENT) and -int(amount.as_tuple().exponent) > MAX_AMOUNT_DECIMALS:
        return _invalid("order_value.amount", f"`{amount}` has more than {MAX_AMOUNT_DECIMALS} decimals")
    currency = value.currency
    if not (currency.isascii() and currency.isalpha() and currency.isupper()):
        return _invalid("order_value.currency", f"`{currency}` is not an ISO 4217 code such as EUR")
    return None


def _normalise_tracking(event: TrackingUploaded) -> TrackingUploaded | Rejection:
    number = event.tracking_number
    if number is not None:
        number = number.strip()
        event.tracking_number = None if number in ("", "NULL") else number
    uploaded_at = event.uploaded_at
    if uploaded_at is None:
        return event
    if uploaded_at.tzinfo is not _UTC:
        uploaded_at = event.uploaded_at = uploaded_at.astimezone(UTC)
    return _check_time(event, "uploaded_at", uploaded_at)


def _normalise_scan(event: TrackingScanned) -> TrackingScanned | Rejection:
    scanned_at = event.scanned_at
    if scanned_at is None:
        return event
    if scanned_at.tzinfo is not _UTC:
        scanned_at = event.scanned_at = scanned_at.astimezone(UTC)
    return _check_time(event, "scanned_at", scanned_at)


def _check_time(event: _Timed, field: str, at: datetime) -> _Timed | Rejection:
    if _EARLIEST <= at - event.event_time <= MAX_BACKDATING:
        return event
    return _invalid(field, f"{at.isoformat()} does not fit `event_time` {event.event_time.isoformat()}")
