"""Verdicts written to be read: each shipment anew from the list of all events, judged by the rules alone.

For histories that are shorter than anything is kept.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from stream.events import Event, OrderShipped, TrackingScanned, TrackingUploaded
from stream.policy import Outcome, RulesPolicy
from stream.settings import Settings
from tests.oracle import DAY, HOUR, day_of, hour_of

OUTCOMES = {Outcome.VALID: "valid", Outcome.DEFECT: "defect", Outcome.EXEMPT: "exempt"}


class Judged(NamedTuple):
    """As what a shipment counts, and in which windows."""

    outcome: str
    reason: str | None
    ambiguous: bool
    shipped: OrderShipped
    live: bool
    official: bool


ShipmentId = tuple[str, str]


def judged(events: Iterable[Event], settings: Settings, as_of: datetime) -> dict[ShipmentId, Judged]:
    """The shipments in a window."""
    policy = RulesPolicy.of(settings)
    in_order = sorted((e for e in events if e.event_time <= as_of), key=lambda e: (e.event_time, e.event_id))
    by_shipment: dict[ShipmentId, list[Event]] = {}
    for event in in_order:
        by_shipment.setdefault((event.seller_id, event.shipment_id), []).append(event)
    users: dict[tuple[str, str], set[str]] = {}
    for (seller_id, _), own in by_shipment.items():
        shipped, number = _shipped(own), _number(own)
        if shipped is not None and number is not None:
            users.setdefault((seller_id, number), set()).add(shipped.order_id)
    found: dict[ShipmentId, Judged] = {}
    for key, own in by_shipment.items():
        shipped = _shipped(own)
        if shipped is None:
            continue
        live, official = _windows(shipped, settings, as_of)
        if live or official:
            is_reused = len(users.get((key[0], _number(own) or ""), ())) > 1
            found[key] = Judged(*_verdict(policy, shipped, own, as_of, is_reused=is_reused), shipped, live, official)
    return found


def _verdict(
    policy: RulesPolicy, shipped: OrderShipped, own: list[Event], as_of: datetime, *, is_reused: bool
) -> tuple[str, str | None, bool]:
    scans = {event.milestone: event for event in own if isinstance(event, TrackingScanned)}
    tracking = _tracking(own)
    verdict = policy.rules_for(shipped).judge(shipped, tracking, list(scans.values()), _entered_at(own), is_reused)
    outcome = OUTCOMES.get(verdict.outcome)
    if outcome is None:
        hour = shipped.shipped_at.replace(minute=0, second=0, microsecond=0)
        outcome = "defect" if hour + HOUR + timedelta(hours=verdict.grace_hours) <= as_of else "pending"
    return outcome, verdict.reason, verdict.ambiguous


def _windows(shipped: OrderShipped, settings: Settings, as_of: datetime) -> tuple[bool, bool]:
    assert shipped.promised_delivery_by is not None
    age = hour_of(as_of) - hour_of(shipped.shipped_at)
    days = day_of(as_of) - day_of(shipped.promised_delivery_by) - settings.lag_days
    return 0 <= age < 30 * DAY // HOUR, 0 <= days < 30


def _shipped(own: Iterable[Event]) -> OrderShipped | None:
    return next((event for event in reversed(list(own)) if isinstance(event, OrderShipped)), None)


def _tracking(own: Iterable[Event]) -> TrackingUploaded | None:
    return next((event for event in reversed(list(own)) if isinstance(event, TrackingUploaded)), None)


def _number(own: Iterable[Event]) -> str | None:
    tracking = _tracking(own)
    number = None if tracking is None else tracking.tracking_number
    return None if number is None else "".join(filter(str.isalnum, number.upper()))


def _entered_at(own: Iterable[Event]) -> datetime | None:
    tracking = _tracking(own)
    if tracking is None or tracking.tracking_number is None:
        return None
    return min(event.uploaded_at or event.event_time for event in _same(own, tracking))


def _same(own: Iterable[Event], tracking: TrackingUploaded) -> Iterator[TrackingUploaded]:
    shipped = _shipped(own)

    def carrier(event: TrackingUploaded) -> str:
        return (event.carrier or "").strip() or (shipped.carrier or "" if shipped is not None else "").strip()

    for event in own:
        if (
            isinstance(event, TrackingUploaded)
            and event.tracking_number == tracking.tracking_number
            and carrier(event) == carrier(tracking)
        ):
            yield event
