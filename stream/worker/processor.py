"""The agent's body: which partition a batch goes to, and when it may begin and counts as done."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterable, Callable
from datetime import UTC, datetime
from time import monotonic
from typing import cast

from faust.types import TP, AppT, EventT

from stream.engine import Engine, EngineSettings, keep_until
from stream.policy import RulesPolicy
from stream.settings import Settings
from stream.state import StoredShipments
from stream.worker.dead_letters import RejectionLimit
from stream.worker.partition import Partition
from stream.worker.publisher import Outgoing, Publisher
from stream.worker.tables import AlertsTable, ShipmentsTable
from stream.worker.transport import BatchConsumer, Records
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


class Processor:
    """Runs the partitions of one worker.

    A partition's batches are processed one after the other, and each is published before the next begins; meanwhile
    other partitions go on.
    """

    def __init__(self, app: AppT, settings: Settings, clock: Callable[[], datetime] = utc_now) -> None:
        self._app = app
        self._settings = settings
        self._clock = clock
        self._policy = RulesPolicy.of(settings)
        self._engine_settings = EngineSettings.of(settings)
        self._limit = RejectionLimit(settings.reject_ratio, settings.reject_run)
        self._partitions: dict[int, Partition] = {}
        self._publishing: dict[int, asyncio.Task[None]] = {}
        self._running = asyncio.Event()
        self._failed = False
        self._outcomes: Counter[str] = Counter()
        """Events by outcome: ``accepted``, or the code of the rejection."""
        self.shipments: ShipmentsTable
        self.alerts: AlertsTable

    # --- When ------------------------------------------------------------------------------------------------------

    def is_running(self) -> bool:
        """Whether the partitions are restored and batches may begin."""
        return self._running.is_set()

    def resume(self) -> None:
        """The partitions are restored: batches may begin."""
        if not self._failed:
            self._running.set()
            assigned = ", ".join(map(str, self._assigned())) or "none"
            logger.info("ready: partitions %s", assigned)

    async def pause(self) -> None:
        """Let no batch begin, and wait for those under way."""
        self._running.clear()
        await asyncio.gather(*self._publishing.values(), return_exceptions=True)

    def forget(self, number: int) -> None:
        """What was derived from a partition's tables is outdated."""
        self._partitions.pop(number, None)

    async def _until_free(self, number: int) -> None:
        while True:
            await self._running.wait()
            publishing = self._publishing.get(number)
            if publishing is not None and not publishing.done():
                await asyncio.wait([publishing])
            elif self._running.is_set():  # still: a pause may have begun before this task had its turn
                return

    # --- What ------------------------------------------------------------------------------------------------------

    async def process(self, events: AsyncIterable[Batch]) -> None:
        """Process batches until the worker stops. Never raises: Faust would acknowledge the batch that did."""
        async for event in events:
            try:
                await self._begin(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must stop the worker
                await self._fail(error)

    async def _begin(self, event: Batch) -> None:
        message = event.message
        number = message.partition
        await self._until_free(number)
        if message.generation_id != self._app.consumer_generation_id:
            return  # handed out before a rebalance: whoever owns the partition now reads it again
        partition = self._partition(number)
        records = cast("Records", event.value)
        outgoing = partition.process(message.topic, records, self._clock(), monotonic(), self._is_at_end(number))
        self._publish(number, outgoing, event)

    async def pass_idle_time(self) -> None:
        """Let time pass where no records come, until the worker stops."""
        told, told_at = 0, monotonic()
        while not self._app.should_stop:
            await asyncio.sleep(IDLE_STEP)
            if monotonic() - told_at >= TELL_EVERY:
                told, told_at = self._tell(told, monotonic() - told_at), monotonic()
            try:
                for number in self._assigned():
                    publishing = self._publishing.get(number)
                    if self._running.is_set() and (publishing is None or publishing.done()):
                        outgoing = self._partition(number).idle(self._clock(), monotonic(), self._is_at_end(number))
                        if not outgoing.is_empty():
                            self._publish(number, outgoing, None)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must stop the worker
                await self._fail(error)

    def _tell(self, told: int, seconds: float) -> int:
        """Log how many events came since ``told``, where any did. Returns how many came in all."""
        events = self._outcomes.total()
        if events > told:
            rejected = events - self._outcomes["accepted"]
            oldest = min((partition.engine.as_of for partition in self._partitions.values()), default=None)
            rate = (events - told) / seconds
            logger.info("%d events, %.0f/s now, %d rejected, as of %s", events, rate, rejected, oldest)
        return events

    def _publish(self, number: int, outgoing: Outgoing, event: Batch | None) -> None:
        self._publishing[number] = asyncio.create_task(self._publish_and_ack(number, outgoing, event))

    async def _publish_and_ack(self, number: int, outgoing: Outgoing, event: Batch | None) -> None:
        try:
            publisher = Publisher(self._app.producer._ensure_producer(), self._settings)  # type: ignore[attr-defined]
            last_alert = await publisher.publish(number, outgoing, self.shipments.store(number))
            if last_alert is not None:
                self.alerts.said(number, outgoing.alerts, last_alert)
            if event is not None:
                event.ack()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must stop the worker
            await self._fail(error)

    async def _fail(self, error: Exception) -> None:
        """Stop the worker, and let nothing more be processed or acknowledged."""
        self._failed = True
        self._running.clear()
        await self._app.crash(error)

    def _partition(self, number: int) -> Partition:
        partition = self._partitions.get(number)
        if partition is None:
            lag_days = self._engine_settings.lag_days
            shipments = StoredShipments(self.shipments.store(number), lambda each: keep_until(each, lag_days))
            engine = Engine.restore(
                self._policy,
                self._engine_settings,
                shipments,
                watermark=shipments.watermark(),
                last_alerts=self.alerts.latest(number),
            )
            watermark = Watermark(self._settings.input_topics, self._settings.idle_after, monotonic())
            partition = Partition(
                engine, shipments, watermark, self._limit, self._settings.metrics_interval, self._outcomes
            )
            self._partitions[number] = partition
        return partition

    def _assigned(self) -> list[int]:
        topic = self._settings.order_shipped_topic
        return sorted(tp.partition for tp in self._app.consumer.assignment() if tp.topic == topic)

    def _is_at_end(self, number: int) -> Callable[[str], bool]:
        consumer = self._app.consumer
        assert isinstance(consumer, BatchConsumer)  # noqa: S101 - the app's transport makes no other
        return lambda topic: consumer.is_at_end(TP(topic, number))
