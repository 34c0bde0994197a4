"""A report from a running deployment: on what its worker counts now."""

from datetime import datetime

from stream.explain.live import end_of, known_shipments
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
    :class:`~stream.kafka.probe.BrokerError`.
    """
    policy = RulesPolicy.of(settings)
    kept = await known_shipments(seller_id, settings)
    end = end_of(kept, as_of, settings, "report on the past with --history")
    found = judged(policy, settings.lag_days, kept.shipments, hour_of(end))
    return defect_report(seller_id, found, selection, settings.lag_days, end)
