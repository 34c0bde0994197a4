"""Mistakes that a worker could have. A simulation that finds none of them would prove nothing: each must fail within
some seeds."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from faust.types import TP

from stream.engine import Engine
from stream.records import Alert
from stream.state import Rows, Store
from stream.state.rows import WATERMARK_KEY
from stream.worker import windows
from stream.worker.consumer import BatchConsumer
from stream.worker.offsets import OffsetLedger
from stream.worker.partition import Partition
from stream.worker.processor import Batch, Processor
from stream.worker.publisher import Outgoing, Publisher, _Record
from stream.worker.session import Session
from stream.worker.tables import AlertsTable, ShipmentsTable


class Mutation(NamedTuple):
    """A mistake."""

    patches: Callable[[], list[Any]]
    found_by: int
    """A seed that found it when it was last looked for, and is tried first. Others do as well, some of the mistakes in
    every second seed, some in one of a hundred."""


MUTATIONS: dict[str, Mutation] = {}


def _found_by(seed: int) -> Callable[[Callable[[], list[Any]]], Callable[[], list[Any]]]:
    def note(patches: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
        MUTATIONS[patches.__name__] = Mutation(patches, seed)
        return patches

    return note


@_found_by(8)
def commits_before_processing() -> list[Any]:
    """Offsets may be committed once their records are read."""
    hand_out = OffsetLedger.hand_out

    def hand_out_as_done(self: OffsetLedger, tp: TP, offset: int) -> None:
        hand_out(self, tp, offset)
        self.finish(tp, offset)

    return [patch.object(OffsetLedger, "hand_out", hand_out_as_done)]


@_found_by(8)
def acknowledges_before_publishing() -> list[Any]:
    """A batch counts as done before what it leads to is sent."""
    take = Processor._take

    def take_and_acknowledge(self: Processor, number: int) -> list[Batch]:
        taken = take(self, number)
        for event in taken:
            event.ack()
        return taken

    return [patch.object(Processor, "_take", take_and_acknowledge)]


@_found_by(7)
def waits_for_no_acknowledgement() -> list[Any]:
    """What is sent counts as there."""

    async def send(self: Publisher, topic: str, partition: int, records: Iterable[_Record]) -> int | None:
        batch, size = self._producer.create_batch(), 0
        for key, value, headers in records:
            batch.append(key=key, value=value, timestamp=None, headers=headers)
            size += 1
        if not size:
            return None
        await self._producer.send_batch(batch, topic, partition=partition)
        return 0

    return [patch.object(Publisher, "_send", send)]


@_found_by(0)
def skips_the_changelog() -> list[Any]:
    """Shipments are kept in the store alone."""
    send_rows = Publisher._send_rows

    async def send_only_watermarks(self: Publisher, partition: int, rows: Rows, store: Store) -> None:
        if WATERMARK_KEY in rows:
            await send_rows(self, partition, rows, store)

    return [patch.object(Publisher, "_send_rows", send_only_watermarks)]


@_found_by(35)
def stores_the_watermark_first() -> list[Any]:
    """A successor finds an hour that was reached, but not all that was to be said in it."""
    publish = Publisher.publish

    async def watermark_first(self: Publisher, partition: int, outgoing: Outgoing, store: Store) -> int | None:
        if outgoing.watermark is not None:
            watermark: Rows = {WATERMARK_KEY: outgoing.watermark}
            store.write(watermark)
            await self._send_rows(partition, watermark, store)
            outgoing.watermark = None
        return await publish(self, partition, outgoing, store)

    return [patch.object(Publisher, "publish", watermark_first)]


@_found_by(14)
def persists_before_the_changelog() -> list[Any]:
    """A store that survives a crash is ahead of what anybody else can restore."""
    send_rows = Publisher._send_rows

    async def persist_first(self: Publisher, partition: int, rows: Rows, store: Store) -> None:
        if rows:
            store.persist((store.offset or 0) + len(rows))
        await send_rows(self, partition, rows, store)

    return [patch.object(Publisher, "_send_rows", persist_first)]


@_found_by(3)
def restores_no_shipments() -> list[Any]:
    """A partition begins with what its store happens to have."""
    return [patch.object(ShipmentsTable, "restore", lambda *_: None)]


@_found_by(3)
def restores_no_alerts() -> list[Any]:
    """A partition begins with every status ok."""
    return [patch.object(AlertsTable, "restore", lambda *_: None)]


@_found_by(7)
def keeps_windows_over_a_rebalance() -> list[Any]:
    """What was derived from a partition's tables is used on, though somebody else had them meanwhile."""
    return [patch.object(Processor, "forget", lambda *_: None)]


