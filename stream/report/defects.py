"""The report itself: which of a seller's shipments are defects in a window, and all there is to say of each."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import cast

from msgspec import Struct, field

from stream.engine.scope import Sums, counts
from stream.events import Instant, Money
from stream.places import canonical_marketplace
from stream.policy.conditions import Facts
from stream.records import Counts, DefectReason
from stream.report.judged import Judged, Window, add
from stream.report.remedies import REMEDIES
from stream.shipment import EPOCH, hour_of
from stream.span import Span
from stream.tracking import resolve_carrier


class Selection(Struct, frozen=True, kw_only=True):
    """Which shipments a report is about: all of a window, or those of a marketplace, a category, a carrier.

    A carrier is meant however it is spelt; a marketplace also by its id.
    """

    window: Window = "live"
    marketplace: str | None = None
    category: str | None = None
    carrier: str | None = None


class Defect(Struct, frozen=True, kw_only=True):
    """A shipment that is counted and not valid. ``carrier`` is by its own name where it is known, else as it was given;
    ``tracking_number`` is the present one. ``ambiguous``: counted although the sources of the rules leave that open."""

    order_id: str
    shipment_id: str
    marketplace: str
    category: str
    carrier: str | None
    tracking_number: str | None
    ship_from: str | None
    ship_method: str | None
    order_value: Money | None
    shipped_at: Instant
    promised_delivery_by: Instant
    reason: DefectReason
    ambiguous: bool
    what_to_do: str


class DefectReport(Struct, frozen=True, kw_only=True):
    """A seller's defects in a window, in order of shipping.

    ``marketplace``, ``category`` and ``carrier`` are what was selected, None for all. The window is of ship times
    (live) or of promised deliveries (official) from ``from_`` to before ``to``. ``counts`` are of all selected
    shipments, so its ``defects`` is how many there are in the list.
    """

    seller_id: str
    marketplace: str | None
    category: str | None
    carrier: str | None
    window: Window
    from_: Instant = field(name="from")
    to: Instant
    as_of: Instant
    counts: Counts
    defects: list[Defect]


def defect_report(
    seller_id: str, shipments: Iterable[Judged], selection: Selection, lag_days: int, as_of: datetime
) -> DefectReport:
    """The report on judged shipments of a seller as of an instant, the one in whose hour they were judged."""
    marketplace = None if selection.marketplace is None else canonical_marketplace(selection.marketplace)
    carrier = None if selection.carrier is None else _carrier(selection.carrier)
    sums, defects = Sums(), []
    for each in shipments:
        shipped = each.shipped
        given = _given_carrier(each)
        if (
            selection.window in each.windows
            and marketplace in (None, shipped.marketplace)
            and selection.category in (None, shipped.category)
            and carrier in (None, given and given.casefold())
        ):
            add(sums, each.standing)
            if each.standing.outcome == "defect":
                defects.append(_defect(each, given))
    defects.sort(key=lambda defect: (defect.shipped_at, defect.shipment_id))
    first, end = _bounds(Span(lag_days, hour_of(as_of)), selection.window)
    return DefectReport(
        seller_id=seller_id,
        marketplace=marketplace,
        category=selection.category,
        carrier=selection.carrier,
        window=selection.window,
        from_=first,
        to=end,
        as_of=as_of,
        counts=counts(sums.totals()),
        defects=defects,
    )


def _defect(judged: Judged, carrier: str | None) -> Defect:
    shipped, tracking = judged.shipped, judged.shipment.tracking
    reason = cast("DefectReason", judged.standing.reason)
    return Defect(
        order_id=shipped.order_id,
        shipment_id=judged.shipment_id,
        marketplace=shipped.marketplace,
        category=shipped.category,
        carrier=carrier,
        tracking_number=None if tracking is None else tracking.tracking_number,
        ship_from=shipped.ship_from,
        ship_method=shipped.ship_method,
        order_value=shipped.order_value,
        shipped_at=shipped.shipped_at,
        promised_delivery_by=shipped.promised_delivery_by or shipped.shipped_at,
        reason=reason,
        ambiguous=judged.standing.ambiguous,
        what_to_do=REMEDIES[reason],
    )


def _given_carrier(judged: Judged) -> str | None:
    """The carrier as the rules take it."""
    shipped, tracking = judged.shipped, judged.shipment.tracking
    carriers = (None if tracking is None else tracking.carrier, shipped.carrier)
    return Facts.of(shipped.ship_from, shipped.ship_to, carriers, shipped.ship_method).carrier_name


def _carrier(meant: str) -> str:
    known = resolve_carrier(meant)
    return (meant.strip() if known is None else known.name).casefold()


def _bounds(span: Span, window: Window) -> tuple[datetime, datetime]:
    """The first instant of a window, and the first after it."""
    if window == "live":
        return EPOCH + timedelta(hours=span.first_hour), EPOCH + timedelta(hours=span.last_hour + 1)
    return EPOCH + timedelta(days=span.first_day), EPOCH + timedelta(days=span.last_day + 1)
