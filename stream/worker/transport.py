"""Faust's Kafka transport, by the batch: an agent gets one message per fetched batch of a partition.

Faust hands an agent one record at a time, which costs more than processing the record. Here the value of a message
is the list of its batch's records and its offset is the last record's. What Faust does on top (streams, recovery,
rebalancing) goes by messages and so works unchanged; what it does by offsets is overridden below, each for the reason
given. ``tests/worker_units/`` holds each override against the version of Faust that is pinned.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from time import monotonic
from typing import Any, ClassVar, cast

from aiokafka import ConsumerRecord
from faust.transport.consumer import RecordMap
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from faust.types.transports import ConsumerT, TPorTopicSet
from faust.types.tuples import ack_lock

from stream.kafka import TopicPartition, end_offsets
from stream.worker.offsets import OffsetLedger

RESTORE_POLL = 0.05
"""Seconds between two looks at whether the tables are restored."""

Records = list["ConsumerRecord[bytes | None, bytes | None]"]


class _NoReadOffsets(dict[TP, "int | None"]):
    """Remembers nothing of what was read.

    Faust drops messages below the last offset it has handed on. After a seek back to the committed offsets, a batch
    may end below it and yet hold records that nobody has processed, because the one handed on before was cleared from
    a queue. Reading a batch twice changes nothing; dropping one would lose it, and hold back all commits.
    """

    def __getitem__(self, tp: TP) -> None:
        return None


class BatchConsumer(driver.Consumer):
    """Yields batches, and commits exactly what was acknowledged."""

    def on_init(self) -> None:
        """Called by mode at the end of ``__init__``."""
        super().on_init()
        self._pause = cast("BatchTransport", self.transport).pause
        self._ledger = OffsetLedger()
        self._read_offset = _NoReadOffsets()
        self._read_to_end: set[TP] = set()
        self.last_poll_at = monotonic()
        """Monotonic seconds of the last answer to a fetch."""
        self.last_commit_at: float | None = None
        """Monotonic seconds of the last commit that the broker took."""

    # --- Fetching ----------------------------------------------------------------------------------------------------

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 - Faust's name
        """One message for each partition's fetched records."""
        generation = self.app.consumer_generation_id
        records, active = await self._wait_next_records(timeout)
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            # Fetched while a rebalance began: they are read again from the committed offsets.
            try:
                await self.perform_seek()
            except Exception as error:  # noqa: BLE001 - the rebalance seeks again, at its end
                self.log.info("could not seek during a rebalance: %r", error)
            return
        self.last_poll_at = monotonic()
        self._note_ends()
        batches = {
            tp: batch
            for tp, batch in records.items()
            if batch and (active is None or tp in active or tp in self._buffered_partitions)
        }
        # All of them at once: one that waits here for another to be taken is not at its end either.
        for tp, batch in batches.items():
            if self.app.topics.acks_enabled_for(tp.topic):
                self._ledger.hand_out(tp, batch[-1].offset)
        for tp, batch in batches.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            yield tp, cast("Message", self._batch_message(tp, batch))

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> RecordMap:  # noqa: ASYNC109
        """Fetch from the inputs only when all is restored.

        At the end of recovery Faust lets the inputs go on, then seeks them to their committed offsets, then clears the
        streams' queues. A batch fetched in between would be cleared, and nobody would read it again.
        """
        tables = self.app.tables
        if active_partitions is not None and not tables.actives_ready:
            active_partitions = {tp for tp in active_partitions if tp.topic in tables.changelog_topics}
            if not active_partitions:
                await asyncio.sleep(RESTORE_POLL)
                return {}
        return await super()._getmany(active_partitions, timeout)

    def _batch_message(self, tp: TP, batch: Records) -> ConsumerMessage:
        last = batch[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            last.timestamp_type,
            [],
            None,
            batch,  # type: ignore[arg-type]
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def _note_ends(self) -> None:
        """Remember which partitions have been read to their end.

        Only here: between two fetches no record is on its way, so position and high watermark speak of the same
        moment. The high watermark is the one that came with the last fetch, because the embedded broker answers
        the direct question for the end wrongly.
        """
        consumer = self._thread._consumer
        subscription = None if consumer is None else consumer._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        self._read_to_end.clear()
        if assignment is None:
            return
        for partition in assignment.tps:
            state = assignment.state_value(partition)
            known = state is not None and state.has_valid_position and state.highwater is not None
            if known and state.position >= state.highwater:
                self._read_to_end.add(TP(partition.topic, partition.partition))

    def is_at_end(self, tp: TP) -> bool:
        """Whether every record of the partition has been read and processed."""
        return tp in self._read_to_end and not self._ledger.is_pending(tp)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """The ends of partitions, for recovery. See :func:`stream.kafka.end_offsets` for why not the client's own."""
        wanted = [TopicPartition(tp.topic, tp.partition) for tp in partitions]
        servers = ",".join(driver.server_list(self.transport.url, driver.Transport.default_port))
        ends = await end_offsets(f"kafka://{servers}", wanted)
        return {TP(tp.topic, tp.partition): end for tp, end in ends.items()}

    # --- Acknowledging and committing --------------------------------------------------------------------------------

    def ack(self, message: Message) -> bool:
        """Mark a batch as done. Faust's own keeps single offsets and looks for gaps between them."""
        with ack_lock:
            if message.acked:
                return False
            message.acked = True
            self._unacked_messages.discard(message)
            if not self.app.topics.acks_enabled_for(message.topic):
                return False
            return self._ledger.finish(message.tp, message.offset)

    def _filter_tps_with_pending_acks(self, topics: TPorTopicSet | None = None) -> Iterator[TP]:
        return (tp for tp in self._ledger.partitions() if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self._ledger.committable(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps mean nothing to the ledger. Faust's own would fill memory with every offset of a batch."""

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:  # noqa: ARG002
        """Commit, and remember as committed only what the broker took. Faust's own remembers it either way.

        Nothing is flushed before: a batch is acknowledged only after all it leads to has been.
        """
        assigned = self.assignment()
        own = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        if not own or not await self._commit(own):
            return False
        self._committed_offset.update(own)
        self.last_commit_at = monotonic()
        self.app.monitor.on_tp_commit(own)
        return True

    # --- Rebalancing -------------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish and commit what is being processed before anybody else may own the partitions."""
        await self.settle()
        self._ledger.forget(revoked)
        await super().on_partitions_revoked(revoked)

    async def perform_seek(self) -> None:
        """Read on from the committed offsets; what was handed out beyond them is handed out again."""
        self._ledger.forget(self.assignment())
        self._read_to_end.clear()
        await super().perform_seek()

    async def on_stop(self) -> None:
        """The last commit."""
        await self.settle()
        await super().on_stop()

    async def settle(self) -> None:
        """Let no batch begin, wait for those that have begun, and commit them."""
        await self._pause()
        await self.commit()


class BatchTransport(driver.Transport):
    """Kafka by the batch. ``pause`` stops the processing of batches and returns when none is under way."""

    def __init__(self, *args: Any, pause: Callable[[], Awaitable[None]], **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.pause = pause

    Consumer: ClassVar[type[ConsumerT]] = BatchConsumer
