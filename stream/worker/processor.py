"""The agent's body: which partition a batch goes to, and when it may begin and counts as done."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterable, Callable
from datetime import UTC, datetime
from time import monotonic
from typing import cast

from aiokafka.errors import KafkaError, KafkaTimeoutError
from faust.types import TP, AppT, EventT

from stream.engine import EngineSettings
from stream.monitoring.metrics import Instruments
from stream.policy import RulesPolicy
from stream.settings import Settings
from stream.state import Store, StoredShipments
from stream.state.rows import CorruptShipmentError
from stream.worker import windows
from stream.worker.consumer import BatchConsumer, Records
from stream.worker.dead_letters import RejectionLimit
from stream.worker.fingerprint import fingerprint
from stream.worker.late import LateShipments
from stream.worker.partition import Partition
from stream.worker.publisher import Outgoing, Publisher
from stream.worker.tables import AlertsTable, ShipmentsTable
from stream.worker.watermark import Watermark

IDLE_STEP = 0.25
"""Seconds between two looks at the clock for partitions without records. Bounds how late an idle hour passes."""


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


TELL_EVERY = 30.0
"""Seconds between two lines in the log that say how far the worker is."""

logger = logging.getLogger("stream.worker")

Batch = EventT[bytes]
"""Faust's event around a batch of records; its type does not know of batches."""


WAITING_BATCHES = 32
"""Batches that may wait for their partitions, beside those in Faust's own queue: some for each input topic of each
partition, so that a partition which is publishing holds back no other."""

STEP_BATCHES = 4
"""A step takes what waits for its partition until it has the records of so many full batches. The more it takes, the
fewer requests are sent; and while it computes, for a tenth of a second at most, nothing else of the worker can."""

PUBLISH_AGAIN_AFTER = 1.0
"""Seconds to wait before what no broker took is published again. The producer itself has tried for much longer."""


class _NotOursError(Exception):
    """The partition may belong to another worker."""


