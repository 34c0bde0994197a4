"""What an event says that was not known of its shipment before, in plain words."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from stream.events import Event, Money, OrderShipped, TrackingScanned, TrackingUploaded
from stream.shipment import Shipment


class Facts(NamedTuple):
    """What was known of a shipment at some point: merging changes a shipment in place."""

    shipped: OrderShipped | None
    tracking: TrackingUploaded | None
    scans: tuple[TrackingScanned, ...]
    entered_at: datetime | None

    @classmethod
    def of(cls, shipment: Shipment) -> "Facts":
        """What is known of a shipment now."""
        return cls(shipment.shipped, shipment.tracking, shipment.scans, shipment.entered_at())


def news(event: Event, before: Facts, after: Facts) -> str | None:
    """What the event has changed; None where it says what was known, though under a new version."""
    if isinstance(event, OrderShipped):
        return _shipped_news(event, before.shipped)
    if isinstance(event, TrackingUploaded):
        return _tracking_news(event, before, after)
    return _scan_news(event, before.scans)


def instant(at: datetime) -> str:
    """An instant to the second; all that people are shown are UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


# --- Order-shipped ---------------------------------------------------------------------------------------------------


def _shipped_news(event: OrderShipped, known: OrderShipped | None) -> str | None:
    if known is None:
        return f"shipped {', '.join(f'{label} {value}' for label, value in _details(event) if value != '—')}"
    old = dict(_details(known))
    changed = [f"{label} is {value} instead of {old[label]}" for label, value in _details(event) if value != old[label]]
    return f"corrected: {', '.join(changed)}" if changed else None


def _details(shipped: OrderShipped) -> Iterator[tuple[str, str]]:
    """Everything the rules and the windows can ask about, in words and with a dash for what is not given."""
    yield "at", instant(shipped.shipped_at)
    yield "by the", shipped.fulfilled_by
    yield "order", shipped.order_id
    yield "marketplace", shipped.marketplace
    yield "category", shipped.category
    yield "carrier", shipped.carrier or "—"
    yield "method", shipped.ship_method or "—"
    yield "value", _money(shipped.order_value)
    yield "from", shipped.ship_from or "—"
    yield "to", shipped.ship_to or "—"
    yield "promised by", "—" if shipped.promised_delivery_by is None else instant(shipped.promised_delivery_by)


def _money(value: Money | None) -> str:
    return "—" if value is None else f"{value.currency} {value.amount}"


# --- Tracking --------------------------------------------------------------------------------------------------------


def _tracking_news(event: TrackingUploaded, before: Facts, after: Facts) -> str | None:
    old, new = before.tracking, after.tracking
    old_number = None if old is None else old.tracking_number
    new_number = None if new is None else new.tracking_number
    old_carrier = None if old is None else old.carrier or None
    new_carrier = None if new is None else new.carrier or None
    of_carrier = f" of {new_carrier}" if new_carrier else ", without a carrier"
    entered = _entered(event, after)
    if new_number is None and (old_number is not None or old is None):
        return (
            "tracking without a number" if old_number is None else f"tracking number {_quoted(old_number)} taken back"
        )
    if new_number is not None and old_number is None:
        return f"tracking number {_quoted(new_number)}{of_carrier}{entered}"
    if new_number is not None and old_number is not None and new_number != old_number:
        return f"tracking number {_quoted(new_number)}{of_carrier} instead of {_quoted(old_number)}{entered}"
    if old_carrier != new_carrier:
        return f"carrier of the tracking {new_carrier or '—'} instead of {old_carrier or '—'}{entered}"
    if new_number is not None and before.entered_at != after.entered_at:
        return f"tracking number {_quoted(new_number)} turns out to have been entered earlier{entered}"
    return None


def _quoted(number: str) -> str:
    """Numbers are whatever sellers write, such as the word pending."""
    return f"“{number}”"


def _entered(event: TrackingUploaded, after: Facts) -> str:
    """When the number was first entered, where that was not now."""
    entered_at = after.entered_at
    return "" if entered_at in (None, event.event_time) else f", first entered {instant(entered_at)}"


# --- Scans -----------------------------------------------------------------------------------------------------------


def _scan_news(event: TrackingScanned, known: tuple[TrackingScanned, ...]) -> str | None:
    old = next((scan for scan in known if scan.milestone == event.milestone), None)
    if old is None:
        return f"{event.milestone}{_scanned(event, is_first=True)}"
    if _scan(old) == _scan(event):
        return None
    return f"{event.milestone} corrected:{_scanned(event)} instead of{_scanned(old)}"


def _scan(scan: TrackingScanned) -> tuple[str | None, datetime]:
    return scan.tracking_number, scan.scanned_at or scan.event_time


def _scanned(scan: TrackingScanned, *, is_first: bool = False) -> str:
    number, at = _scan(scan)
    when = "" if is_first and at == scan.event_time else f" {instant(at)}"
    return f"{when}{'' if number is None else f' of number {_quoted(number)}'}"
