"""A report from history files: on what a replay of them counts."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from stream.events import Event, encode
from stream.explain.seller import read_seller
from stream.policy import RulesPolicy
from stream.replay import Meter, Summary
from stream.report.defects import DefectReport, Selection, defect_report
from stream.report.judged import judged
from stream.settings import Settings
from stream.shipment import Shipment, hour_of
from stream.span import keep_until


class SellerHistory(Struct, frozen=True):
    """The events of one seller up to ``as_of``."""

    seller_id: str
    events: list[Event]
    as_of: datetime

    def report(self, policy: RulesPolicy, lag_days: int, selection: Selection) -> DefectReport:
        """The report on these events."""
        shipments = merged(self.events, lag_days)
        found = judged(policy, lag_days, shipments, hour_of(self.as_of))
        return defect_report(self.seller_id, found, selection, lag_days, self.as_of)


def report_of_history(
    files: Sequence[str],
    seller_id: str,
    selection: Selection,
    settings: Settings,
    summary: Summary,
    *,
    as_of: datetime | None = None,
    meter: Meter | None = None,
) -> DefectReport:
    """The report ``as_of`` an instant (UTC-aware; default: the last event's time, of any seller).

    What the files had that could not be used is counted in ``summary``. Raises
    :class:`~stream.explain.near.NotFoundError`, :class:`~stream.replay.errors.ReplayError` and
    :class:`~stream.policy.error.PolicyError`.
    """
    policy = RulesPolicy.of(settings)
    history = read_history(files, seller_id, summary, as_of=as_of, meter=meter)
    return history.report(policy, settings.lag_days, selection)


def read_history(
    files: Sequence[str],
    seller_id: str,
    summary: Summary,
    *,
    as_of: datetime | None = None,
    meter: Meter | None = None,
) -> SellerHistory:
    """The history of a seller; see :func:`report_of_history`."""
    found = read_seller(files, seller_id, summary, as_of=as_of, meter=meter)
    return SellerHistory(seller_id, found.events, as_of or found.last)


def merged(events: Iterable[Event], lag_days: int) -> dict[str, Shipment]:
    """A seller's shipments after these events, in any order: applied by their versions, as a replay does, and forgotten
    where the next event came too late for what was known before."""
    shipments: dict[str, Shipment] = {}
    for event in sorted(events, key=lambda event: (event.event_time, event.event_id, encode(event))):
        known = shipments.get(event.shipment_id)
        if known is None or keep_until(known, lag_days) <= hour_of(event.event_time):
            known = shipments[event.shipment_id] = Shipment()
        known.merge(event)
    return shipments
