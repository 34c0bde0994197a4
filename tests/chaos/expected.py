"""What must be there at the end, from the records that the brokers have kept and the oracle alone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from fractions import Fraction

from stream.events import Event
from stream.records import Metric, Scope
from tests import oracle

RULES = oracle.Rules(recover_margin=Fraction(0), min_counted=0, is_strict=True)
"""Without memory, so that a status depends on the counts alone, and not on which of them one look at the statuses saw.
Strict because the marketplaces' rules are, about tracking that is entered after delivery; no number is reused here."""


class Expected:
    """The metrics of all scopes after some events. Nobody's depend on another seller's, and within an hour they stay as
    they are."""

    def __init__(self, events: Iterable[Event]) -> None:
        by_seller: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            by_seller[event.seller_id].append(event)
        self._members = {
            scope: members
            for each in by_seller.values()
            for scope, members in oracle.by_scope(oracle.shipments_of(each)).items()
        }
        self._by_hour: dict[int, dict[Scope, Metric]] = {}

    def metrics(self, instant: datetime) -> Mapping[Scope, Metric]:
        """Every scope's metric, as of the beginning of an instant's hour and without the name of a policy."""
        hour = oracle.hour_of(instant)
        if hour not in self._by_hour:
            start = oracle.EPOCH + hour * oracle.HOUR
            self._by_hour[hour] = {
                scope: self._metric(scope, members, start)
                for scope, members in self._members.items()
                if any(oracle.is_in_or_ahead_of_a_window(shipment, start, RULES) for shipment in members)
            }
        return self._by_hour[hour]

    def _metric(self, scope: Scope, members: list[oracle.Shipment], instant: datetime) -> Metric:
        live = oracle.live_counts(members, instant, RULES)
        status = oracle.next_status("ok", live.valid, live.counted, RULES)
        return oracle.metric_of(scope, members, instant, RULES, status)
