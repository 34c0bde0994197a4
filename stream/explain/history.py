"""An explanation from history files: what ``vtr replay`` of the same files counts."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from stream.events import Event, OrderShipped
from stream.explain.explanation import Explanation, explain_shipment
from stream.explain.near import NotFoundError, no_seller, no_shipment
from stream.policy import RulesPolicy
from stream.replay import Summary, usable_events
from stream.settings import Settings
from stream.shipment import hour_of


class SellerHistory(Struct, frozen=True):
    """The events of one seller up to ``as_of``."""

    events: list[Event]
    as_of: datetime

    def explain(self, policy: RulesPolicy, lag_days: int, shipment_id: str) -> Explanation:
        """The explanation of a shipment that the events are about."""
        return explain_shipment(
            policy,
            lag_days,
            shipment_id,
            self.events,
            self.as_of,
            reached=hour_of,  # a replay applies the events of a minute when time has come to its beginning
            read_from="history",
        )


def explain_history(
    files: Sequence[str],
    seller_id: str,
    shipment_id: str,
    settings: Settings,
    summary: Summary,
    *,
    as_of: datetime | None = None,
) -> Explanation:
    """The explanation of a shipment ``as_of`` an instant (UTC-aware; default: the last event's time).

    What the files had that could not be used is counted in ``summary``. Raises
    :class:`~stream.explain.near.NotFoundError`, :class:`~stream.replay.errors.ReplayError` and
    :class:`~stream.policy.error.PolicyError`.
    """
    policy = RulesPolicy.of(settings)
    history = read_history(files, seller_id, shipment_id, summary, as_of=as_of)
    return history.explain(policy, settings.lag_days, shipment_id)


def read_history(
    files: Sequence[str], seller_id: str, shipment_id: str, summary: Summary, *, as_of: datetime | None = None
) -> SellerHistory:
    """The history of a seller who has that shipment; see :func:`explain_history`."""
    own: list[Event] = []
    sellers: set[str] = set()
    elsewhere: set[str] = set()
    end = as_of
    for events in usable_events(files, summary, as_of):
        for event in events:
            sellers.add(event.seller_id)
            if event.seller_id == seller_id:
                own.append(event)
            elif event.shipment_id == shipment_id:
                elsewhere.add(event.seller_id)
        if as_of is None and events:
            last = max(event.event_time for event in events)
            end = last if end is None else max(end, last)
    later = f" (later events left out: {summary.after_as_of})" if summary.after_as_of else ""
    where = f"{', '.join(files)}{later}"
    if end is None or not sellers:
        raise NotFoundError(f"there are no events in {where}")
    if not own:
        raise no_seller(seller_id, sellers, where)
    if all(event.shipment_id != shipment_id for event in own):
        raise no_shipment(seller_id, shipment_id, _orders(own), elsewhere, where)
    return SellerHistory(own, end)


def _orders(events: Sequence[Event]) -> dict[str, str | None]:
    """The order of each shipment, as the events that were shipped say it, or else any other."""
    orders: dict[str, str | None] = {}
    for event in events:
        if isinstance(event, OrderShipped) or orders.get(event.shipment_id) is None:
            orders[event.shipment_id] = event.order_id
    return orders