class Processor:
    """Runs the partitions of one worker.

    A partition goes from step to step: it takes the batches that wait for it, computes, and publishes before the next
    step begins; meanwhile other partitions go on.
    """

    def __init__(self, app: AppT, settings: Settings, partitions: int, clock: Callable[[], datetime] = utc_now) -> None:
        self._app = app
        self._settings = settings
        self._clock = clock
        self._fingerprint = fingerprint(settings, partitions)
        self._policy = RulesPolicy.of(settings)
        self._engine_settings = EngineSettings.of(settings)
        self._limit = RejectionLimit(settings.reject_ratio, settings.reject_run)
        self._partitions: dict[int, Partition] = {}
        self._waiting: dict[int, deque[Batch]] = {}
        self._room = asyncio.Semaphore(WAITING_BATCHES)
        self._steps: dict[int, asyncio.Task[None]] = {}
        self._publishing_since: dict[int, float] = {}
        self._unfinished: set[int] = set()
        """Partitions with a step that was begun, and not published to its end."""
        self._running = asyncio.Event()
        self.has_failed = False
        """Whether an error is stopping the worker."""
        self.ready_at = float("-inf")
        """Monotonic seconds since when all is restored, or was the last time."""
        self.instruments = Instruments()
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """Events by topic and outcome: ``accepted``, or the code of the rejection."""
        self.alerts_said: Counter[str] = Counter()
        """Published alerts by type."""
        self.restored_within: float | None = None
        """Seconds from the last assignment until the windows of all its partitions were at hand."""
        self.shipments: ShipmentsTable
        self.alerts: AlertsTable

    # --- When ------------------------------------------------------------------------------------------------------

    def is_running(self) -> bool:
        """Whether the partitions are restored and batches may begin."""
        return self._running.is_set()

    def resume(self) -> None:
        """The partitions are restored: batches may begin."""
        if not self.has_failed:
            self.ready_at = monotonic()
            self._running.set()
            self._note_restored()
            for number in self._waiting:
                self._begin(number)
            assigned = ", ".join(map(str, self._assigned())) or "none"
            logger.info("ready: partitions %s", assigned)

    async def pause(self) -> None:
        """Let no step begin, and wait for those under way."""
        self._running.clear()
        await asyncio.gather(*self._steps.values(), return_exceptions=True)

    def partitions(self) -> dict[int, Partition]:
        """The partitions whose windows are at hand. May be asked from any thread, as the next."""
        return self._partitions.copy()

    def publishing_since(self) -> float | None:
        """Monotonic seconds of the beginning of the longest step that is being published; None where none is."""
        return min(self._publishing_since.copy().values(), default=None)

    def forget(self, number: int) -> None:
        """What was derived from a partition's tables is outdated."""
        self._partitions.pop(number, None)
        self._unfinished.discard(number)

    def keep(self, number: int, store: Store) -> None:
        """A partition's store is about to be closed: what was derived from it is kept there for the next start.

        Only where the two agree. An engine is ahead of its store from when a step begins until all it leads to is
        published; a step that failed, or was given up, leaves it so.
        """
        partition = self._partitions.get(number)
        if partition is not None and number not in self._unfinished and not (self.has_failed or self._app.crashed):
            windows.keep(number, partition.engine, store, self._fingerprint)

    # --- What ------------------------------------------------------------------------------------------------------

    async def process(self, events: AsyncIterable[Batch]) -> None:
        """Process batches until the worker stops. Never raises: Faust would acknowledge the batch that did."""
        async for event in events:
            await self._room.acquire()
            number = event.message.partition
            self._waiting.setdefault(number, deque()).append(event)
            self._begin(number)

    def _begin(self, number: int, outgoing: Outgoing | None = None) -> None:
        """Let the partition go from step to step, unless it does already. ``outgoing`` is published before."""
        if self._running.is_set() and self._is_free(number):
            self._unfinished.add(number)  # already here: what an idle partition gives is computed before
            self._steps[number] = asyncio.create_task(self._go_on(number, outgoing))

    def _is_free(self, number: int) -> bool:
        task = self._steps.get(number)
        return task is None or task.done()

    async def _go_on(self, number: int, outgoing: Outgoing | None) -> None:
        try:
            if outgoing is not None:
                await self._publish(number, outgoing)
            while self._running.is_set() and (step := self._take(number)):
                batches = [(event.message.topic, cast("Records", event.value)) for event in step]
                partition, began = self._partition(number), monotonic()
                outgoing = partition.process(batches, self._clock(), began, self._is_at_end(number))
                self.instruments.step_duration.observe(monotonic() - began)
                self.instruments.step_records.observe(sum(len(records) for _, records in batches))
                await self._publish(number, outgoing)
                for event in step:
                    event.ack()
            self._unfinished.discard(number)
        except _NotOursError:
            self._abandon(number)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must stop the worker
            await self._fail(error)

    def _take(self, number: int) -> list[Batch]:
        """The batches of one step. Those handed out before a rebalance are dropped: their owner reads them again."""
        waiting = self._waiting.get(number, ())
        taken: list[Batch] = []
        records = 0
        while waiting and records < STEP_BATCHES * self._settings.batch_size:
            event = waiting.popleft()
            self._room.release()
            if event.message.generation_id == self._app.consumer_generation_id:
                taken.append(event)
                records += len(event.value)
        return taken

    async def pass_idle_time(self) -> None:
        """Let time pass where no records come, until the worker stops."""
        told, told_at = 0, monotonic()
        while not self._app.should_stop:
            await asyncio.sleep(IDLE_STEP)
            if monotonic() - told_at >= TELL_EVERY:
                told, told_at = self._tell(told, monotonic() - told_at), monotonic()
            try:
                for number in self._assigned():
                    if self._running.is_set() and self._is_free(number):
                        outgoing = self._partition(number).idle(self._clock(), monotonic(), self._is_at_end(number))
                        if not outgoing.is_empty():
                            self._begin(number, outgoing)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must stop the worker
                await self._fail(error)

    def _tell(self, told: int, seconds: float) -> int:
        """Log how many events came since ``told``, where any did. Returns how many came in all."""
        events = self.outcomes.total()
        if events > told:
            rejected = events - sum(self.outcomes[topic, "accepted"] for topic in self._settings.input_topics)
            oldest = min((partition.engine.as_of for partition in self._partitions.values()), default=None)
            rate = (events - told) / seconds
            logger.info("%d events, %.0f/s now, %d rejected, as of %s", events, rate, rejected, oldest)
        return events

    async def _publish(self, number: int, outgoing: Outgoing) -> None:
        began = self._publishing_since[number] = monotonic()
        try:
            last_alert = await self._publish_in_spite_of_outages(number, outgoing)
        finally:
            del self._publishing_since[number]
        self.instruments.publish_duration.observe(monotonic() - began)
        if last_alert is not None:
            self.alerts.said(number, outgoing.alerts, last_alert)
            self.alerts_said.update(alert.type for alert in outgoing.alerts)

    async def _publish_in_spite_of_outages(self, number: int, outgoing: Outgoing) -> int | None:
        """Publish, and where no broker takes it, again: to send a thing twice changes nothing.

        Returns the offset of the last alert. Raises :class:`_NotOursError` where another worker may have taken over.
        """
        while True:
            try:
                publisher = Publisher(self._app.producer._ensure_producer(), self._settings)  # type: ignore[attr-defined]
                return await publisher.publish(number, outgoing, self.shipments.store(number))
            except KafkaError as error:
                if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                    raise
                logger.warning("partition %d cannot be published, and will be tried again: %r", number, error)
            await asyncio.sleep(PUBLISH_AGAIN_AFTER)
            # After so long a wait the group may have given the partition to another, who knows better by now.
            if not await self._consumer().is_still_member():
                raise _NotOursError

    def _abandon(self, number: int) -> None:
        """Undo a step that must not be published: whoever owns the partition next restores it and reads on from the
        last commit. A rebalance comes, for the group has told that this worker is no member."""
        logger.warning("partition %d went to another worker, or comes back; its last batch is read again", number)
        self._running.clear()
        self.forget(number)
        self.shipments.give_up(number)

    async def _fail(self, error: Exception) -> None:
        """Stop the worker, and let nothing more be processed or acknowledged."""
        self.has_failed = True
        self._running.clear()
        await self._app.crash(error)

    def _partition(self, number: int) -> Partition:
        partition = self._partitions.get(number)
        if partition is None:
            store = self.shipments.store(number)
            shipments = StoredShipments(store, self._engine_settings.lag_days)
            try:
                engine = windows.restored(
                    number,
                    self._policy,
                    self._engine_settings,
                    store,
                    shipments,
                    self.alerts.latest(number),
                    self._fingerprint,
                )
            except CorruptShipmentError as error:
                raise self.shipments.corrupt(number, error) from error
            watermark = Watermark(self._settings.input_topics, self._settings.idle_after, monotonic())
            late = LateShipments(self._settings.input_topics, self._settings.idle_after)
            partition = Partition(
                engine, shipments, watermark, self._limit, late, self._settings.metrics_interval, self.outcomes
            )
            self._partitions[number] = partition
            self._note_restored()
        return partition

    def _note_restored(self) -> None:
        assigned_at = self._consumer().assigned_at
        if assigned_at is not None and self._partitions.keys() >= set(self._assigned()):
            self.restored_within = monotonic() - assigned_at

    def _assigned(self) -> list[int]:
        topic = self._settings.order_shipped_topic
        return sorted(tp.partition for tp in self._app.consumer.assignment() if tp.topic == topic)

    def _consumer(self) -> BatchConsumer:
        consumer = self._app.consumer
        assert isinstance(consumer, BatchConsumer)  # noqa: S101 - the app's transport makes no other
        return consumer

    def _is_at_end(self, number: int) -> Callable[[str], bool]:
        consumer = self._consumer()
        return lambda topic: consumer.is_at_end(TP(topic, number))
