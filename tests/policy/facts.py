"""Shipments to judge, as the wire has them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from stream.events import Milestone, Money, OrderShipped, TrackingScanned, TrackingUploaded
from stream.policy import Outcome, RulesPolicy, Verdict
from stream.settings import Settings

POLICY = RulesPolicy.of(Settings())
"""The rules that come with the product."""

BY_SCAN = RulesPolicy.of(Settings(valid_when="scan"))

NUMBER = "1Z5R89390357567127"
"""One of UPS."""


def at(day: str) -> datetime:
    """An instant; without a time, noon UTC."""
    instant = datetime.fromisoformat(day if "T" in day else f"{day}T12:00:00")
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


Fields = dict[str, object]
"""What an order is given beside its value."""


def order(marketplace: str, on: str, value: str | None = "100 EUR", /, **fields: object) -> OrderShipped:
    """A parcel by UPS that the merchant shipped on a day; ``value`` such as ``19.99 EUR``."""
    shipped_at = at(on)
    amount, currency = value.split() if value else ("0", "EUR")
    shipped = OrderShipped(
        event_id="e1",
        event_time=shipped_at,
        seller_id="A1",
        order_id="028-1234567-7654321",
        shipment_id="028-1234567-7654321",
        marketplace=marketplace,
        carrier="UPS",
        ship_method="Standard",
        order_value=Money(Decimal(amount), currency) if value else None,
        shipped_at=shipped_at,
        promised_delivery_by=shipped_at + timedelta(days=3),
    )
    for name, given in fields.items():
        setattr(shipped, name, given)
    return shipped


def upload(shipped: OrderShipped, number: str | None = NUMBER, carrier: str | None = None) -> TrackingUploaded:
    """Its tracking, an hour after it was shipped."""
    return TrackingUploaded(
        event_id="e2",
        event_time=shipped.shipped_at + timedelta(hours=1),
        seller_id="A1",
        tracking_number=number,
        carrier=carrier,
    )


def scan(milestone: Milestone, on: str, tracking_number: str | None = None) -> TrackingScanned:
    """A scan of it."""
    return TrackingScanned(
        event_id="e3", event_time=at(on), seller_id="A1", milestone=milestone, tracking_number=tracking_number
    )


def judge(
    shipped: OrderShipped,
    number: str | None = NUMBER,
    scans: Sequence[TrackingScanned] = (),
    *,
    policy: RulesPolicy = POLICY,
) -> Verdict:
    """The verdict on a shipment with a number, entered an hour after it was shipped."""
    tracking = upload(shipped, number)
    return policy.rules_for(shipped).judge(shipped, tracking, scans, tracking.event_time, False)


def fate(shipped: OrderShipped) -> str:
    """Whether it counts, whatever its tracking: ``counted``, ``ambiguous`` or the reason for which it is left out."""
    verdict = POLICY.rules_for(shipped).judge(shipped, None, (), None, False)
    if verdict.outcome is Outcome.EXEMPT:
        assert verdict.reason is not None
        return verdict.reason
    return "ambiguous" if verdict.ambiguous else "counted"


def rules(family: str, marketplaces: list[str], *entries: str) -> str:
    """A policy file with one family. An entry is the lines that it has beside those that every entry needs."""
    text = f"[{family}]\nmarketplaces = {marketplaces}\n"
    for entry in entries:
        scalar, _, tables = entry.partition("[[")
        text += f"""
[[{family}.rules]]
threshold = {{ share = 0.95, grade = "D", source = ["ours"] }}
grace = {{ hours = 24, grade = "D", source = ["ours"] }}
validity = {{ when = "tracking", scan_grace_hours = 72, second_scan_grace_hours = 480, grade = "D", source = ["ours"] }}
unknown_carrier = {{ treatment = "counted", grade = "D", source = ["ours"] }}
{scalar}
{f"[[{tables}" if tables else ""}
[[{family}.rules.scans]]
needs = ["physical"]
grade = "D"
source = ["ours"]
"""
    return text
