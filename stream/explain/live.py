"""An explanation from a running deployment: what its worker counts now, by the latest fact of each kind."""

from collections.abc import Iterator
from datetime import datetime

from stream.deployment import SellerShipments, shipments_of_seller
from stream.events import Event
from stream.explain.explanation import Explanation, explain_shipment
from stream.explain.near import NotFoundError, no_shipment
from stream.policy import RulesPolicy
from stream.settings import Settings
from stream.shipment import Shipment


async def explain_live(
    seller_id: str, shipment_id: str, settings: Settings, *, as_of: datetime | None = None
) -> Explanation:
    """The explanation of a shipment as of the hour that the deployment has reached, or a later ``as_of`` (UTC-aware).

    Earlier versions of facts are not kept, so an earlier ``as_of`` is refused. Raises
    :class:`~stream.explain.near.NotFoundError`, :class:`~stream.policy.error.PolicyError` and
    :class:`~stream.kafka.probe.BrokerError`.
    """
    policy = RulesPolicy.of(settings)
    kept = await known_shipments(seller_id, settings)
    if shipment_id not in kept.shipments:
        orders = {each: _order_of(shipment) for each, shipment in kept.shipments.items()}
        raise no_shipment(seller_id, shipment_id, orders, (), _where(settings))
    end = end_of(kept, as_of, settings, "explain the past from history files")
    return explain_kept(policy, settings.lag_days, kept, shipment_id, as_of=end)


async def known_shipments(seller_id: str, settings: Settings) -> SellerShipments:
    """What a deployment keeps of a seller. Raises :class:`~stream.explain.near.NotFoundError` where that is nothing,
    and :class:`~stream.kafka.probe.BrokerError`."""
    kept = await shipments_of_seller(settings, seller_id)
    if not kept.shipments:
        # Producers may have used another partitioner, all of them the same one: then it is elsewhere.
        raise NotFoundError(
            f"there is no seller {seller_id} in {_where(settings)}: nothing in partition {kept.partition} of "
            f"{settings.changelog_topic}, where Kafka's default partitioner puts it"
        )
    return kept


def end_of(kept: SellerShipments, as_of: datetime | None, settings: Settings, instead: str) -> datetime:
    """The hour that the deployment has reached, or a later ``as_of``. Raises
    :class:`~stream.explain.near.NotFoundError` for an earlier one; ``instead`` says what does that."""
    now = _now(kept)
    if as_of is not None and as_of < now:
        raise NotFoundError(
            f"{_where(settings)} has reached {now:%Y-%m-%dT%H:%M:%SZ} and keeps no earlier facts; {instead}"
        )
    return as_of or now


def _where(settings: Settings) -> str:
    return f"the deployment {settings.group} at {settings.broker}"


def explain_kept(
    policy: RulesPolicy, lag_days: int, kept: SellerShipments, shipment_id: str, *, as_of: datetime | None = None
) -> Explanation:
    """The explanation of one of the shipments that a deployment keeps; see :func:`explain_live`."""
    return explain_shipment(
        policy,
        lag_days,
        shipment_id,
        [event for shipment in kept.shipments.values() for event in _facts(shipment)],
        as_of or _now(kept),
        reached=_nothing_forgotten,
        read_from="deployment",
        entries={each: shipment.entries for each, shipment in kept.shipments.items()},
    )


def _now(kept: SellerShipments) -> datetime:
    return kept.reached or max(shipment.latest for shipment in kept.shipments.values())


def _facts(shipment: Shipment) -> Iterator[Event]:
    if shipment.shipped is not None:
        yield shipment.shipped
    if shipment.tracking is not None:
        yield shipment.tracking
    yield from shipment.scans


def _order_of(shipment: Shipment) -> str | None:
    return None if shipment.shipped is None else shipment.shipped.order_id


def _nothing_forgotten(event_time: datetime) -> int:  # noqa: ARG001 - of merged facts none can have been forgotten
    return 0
