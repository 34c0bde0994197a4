"""An explanation from history files: what ``vtr replay`` of the same files counts."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from stream.events import Event, OrderShipped
from stream.explain.explanation import Explanation, explain_shipment
from stream.explain.near import no_shipment
from stream.explain.seller import read_seller
from stream.policy import RulesPolicy
from stream.replay import Meter, Summary
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
    meter: Meter | None = None,
) -> Explanation:
    """The explanation of a shipment ``as_of`` an instant (UTC-aware; default: the last event's time).

    What the files had that could not be used is counted in ``summary``. Raises
    :class:`~stream.explain.near.NotFoundError`, :class:`~stream.replay.errors.ReplayError` and
    :class:`~stream.policy.error.PolicyError`.
    """
    policy = RulesPolicy.of(settings)
    history = read_history(files, seller_id, shipment_id, summary, as_of=as_of, meter=meter)
    return history.explain(policy, settings.lag_days, shipment_id)


def read_history(
    files: Sequence[str],
    seller_id: str,
    shipment_id: str,
    summary: Summary,
    *,
    as_of: datetime | None = None,
    meter: Meter | None = None,
) -> SellerHistory:
    """The history of a seller who has that shipment; see :func:`explain_history`."""
    found = read_seller(files, seller_id, summary, as_of=as_of, shipment_id=shipment_id, meter=meter)
    if all(event.shipment_id != shipment_id for event in found.events):
        raise no_shipment(seller_id, shipment_id, _orders(found.events), found.elsewhere, found.where)
    return SellerHistory(found.events, as_of or found.last)


def _orders(events: Sequence[Event]) -> dict[str, str | None]:
    """The order of each shipment, as the events that were shipped say it, or else any other."""
    orders: dict[str, str | None] = {}
    for event in events:
        if isinstance(event, OrderShipped) or orders.get(event.shipment_id) is None:
            orders[event.shipment_id] = event.order_id
    return orders
