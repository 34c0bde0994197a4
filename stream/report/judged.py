"""A seller's shipments as the engine counts them: each with its verdict and the windows that it is in."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, get_args

from stream.engine.numbers import use_of
from stream.engine.scope import AWAITING, DEFECT, EXEMPT, VALID, Sums, Totals
from stream.events import OrderShipped
from stream.explain.numbers import Numbers
from stream.explain.standing import Standing, standing_of
from stream.policy import Policy
from stream.records import Scope
from stream.shipment import Shipment, hour_of, promised_day
from stream.span import Span, keep_until

Window = Literal["live", "official"]
WINDOWS: tuple[Window, ...] = get_args(Window)

_OUTCOMES = {"valid": VALID, "defect": DEFECT, "pending": AWAITING, "exempt": EXEMPT}


class Judged(NamedTuple):
    """A shipment that is in a window, or in both; ``standing`` is as what it counts there."""

    shipment_id: str
    shipment: Shipment
    shipped: OrderShipped
    standing: Standing
    windows: tuple[Window, ...]


def judged(policy: Policy, lag_days: int, shipments: Mapping[str, Shipment], hour: int) -> Iterator[Judged]:
    """The shipments of one seller that are in a window in ``hour`` (since 1970 UTC), by shipment id.

    ``shipments`` may hold some that are too old for any window: they take no part, as in the engine.
    """
    numbers = Numbers()
    if policy.judges_reuse:
        for shipment_id, shipment in shipments.items():
            numbers.put(shipment_id, use_of(shipment), keep_until(shipment, lag_days))
    span = Span(lag_days, hour)
    for shipment_id, shipment in sorted(shipments.items()):
        shipped = shipment.shipped
        if shipped is None:
            continue
        windows = _windows(span, shipped)
        if windows:
            is_reused = numbers.is_reused(shipment_id, hour)
            standing = standing_of(policy, shipment, hour, is_reused=is_reused)
            yield Judged(shipment_id, shipment, shipped, standing, windows)


def _windows(span: Span, shipped: OrderShipped) -> tuple[Window, ...]:
    is_live = span.first_hour <= hour_of(shipped.shipped_at) <= span.last_hour
    is_official = span.first_day <= promised_day(shipped) <= span.last_day
    return tuple(window for window, is_in in zip(WINDOWS, (is_live, is_official), strict=True) if is_in)


def add(sums: Sums, standing: Standing) -> None:
    """Count a shipment of this standing, as the engine does."""
    is_ambiguous = standing.ambiguous and standing.outcome in ("valid", "defect")
    sums.add(_OUTCOMES[standing.outcome], 1, int(is_ambiguous))


def scope_sums(shipments: Iterable[Judged]) -> dict[tuple[Scope, Window], Totals]:
    """The sums of every scope with shipments, over each window: what an engine with these shipments has."""
    found: dict[tuple[Scope, Window], Sums] = {}
    for each in shipments:
        seller_id, marketplace, category = each.shipped.seller_id, each.shipped.marketplace, each.shipped.category
        for scope in (Scope(seller_id), Scope(seller_id, marketplace), Scope(seller_id, marketplace, category)):
            for window in each.windows:
                add(found.setdefault((scope, window), Sums()), each.standing)
    return {key: sums.totals() for key, sums in found.items()}