@_found_by(2)
def keeps_a_store_over_a_rebalance() -> list[Any]:
    """A partition that returns is not read from the changelog, as if nobody had had it."""
    return [patch.object(ShipmentsTable, "give_up", lambda *_: None)]


@_found_by(7)
def remembers_no_alert() -> list[Any]:
    """What was said is not known any more when the partition's windows are derived again."""

    def said(self: AlertsTable, partition: int, alerts: Iterable[Alert], offset: int) -> None:  # noqa: ARG001
        self._offsets[partition] = offset

    return [patch.object(AlertsTable, "said", said)]


@_found_by(9)
def keeps_offsets_after_a_seek() -> list[Any]:
    """Batches that were handed out and dropped hold back all commits."""
    forget = OffsetLedger.forget

    def forget_nothing(self: OffsetLedger, tps: Iterable[TP]) -> None:
        forget(self, [tp for tp in tps if not self._handed.get(tp)])

    return [patch.object(OffsetLedger, "forget", forget_nothing)]


@_found_by(24)
def sends_after_its_session() -> list[Any]:
    """A worker that was frozen goes on with what it was about to send."""
    return [patch.object(Session, "holds", lambda _: True)]


@_found_by(24)
def leaves_steps_under_way_to_a_rebalance() -> list[Any]:
    """Partitions are given away while they are published."""

    async def pause(self: Processor) -> None:
        self._running.clear()

    return [patch.object(Processor, "pause", pause)]


@_found_by(9)
def takes_every_topic_for_read() -> list[Any]:
    """Time passes with the topic that is read ahead of the others."""
    return [patch.object(BatchConsumer, "is_at_end", lambda *_: True)]


@_found_by(41)
def publishes_no_tombstones() -> list[Any]:
    """The metric of a scope that is gone stays."""
    publish = Publisher.publish

    async def without_tombstones(self: Publisher, partition: int, outgoing: Outgoing, store: Store) -> int | None:
        outgoing.gone = []
        return await publish(self, partition, outgoing, store)

    return [patch.object(Publisher, "publish", without_tombstones)]


@_found_by(5)
def forgets_metrics_that_were_not_due() -> list[Any]:
    """A metric that changed within the interval after another is never said."""
    pass_time = Partition._pass_time

    def pass_and_forget(self: Partition, outgoing: Outgoing, *args: Any) -> None:  # noqa: ANN401
        pass_time(self, outgoing, *args)
        self.engine.take_metrics()

    return [patch.object(Partition, "_pass_time", pass_and_forget)]


@_found_by(0)
def drops_dead_letters_of_a_step() -> list[Any]:
    """Only the first of several."""
    send = Publisher._send_dead_letters
    return [
        patch.object(
            Publisher, "_send_dead_letters", lambda self, number, letters: send(self, number, list(letters)[:1])
        )
    ]


@_found_by(2)
def loses_what_was_not_published() -> list[Any]:
    """An outage of the brokers is over when the producer gives up, and the step goes on as if it had been published."""

    async def publish_once(self: Processor, number: int, outgoing: Outgoing) -> int | None:
        publisher = Publisher(self._app.producer._ensure_producer(), self._settings)  # type: ignore[attr-defined]
        try:
            async with asyncio.timeout(0.5):
                return await publisher.publish(number, outgoing, self.shipments.store(number))
        except TimeoutError:
            return None

    return [patch.object(Processor, "_publish_in_spite_of_outages", publish_once)]


@_found_by(37)
def uses_kept_windows_whatever_came_after() -> list[Any]:
    """Windows that a store has kept are used, though its rows have changed since."""
    return [patch.object(windows, "_stamp", lambda _, fingerprint: fingerprint)]


@_found_by(37)
def takes_what_is_restored_for_published() -> list[Any]:
    """What had not been published before a restart is published only when it changes again."""
    restored = windows.restored

    def restored_and_quiet(*args: Any) -> Engine:  # noqa: ANN401
        engine = restored(*args)
        engine._touched = {}
        return engine

    return [patch.object(windows, "restored", restored_and_quiet)]


@contextmanager
def mutated(name: str | None) -> Iterator[None]:
    """The worker has the mistake of that name, or none."""
    patches = [] if name is None else MUTATIONS[name].patches()
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()
