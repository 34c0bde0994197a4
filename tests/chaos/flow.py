"""The producer: sends the feed at a steady pace, whatever happens to the brokers, and can be stopped for a while."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from stream.kafka.cluster import bootstrap_servers
from stream.settings import Settings
from tests.chaos.feed import Feed, Sent

RATE = 300
"""Records per second: enough that every partition has a step under way at most times, and little enough for two cores
that run three brokers."""

PAUSE = 0.25


class Flow:
    """Sends what a feed gives. Each record is in its topic once, for the producer is idempotent."""

    def __init__(self, settings: Settings, feed: Feed) -> None:
        self.sent: list[Sent] = []
        self.acknowledged = 0
        """Records that the brokers have taken."""
        self._feed = feed
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers(settings.broker), enable_idempotence=True, linger_ms=20
        )
        self._task: asyncio.Task[None] | None = None
        self._deliveries: set[asyncio.Future[object]] = set()

    async def open(self) -> None:
        """Connect."""
        await self._producer.start()

    async def close(self) -> None:
        """Stop, and give up what was not taken."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._producer.stop()

    async def send(self, records: Iterable[Sent]) -> None:
        """Send without a pause, and do not wait until all are taken."""
        for sent in records:
            record = sent.record
            delivery = await self._producer.send(record.topic, record.value, key=record.key)
            self.sent.append(sent)
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._taken)

    def _taken(self, delivery: "asyncio.Future[object]") -> None:
        if not delivery.cancelled() and delivery.exception() is None:
            self.acknowledged += 1
            self._deliveries.discard(delivery)

    def begin(self) -> None:
        """Let it flow."""
        self._task = asyncio.create_task(self._go_on())

    async def pause(self) -> None:
        """Let nothing more flow, and wait until all that did is taken. Raises what went wrong with one that was not."""
        if self._task is not None:
            self._feed_is_over = True
            await self._task
            self._task = None
        await asyncio.gather(*self._deliveries)

    async def _go_on(self) -> None:
        self._feed_is_over = False
        while not self._feed_is_over:
            await self.send(self._feed.take(round(RATE * PAUSE), datetime.now(UTC)))
            await asyncio.sleep(PAUSE)
