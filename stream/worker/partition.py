"""One partition of the worker: records in, what to send out. Everything of a step that needs no waiting."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from stream.engine import Engine
from stream.events import MAX_FUTURE, Event, Rejection, check_arrival, decode
from stream.state import StoredShipments
from stream.state.rows import pack_watermark
from stream.state.shipments import ChangedShipments
from stream.worker.consumer import Record, Records
from stream.worker.dead_letters import RejectionLimit, dead_letter
from stream.worker.late import LateShipments
from stream.worker.publisher import Outgoing
from stream.worker.watermark import Watermark

Batch = tuple[str, Records]
"""Records of one topic, in their order."""

SLICE = 1_000
"""Records that are applied at once. An event takes about a kilobyte, so these stay in a core's cache from when they
are decoded until they are stored; a whole step's would not."""

MOST_METRICS = 20_000
"""Metrics of one step. To make and send one takes some 5 us, and meanwhile nothing else of the worker can go on."""

CAUGHT_UP = timedelta(hours=1)
"""How far time may be behind the clock where it is the present. Farther, it follows a backlog, and what lies behind it
was read when it passed."""

HISTORY = timedelta(days=1)
"""What is older than this is a backlog or a history: what its metrics say will have changed when somebody reads it."""

RECORDS_PER_METRIC = 50
LEAST_METRICS = 100
"""Of a history, metrics of a step: far fewer than records, or where sellers are many, and so each record changes scopes
of its own, much of the time would go into them."""


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
        late: LateShipments,
        metrics_interval: float,
        outcomes: Counter[tuple[str, str]],
    ) -> None:
        self.engine = engine
        self._shipments = shipments
        self._watermark = watermark
        self._limit = limit
        self._late = late
        self._metrics_interval = metrics_interval
        self._metrics_at = float("-inf")
        self._outcomes = outcomes

    def process(
        self, batches: Sequence[Batch], now: datetime, monotonic: float, is_at_end: Callable[[str], bool]
    ) -> Outgoing:
        """Apply batches, and let time pass as far as it has come.

        Raises :class:`~stream.worker.dead_letters.TooManyRejectionsError`.
        """
        outgoing = Outgoing()
        rejected: list[tuple[Record, Rejection]] = []
        for topic, records in batches:
            latest = None
            for start in range(0, len(records), SLICE):
                events = self._apply(records[start : start + SLICE], now, monotonic, rejected, outgoing)
                for event in events:
                    if latest is None or event.event_time > latest:
                        latest = event.event_time
            self._watermark.saw(topic, latest, monotonic)
        read: Counter[str] = Counter()
        for topic, records in batches:
            read[topic] += len(records)
        read_now = read.total()
        self._limit.count(read_now, [rejection for _, rejection in rejected])
        read.subtract(record.topic for record, _ in rejected)
        for topic, count in read.items():
            self._outcomes[topic, "accepted"] += count
        for record, rejection in rejected:
            self._outcomes[record.topic, rejection.code.value] += 1
            outgoing.dead_letters.append(dead_letter(record, rejection, now))
        self._pass_time(outgoing, now, monotonic, is_at_end, read_now)
        return outgoing

    def _apply(
        self,
        records: Records,
        now: datetime,
        monotonic: float,
        rejected: list[tuple[Record, Rejection]],
        outgoing: Outgoing,
    ) -> list[Event]:
        """Apply some records of one topic, and note what of them is rejected. Returns the events that may be here."""
        events: list[Event] = []
        sources: list[Record] = []
        refused: dict[int, Rejection] = {}
        latest_allowed = now + MAX_FUTURE
        for record in records:
            event = decode(record.value)
            if isinstance(event, Rejection):
                refused[id(record)] = event
            elif (rejection := check_arrival(event, record.key, latest_allowed)) is not None:
                refused[id(record)] = rejection
            else:
                events.append(event)
                sources.append(record)
        if events:
            changes = self.engine.apply(events)
            self._take(changes.shipments, outgoing)
            if changes.late and now - self.engine.as_of < CAUGHT_UP:
                self.engine.hold(changes.late)
                self._late.came(monotonic)
            late = {id(event): rejection for event, rejection in changes.rejected}
            if late:
                refused |= {
                    id(record): late[id(event)]
                    for event, record in zip(events, sources, strict=True)
                    if id(event) in late
                }
        if refused:
            rejected += [(record, refused[id(record)]) for record in records if id(record) in refused]
        return events

    def idle(self, now: datetime, monotonic: float, is_at_end: Callable[[str], bool]) -> Outgoing:
        """Let time pass without records."""
        outgoing = Outgoing()
        self._pass_time(outgoing, now, monotonic, is_at_end, 0)
        return outgoing

    def _pass_time(
        self, outgoing: Outgoing, now: datetime, monotonic: float, is_at_end: Callable[[str], bool], records: int
    ) -> None:
        watermark = self._watermark.at(now, monotonic, is_at_end)
        if watermark is None:
            outgoing.gone = self.engine.emptied()
            return
        if self._late.are_complete(monotonic, is_at_end):
            self.engine.release()
        changes = self.engine.advance(watermark)
        if changes.watermark is not None:
            outgoing.watermark = pack_watermark(changes.watermark)
        self._take(changes.shipments, outgoing)
        outgoing.alerts.extend(changes.alerts)
        outgoing.gone = self.engine.take_gone()
        # What was left over goes with the next steps. What changes meanwhile waits for an interval from its last.
        if self.engine.has_due_metrics or monotonic - self._metrics_at >= self._metrics_interval:
            most = MOST_METRICS if now - watermark < HISTORY else max(LEAST_METRICS, records // RECORDS_PER_METRIC)
            outgoing.metrics = self.engine.take_metrics(most)
            if outgoing.metrics:
                self._metrics_at = monotonic

    def _take(self, changed: ChangedShipments, outgoing: Outgoing) -> None:
        outgoing.rows.update(self._shipments.save(changed))
