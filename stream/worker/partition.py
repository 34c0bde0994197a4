"""One partition of the worker: records in, what to send out. Everything of a step that needs no waiting."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from stream.engine import Engine
from stream.events import MAX_FUTURE, Event, Rejection, check_arrival, decode
from stream.state import StoredShipments
from stream.state.rows import pack_watermark
from stream.state.shipments import ChangedShipments
from stream.worker.dead_letters import RejectionLimit, dead_letter
from stream.worker.publisher import Outgoing
from stream.worker.transport import Records
from stream.worker.watermark import Watermark


class Partition:
    """An engine and its watermark, fed with records. Times called ``monotonic`` are in seconds.

    ``outcomes`` counts the worker's events: as ``accepted``, or by the code of their rejection.
    """

    def __init__(
        self,
        engine: Engine,
        shipments: StoredShipments,
        watermark: Watermark,
        limit: RejectionLimit,
        metrics_interval: float,
        outcomes: Counter[str],
    ) -> None:
        self.engine = engine
        self._shipments = shipments
        self._watermark = watermark
        self._limit = limit
        self._metrics_interval = metrics_interval
        self._metrics_at = float("-inf")
        self._outcomes = outcomes

    def process(
        self, topic: str, records: Records, now: datetime, monotonic: float, is_at_end: Callable[[str], bool]
    ) -> Outgoing:
        """Apply a batch of one topic, and let time pass as far as it has come.

        Raises :class:`~stream.worker.dead_letters.TooManyRejectionsError`.
        """
        latest_allowed = now + MAX_FUTURE
        events: list[Event] = []
        sources: dict[int, int] = {}
        rejected: list[tuple[int, Rejection]] = []
        for index, record in enumerate(records):
            event = decode(record.value)
            if not isinstance(event, Rejection):
                rejection = check_arrival(event, record.key, latest_allowed)
                if rejection is None:
                    sources[id(event)] = index
                    events.append(event)
                    continue
                event = rejection
            rejected.append((index, event))
        outgoing = Outgoing()
        if events:
            changes = self.engine.apply(events)
            rejected.extend((sources[id(event)], rejection) for event, rejection in changes.rejected)
            self._take(changes.shipments, outgoing)
        self._limit.count(len(records), [rejection for _, rejection in rejected])
        self._outcomes["accepted"] += len(records) - len(rejected)
        for index, rejection in sorted(rejected, key=lambda each: each[0]):
            self._outcomes[rejection.code.value] += 1
            outgoing.dead_letters.append(dead_letter(records[index], rejection, now))
        self._watermark.saw(topic, max((event.event_time for event in events), default=None), monotonic)
        self._pass_time(outgoing, now, monotonic, is_at_end)
        return outgoing

    def idle(self, now: datetime, monotonic: float, is_at_end: Callable[[str], bool]) -> Outgoing:
        """Let time pass without records."""
        outgoing = Outgoing()
        self._pass_time(outgoing, now, monotonic, is_at_end)
        return outgoing

    def _pass_time(self, outgoing: Outgoing, now: datetime, monotonic: float, is_at_end: Callable[[str], bool]) -> None:
        watermark = self._watermark.at(now, monotonic, is_at_end)
        if watermark is None:
            return
        changes = self.engine.advance(watermark)
        if changes.watermark is not None:
            outgoing.watermark = pack_watermark(changes.watermark)
        self._take(changes.shipments, outgoing)
        outgoing.alerts.extend(changes.alerts)
        outgoing.gone = self.engine.take_gone()
        if monotonic - self._metrics_at >= self._metrics_interval:
            outgoing.metrics = [metric for _, metric in self.engine.take_metrics() if metric is not None]
            if outgoing.metrics:
                self._metrics_at = monotonic

    def _take(self, changed: ChangedShipments, outgoing: Outgoing) -> None:
        outgoing.rows.update(self._shipments.save(changed))
