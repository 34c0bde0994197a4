"""A report from a running deployment: on what its worker counts now."""

from datetime import datetime

from stream.deployment import shipments_of_seller
from stream.explain.near import NotFoundError
from stream.policy import RulesPolicy
from stream.report.defects import DefectReport, Selection, defect_report
from stream.report.judged import judged
from stream.settings import Settings
from stream.shipment import hour_of


async def report_of_deployment(
    seller_id: str, selection: Selection, settings: Settings, *, as_of: datetime | None = None
) -> DefectReport:
    """The report as of the hour that the deployment has reached, or a later ``as_of`` (UTC-aware).

    Earlier versions of facts are not kept, so an earlier ``as_of`` is refused. Raises
    :class:`~stream.explain.near.NotFoundError`, :class:`~stream.policy.error.PolicyError` and
    :class:`~stream.kafka.BrokerError`.
    """
    policy = RulesPolicy.of(settings)
    kept = await shipments_of_seller(settings, seller_id)
    where = f"the deployment {settings.group} at {settings.broker}"
    if not kept.shipments:
        raise NotFoundError(
            f"there is no seller {seller_id} in {where}: nothing in partition {kept.partition} of "
            f"{settings.changelog_topic}, where Kafka's default partitioner puts it"
        )
    now = kept.reached or max(shipment.latest for shipment in kept.shipments.values())
    if as_of is not None and as_of < now:
        raise NotFoundError(
            f"{where} has reached {now:%Y-%m-%dT%H:%M:%SZ} and keeps no earlier facts; "
            "report on the past with --history"
        )
    end = as_of or now
    found = judged(policy, settings.lag_days, kept.shipments, hour_of(end))
    return defect_report(seller_id, found, selection, settings.lag_days, end)
