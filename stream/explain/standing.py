"""What a shipment counts as at an hour of event time: its verdict, and what time has made of it."""

from datetime import datetime, timedelta
from typing import Final, Literal

from msgspec import Struct

from stream.policy import Outcome, Policy
from stream.shipment import EPOCH, Shipment, hour_of

StandingOutcome = Literal["valid", "defect", "pending", "exempt", "not_shipped"]

REASONS: Final[dict[str, str]] = {
    "no_tracking": "there is no tracking number",
    "no_carrier": "no carrier is given",
    "malformed_number": "the number cannot be one of the carrier's",
    "placeholder_number": "what stands in the place of the number is none",
    "reused_number": "another order of the seller has the number too",
    "late_tracking": "the tracking was entered after the delivery",
    "no_scan": "the carrier has not scanned it",
    "second_scan_missing": "a scan that is needed is missing",
    "carrier_not_integrated": "the carrier is none that the marketplace has integrated",
    "marketplace_fulfilled": "the marketplace fulfils it",
    "low_value_letter": "a letter of low value",
    "low_value": "its value is too low to count",
    "untracked_service": "it was sent by a service without tracking",
    "digital": "nothing was sent",
    "origin_not_covered": "the rules do not cover where it is from or where it goes",
}
"""The reason codes in plain words."""


class Standing(Struct, frozen=True, kw_only=True):
    """As what a shipment counts: ``not_shipped`` where no order-shipped event is known, so that it counts nowhere.

    ``reason`` is a stable code, ``carrier`` is named where it has a part in a defect, and a pending one becomes a
    defect at ``pending_until``. ``ambiguous``: counted although the sources of the rules leave that open.
    """

    outcome: StandingOutcome
    reason: str | None = None
    carrier: str | None = None
    pending_until: datetime | None = None
    ambiguous: bool = False


NOT_SHIPPED: Final = Standing(outcome="not_shipped")

_SETTLED: Final[dict[Outcome, StandingOutcome]] = {
    Outcome.VALID: "valid",
    Outcome.DEFECT: "defect",
    Outcome.EXEMPT: "exempt",
}


def standing_of(policy: Policy, shipment: Shipment, hour: int, *, is_reused: bool) -> Standing:
    """As what a shipment counts in ``hour`` (since 1970 UTC) by the facts it has; whether a window needs it is not
    asked here."""
    shipped = shipment.shipped
    if shipped is None:
        return NOT_SHIPPED
    verdict = policy.rules_for(shipped).judge(
        shipped, shipment.tracking, shipment.scans, shipment.entered_at(), is_reused
    )
    outcome = _SETTLED.get(verdict.outcome, "pending")
    pending_until = None
    if outcome == "pending":
        grace_end = hour_of(shipped.shipped_at) + 1 + verdict.grace_hours
        if grace_end <= hour:
            outcome = "defect"
        else:
            pending_until = EPOCH + timedelta(hours=grace_end)
    return Standing(
        outcome=outcome,
        reason=verdict.reason,
        carrier=verdict.carrier,
        pending_until=pending_until,
        ambiguous=verdict.ambiguous,
    )


def standing_words(standing: Standing) -> str:
    """The standing in plain words, with its reason code."""
    reason = f"{standing.reason} ({REASONS[standing.reason]})" if standing.reason is not None else ""
    if standing.outcome == "not_shipped":
        return "not counted: no order-shipped event of it is known"
    if standing.outcome == "exempt":
        return f"left out: {reason}"
    if standing.pending_until is not None:
        text = f"pending until {standing.pending_until:%Y-%m-%d %H:%M}, then a defect: {reason}"
    else:
        text = "valid" if standing.outcome == "valid" else f"a defect: {reason}"
    return f"{text}; counted although the sources leave that open" if standing.ambiguous else text
