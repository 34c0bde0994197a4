"""One partition of the worker: records in, what to send out. Everything of a step that needs no waiting."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain

from stream.engine import Engine
from stream.events import MAX_FUTURE, Event, Rejection, check_arrival, decode
from stream.state import StoredShipments
from stream.state.rows import pack_watermark
from stream.state.shipments import ChangedShipments
from stream.worker.dead_letters import RejectionLimit, dead_letter
from stream.worker.publisher import Outgoing
from stream.worker.transport import Record, Records
from stream.worker.watermark import Watermark

Batch = tuple[str, Records]
"""Records of one topic, in their order."""


class Partition:
    """An engine and its watermark, fed with records. Times called ``monotonic`` are in seconds.

    ``outcomes`` counts the worker's events by topic, and as ``accepted`` or by the code of their rejection.
    """

    def __init__(
        self,
        engine: Engine,
        shipments: StoredShipments,
        watermark: Watermark,
        limit: RejectionLimit,
        metrics_interval: float,
        outcomes: Counter[tuple[str, str]],
    ) -> None:
        self.engine = engine
        self._shipments = shipments
        self._watermark = watermark
        self._limit = limit
        self._metrics_interval = metrics_interval
        self._metrics_at = float("-inf")
        self._outcomes = outcomes

    def process(
        self, batches: Sequence[Batch], now: datetime, monotonic: float, is_at_end: Callable[[str], bool]
    ) -> Outgoing:
        """Apply batches, and let time pass as far as it has come.

        Raises :class:`~stream.worker.dead_letters.TooManyRejectionsError`.
        """
        latest_allowed = now + MAX_FUTURE
        events: list[Event] = []
        accepted: list[Record] = []
        rejected: list[tuple[Record, Rejection]] = []
        for topic, records in batches:
            latest = None
            for record in records:
                event = decode(record.value)
                if isinstance(event, Rejection):
                    rejected.append((record, event))
                elif (rejection := check_arrival(event, record.key, latest_allowed)) is not None:
                    rejected.append((record, rejection))
                else:
                    events.append(event)
                    accepted.append(record)
                    if latest is None or event.event_time > latest:
                        latest = event.event_time
            self._watermark.saw(topic, latest, monotonic)
        outgoing = Outgoing()
        if events:
            changes = self.engine.apply(events)
            self._take(changes.shipments, outgoing)
            if changes.rejected:
                late = {id(event): rejection for event, rejection in changes.rejected}
                for event, record in zip(events, accepted, strict=True):
                    if id(event) in late:
                        rejected.append((record, late[id(event)]))
                places = {id(record): place for place, record in enumerate(chain(*(each for _, each in batches)))}
                rejected.sort(key=lambda each: places[id(each[0])])
        read: Counter[str] = Counter()
        for topic, records in batches:
            read[topic] += len(records)
        self._limit.count(read.total(), [rejection for _, rejection in rejected])
        read.subtract(record.topic for record, _ in rejected)
        for topic, count in read.items():
            self._outcomes[topic, "accepted"] += count
        for record, rejection in rejected:
            self._outcomes[record.topic, rejection.code.value] += 1
            outgoing.dead_letters.append(dead_letter(record, rejection, now))
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
            outgoing.gone = self.engine.emptied()
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
