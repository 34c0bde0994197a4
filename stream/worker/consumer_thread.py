"""The thread that talks to Kafka for a worker's consumer."""

import asyncio
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import RebalanceInProgressError
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from faust.transport.consumer import RecordMap
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream.worker.changelog import read_as_rows

if TYPE_CHECKING:
    from stream.worker.consumer import BatchConsumer

LOOK_AGAIN = 0.05
"""Seconds after which a fetch that waits for records looks again at what may be read."""

FETCH_WAIT_MS = 50
"""How long a broker may wait for records before it answers a fetch that finds none. The client asks each broker for one
thing at a time: while that is a topic without records, nothing is fetched of those that have a backlog."""

ASK_AGAIN = 0.5
"""Seconds after which a broker that did not answer is asked again."""


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Reads only what may be read at the moment it is read.

    What is read and not used is lost: the position is past it. And the client's own fetch, once it waits, waits
    through a whole rebalance and then takes what there is, under the new assignment, of partitions that recovery has
    not sought yet, or has just sought and not asked for.
    """

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> RecordMap:
        owner = cast("BatchConsumer", self.consumer)
        deadline = monotonic() + (timeout or 0.0)
        while owner.flow_active:
            partitions = owner.readable(active_partitions)
            if partitions:
                # Told not to wait, the client lets nothing happen between the question above and its answer here.
                read_as_rows(consumer._fetcher, self.app.tables.changelog_topics)
                records = await super()._fetch_records(consumer, partitions, 0, max_records)
                if records:
                    return records
            left = deadline - monotonic()
            if left <= 0:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(consumer._fetcher._create_fetch_waiter(), min(left, LOOK_AGAIN))
        return {}

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        """As Faust does, with a shorter wait; it lets a broker hold an answer for 1.5 s."""
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_start(self) -> None:
        """Note each sign that the group takes the worker for a member."""
        await super().on_start()
        session = cast("BatchConsumer", self.consumer).session
        coordinator = self._ensure_consumer()._coordinator
        send = coordinator._send_req

        async def send_and_note(request: object) -> object:
            sent_at = monotonic()
            response = await send(request)
            if isinstance(request, HeartbeatRequest | SyncGroupRequest):
                if response.error_code == 0:
                    session.confirm(sent_at)
                elif response.error_code == RebalanceInProgressError.errno:
                    session.confirm(sent_at, is_rebalancing=True)
            return response

        coordinator._send_req = send_and_note

    async def is_still_member(self) -> bool:
        """See :meth:`BatchConsumer.is_still_member`."""
        coordinator = self._ensure_consumer()._coordinator
        generation = self.app.consumer_generation_id
        while coordinator.generation == generation:
            await coordinator.ensure_coordinator_known()
            # While a rebalance waits for us, that we are a member is still the answer.
            if coordinator.generation == generation and await coordinator._do_heartbeat():
                return True
            await asyncio.sleep(ASK_AGAIN)
        return False
