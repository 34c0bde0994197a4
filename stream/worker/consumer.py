"""A worker's consumer: batches in, and commits of what was done."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias, cast

from aiokafka import ConsumerRecord
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from faust.types.transports import TPorTopicSet
from faust.types.tuples import ack_lock

from stream.kafka.clients import BrokerError, TopicPartition, end_offsets
from stream.worker.changelog import ChangelogRows
from stream.worker.consumer_thread import BatchConsumerThread
from stream.worker.offsets import OffsetLedger
from stream.worker.session import Session

if TYPE_CHECKING:
    from stream.worker.transport import BatchTransport

COMMITTED_WITHIN = 60.0
"""Seconds within which the group's committed offsets must be known. Faust's recovery waits for them for as long as a
request may take, which is longer, and then ends without an error: the worker would hold its partitions for ever and
process nothing."""

Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"
Records = list[Record]


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
        self._processing = cast("BatchTransport", self.transport).processing
        self._ledger = OffsetLedger()
        self._read_offset = _NoReadOffsets()
        self._read_to_end: set[TP] = set()
        self.session = Session(self.app.conf.broker_session_timeout, self.app.conf.broker_rebalance_timeout)
        self.last_poll_at = monotonic()
        """Monotonic seconds of the last answer to a fetch."""
        self.assigned_at: float | None = None
        """Monotonic seconds of the last assignment; None before the first."""
        self.progressed_at = monotonic()
        """Monotonic seconds when a batch was last done, or handed out with none before it."""
        self.last_commit_at: float | None = None
        """Monotonic seconds of the last commit that the broker took."""
        self.commit_due_at = monotonic()
        """Monotonic seconds since when there has been something to commit, where there is."""
        self.commits = self.failed_commits = 0
        """Commits that were tried, and those of them that the broker did not take."""

    # --- Fetching ----------------------------------------------------------------------------------------------------

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 - Faust's name
        """One message for each partition's fetched records."""
        records, active = await self._wait_next_records(timeout)
        # Only now: the wait may have lasted for a rebalance, and what came was read after it.
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop or not self.flow_active:
            return  # the next assignment begins at the committed offsets again
        self.last_poll_at = monotonic()
        self._note_ends()
        batches = {
            tp: batch
            for tp, batch in records.items()
            if batch and (active is None or tp in active or tp in self._buffered_partitions)
        }
        if not self._ledger.is_any_pending():
            self.progressed_at = monotonic()
        # All of them at once: one that waits here for another to be taken is not at its end either.
        for tp, batch in batches.items():
            if self.app.topics.acks_enabled_for(tp.topic):
                self._ledger.hand_out(tp, batch[-1].offset)
        for tp, batch in batches.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            yield tp, cast("Message", self._batch_message(tp, batch))

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def readable(self, active: set[TP]) -> set[TP]:
        """Which of the partitions may be read now. The consumer's thread asks.

        The inputs only when all is restored: at the end of recovery Faust lets them go on, then seeks them to their
        committed offsets, then clears the streams' queues. A batch fetched in between would be cleared, and nobody
        would read it again.
        """
        if self.is_rebalancing():
            return set()
        active = active.copy()  # the main thread changes it
        if self._processing.is_running():
            return active
        changelogs = self.app.tables.changelog_topics
        return {tp for tp in active if tp.topic in changelogs}

    def _batch_message(self, tp: TP, batch: Records | list[ChangelogRows]) -> ConsumerMessage:
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
        self._read_to_end.clear()
        for tp, state in self.states():
            if state.highwater is not None and state.position >= state.highwater:
                self._read_to_end.add(tp)

    def states(self) -> Iterator[tuple[TP, TopicPartitionState]]:
        """What the client knows of the assigned partitions, of those whose position is known."""
        consumer = self._thread._consumer
        subscription = None if consumer is None else consumer._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None:
            return
        for partition in assignment.tps:
            state = assignment.state_value(partition)
            if state is not None and state.has_valid_position:
                yield TP(partition.topic, partition.partition), state

    def is_at_end(self, tp: TP) -> bool:
        """Whether every record of the partition has been read and processed."""
        return tp in self._read_to_end and not self._ledger.is_pending(tp)

    def is_processing(self, tp: TP | None = None) -> bool:
        """Whether a batch, or one of that partition, was handed out and is not done."""
        return self._ledger.is_any_pending() if tp is None else self._ledger.is_pending(tp)

    def done_until(self, tp: TP) -> int | None:
        """The offset up to which a partition is processed; None where no batch was done since it was assigned."""
        return self._ledger.committable(tp)

    def has_uncommitted(self) -> bool:
        """Whether a batch is done and not committed."""
        committed = dict(self._committed_offset)
        return any(self._ledger.committable(tp) != committed.get(tp) for tp in self._ledger.partitions())

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """The ends of partitions, for recovery.

        See :func:`stream.kafka.clients.end_offsets` for why not the client's own.
        """
        wanted = [TopicPartition(tp.topic, tp.partition) for tp in partitions]
        ends = await end_offsets(cast("BatchTransport", self.transport).cluster, wanted)
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
            self.progressed_at = monotonic()
            if not self.has_uncommitted():
                self.commit_due_at = self.progressed_at
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
        if not own:
            return False
        began = monotonic()
        self.commits += 1
        if not await self._commit(own):
            self.failed_commits += 1
            return False
        self._committed_offset.update(own)
        self.last_commit_at = monotonic()
        self.commit_due_at = began
        self.app.monitor.on_tp_commit(own)
        return True

    # --- Rebalancing -------------------------------------------------------------------------------------------------

    def is_rebalancing(self) -> bool:
        """Whether a rebalance has begun and has not assigned partitions yet. Known before anything is revoked."""
        consumer = self._thread._consumer
        return consumer is not None and consumer._subscription.reassignment_in_progress

    async def is_still_member(self) -> bool:
        """Ask the group's coordinator whether the partitions are still ours. Waits until a broker answers."""
        return bool(await self._thread.call_thread(cast("BatchConsumerThread", self._thread).is_still_member))

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish and commit what is being processed before anybody else may own the partitions."""
        await self.settle()
        self._ledger.forget(revoked)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Let nothing flow until recovery lets it.

        Faust stops the flow when partitions are revoked, but not where there were none, and recovery of the
        assignment before may have let it go on meanwhile.
        """
        self.assigned_at = monotonic()
        self.stop_flow()
        self.app.flow_control.suspend()
        await super().on_partitions_assigned(assigned, generation_id)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Go where recovery reads the changelogs from."""
        with self._in_one_assignment():
            await super().seek_wait(partitions)

    async def perform_seek(self) -> None:
        """Read on from the committed offsets; what was handed out beyond them is handed out again.

        Raises :class:`~stream.kafka.probe.BrokerError` where no broker gives them: then the worker stops, and its
        successor begins anew.
        """
        with self._in_one_assignment():
            self._ledger.forget(self.assignment())
            self._read_to_end.clear()
            try:
                async with asyncio.timeout(COMMITTED_WITHIN):
                    await super().perform_seek()
            except TimeoutError:
                if not self.is_rebalancing():
                    raise BrokerError(
                        f"no broker gave the group's committed offsets within {COMMITTED_WITHIN:g} s"
                    ) from None

    @contextmanager
    def _in_one_assignment(self) -> Iterator[None]:
        """Recovery goes on when a rebalance begins, up to letting batches be processed that belong to others now.

        This error makes it wait for the next assignment.
        """
        generation = self.app.consumer_generation_id
        yield
        if self.is_rebalancing() or self.app.consumer_generation_id != generation:
            raise IllegalStateError("another rebalance has begun")

    async def on_stop(self) -> None:
        """The last commit."""
        await self.settle()
        await super().on_stop()

    async def settle(self) -> None:
        """Let no batch begin, wait for those that have begun, and commit them."""
        await self._processing.pause()
        # A commit that began before the last batch was done would be taken for this one.
        await self.maybe_wait_for_commit_to_finish()
        await self.commit()
