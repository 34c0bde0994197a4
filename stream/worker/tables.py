"""Faust tables whose changelogs are read by the batch: the shipments, and the alerts that were said.

Faust's recovery drives them: it asks for the offset that is already held, reads on from there, and hands over batches.
It logs and swallows what goes wrong while they are applied, so here that stops the worker: a partition that was
restored by half would publish wrong rates.
"""

import asyncio
from collections.abc import Callable, Iterable
from time import monotonic
from typing import cast

import faust
from faust.types import TP, AppT, EventT, Message

from stream.records import Alert, InvalidRecordError, Scope, decode_alert, decode_key
from stream.state import Rows, Store
from stream.state.rocks import StoreLockedError
from stream.state.rows import NO_SHIPMENT, WATERMARK_KEY, CorruptShipmentError, split_key, unpack, unpack_watermark
from stream.worker.changelog import ChangelogRows

RECOVERY_BUFFER = 2
"""Batches that recovery collects before it applies them. Each is whole already; and 1 has a special meaning."""

NOTHING = -1
"""The offset before the first."""

OPEN_TIMEOUT = 20.0
"""Seconds to wait for a store that the partition's last owner on this machine has not closed yet."""


class CorruptChangelogError(Exception):
    """A changelog holds what this worker cannot have written. Its state cannot be trusted, so nothing is."""


class PassThrough(faust.Schema[bytes, bytes]):
    """Hands batches to streams and tables as they are."""

    def loads_key(self, app: AppT, message: Message, **_: object) -> bytes:  # noqa: ARG002
        """The key, untouched."""
        return message.key  # type: ignore[return-value]

    def loads_value(self, app: AppT, message: Message, **_: object) -> bytes:  # noqa: ARG002
        """The batch, untouched."""
        return message.value  # type: ignore[return-value]


class BatchTable(faust.Table[bytes, bytes]):
    """A table that holds its partitions itself and restores them by the batch.

    ``on_change`` is called with a partition's number whenever what was derived from the partition is outdated.
    """

    def __init__(self, app: AppT, *, name: str, topic: str, partitions: int, on_change: Callable[[int], None]) -> None:
        changelog = app.topic(topic, schema=PassThrough(), partitions=partitions, acks=False, allow_empty=True)
        super().__init__(
            app, name=name, partitions=partitions, changelog_topic=changelog, recovery_buffer_size=RECOVERY_BUFFER
        )
        self._topic = topic
        self._on_change = on_change
        app.tables.add(self)

    async def on_start(self) -> None:
        """Nothing to start: the topic exists, and there is no store of Faust's."""

    async def need_active_standby_for(self, tp: TP) -> bool:  # noqa: ARG002 - Faust's signature
        """No standbys."""
        return False

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Nothing to do: what is derived from the table is derived when it is first asked for."""

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],
        newly_assigned: set[TP],  # noqa: ARG002 - Faust's signature
        generation_id: int = 0,  # noqa: ARG002 - Faust's signature
    ) -> None:
        """Give up partitions that went elsewhere, and take those that came."""
        for tp in revoked:
            if tp.topic == self._topic:
                # In this order: the shipments are given up with what was derived from them.
                self.give_up(tp.partition)
                self._on_change(tp.partition)
        for tp in sorted(assigned):
            if tp.topic == self._topic:
                await self.take(tp.partition)

    def persisted_offset(self, tp: TP) -> int:
        """The changelog offset that the partition already holds, :data:`NOTHING` where it holds none.

        Told None, Faust goes on from where it restored the partition to before, though the store of then was given up.
        """
        offset = self.offset(tp.partition)
        return NOTHING if offset is None else offset

    def apply_changelog_batch(self, batch: Iterable[EventT[bytes]]) -> None:
        """Restore from batches of the changelog."""
        try:
            for event in batch:
                message = event.message
                if message.topic != self._topic:
                    raise CorruptChangelogError(f"records of {message.topic} were handed to the table of {self._topic}")
                if self.holds(message.partition):
                    self._on_change(message.partition)
                    for read in cast("list[ChangelogRows]", message.value):
                        self.restore(message.partition, read)
        except Exception as error:
            self.app.loop.create_task(self.app.crash(error))
            raise

    def _corrupt(self, partition: int, what: str, why: object) -> CorruptChangelogError:
        return CorruptChangelogError(f"{self._topic}, partition {partition}, cannot be restored from: {what}: {why}")

    def holds(self, partition: int) -> bool:
        """Whether the partition was taken."""
        raise NotImplementedError

    async def take(self, partition: int) -> None:
        """Hold the partition, if it is not held already."""
        raise NotImplementedError

    def give_up(self, partition: int) -> None:
        """Let go of the partition."""
        raise NotImplementedError

    def offset(self, partition: int) -> int | None:
        """The changelog offset up to which the partition is held; None for nothing."""
        raise NotImplementedError

    def restore(self, partition: int, read: ChangelogRows) -> None:
        """Take in what was read of the changelog."""
        raise NotImplementedError


class ShipmentsTable(BatchTable):
    """The shipments, one store per partition. ``on_close`` is called with a partition and its store before that is
    closed."""

    def __init__(
        self,
        app: AppT,
        *,
        topic: str,
        partitions: int,
        open_store: Callable[[int], Store],
        on_close: Callable[[int, Store], None],
        on_change: Callable[[int], None],
    ) -> None:
        super().__init__(app, name="shipments", topic=topic, partitions=partitions, on_change=on_change)
        self._open_store = open_store
        self._on_close = on_close
        self._stores: dict[int, Store] = {}

    def store(self, partition: int) -> Store:
        """The store of a held partition."""
        return self._stores[partition]

    def sizes(self) -> dict[int, int]:
        """About how many shipments each held partition has. Any thread may ask."""
        return {partition: len(store) for partition, store in sorted(self._stores.copy().items())}

    def holds(self, partition: int) -> bool:
        """See :class:`BatchTable`."""
        return partition in self._stores

    async def take(self, partition: int) -> None:
        """See :class:`BatchTable`. Raises :class:`~stream.state.rocks.StoreLockedError`."""
        deadline = monotonic() + OPEN_TIMEOUT
        while partition not in self._stores:
            try:
                self._stores[partition] = self._open_store(partition)
            except StoreLockedError:
                if monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)

    def give_up(self, partition: int) -> None:
        """See :class:`BatchTable`."""
        store = self._stores.pop(partition, None)
        if store is not None:
            self._on_close(partition, store)
            store.close()

    def offset(self, partition: int) -> int | None:
        """See :class:`BatchTable`."""
        return self._stores[partition].offset if partition in self._stores else None

    def restore(self, partition: int, read: ChangelogRows) -> None:
        """See :class:`BatchTable`. Raises :class:`CorruptChangelogError` for what cannot be a row's key.

        Whether rows can be read is found out when all of them are, for the windows; see :meth:`corrupt`. One that was
        replaced later does no harm.
        """
        for key in read.rows:
            if not key or (key.startswith(NO_SHIPMENT) and key != WATERMARK_KEY):
                raise self._corrupt(partition, f"a record up to offset {read.offset}", f"its key is {key!r:.80}")
        store = self._stores[partition]
        store.write(cast("Rows", read.rows))
        store.persist(read.offset)

    def corrupt(self, partition: int, error: CorruptShipmentError) -> CorruptChangelogError:
        """What to stop the worker with where rows of a held partition cannot be read: the first of them, by name."""
        for key, value in self._stores[partition].scan():
            try:
                if key == WATERMARK_KEY:
                    unpack_watermark(value)
                else:
                    unpack(split_key(key), value)
            except CorruptShipmentError as found:
                return self._corrupt(partition, _named(key), found)
        return self._corrupt(partition, "a row", error)

    async def on_stop(self) -> None:
        """Close every store."""
        for partition in list(self._stores):
            self.give_up(partition)


class AlertsTable(BatchTable):
    """The latest alert of every scope. Its changelog is the alert topic itself, so what subscribers have read is what
    a successor goes on from."""

    def __init__(self, app: AppT, *, topic: str, partitions: int, on_change: Callable[[int], None]) -> None:
        super().__init__(app, name="alerts", topic=topic, partitions=partitions, on_change=on_change)
        self._latest: dict[int, dict[Scope, Alert]] = {}
        self._offsets: dict[int, int] = {}

    def latest(self, partition: int) -> Iterable[Alert]:
        """The latest alert of each scope of a held partition."""
        return self._latest[partition].values()

    def said(self, partition: int, alerts: Iterable[Alert], offset: int) -> None:
        """Alerts were published, the last of them at ``offset``."""
        self._latest[partition].update((alert.scope, alert) for alert in alerts)
        self._offsets[partition] = offset

    def holds(self, partition: int) -> bool:
        """See :class:`BatchTable`."""
        return partition in self._latest

    async def take(self, partition: int) -> None:
        """See :class:`BatchTable`."""
        self._latest.setdefault(partition, {})

    def give_up(self, partition: int) -> None:
        """See :class:`BatchTable`."""
        self._latest.pop(partition, None)
        self._offsets.pop(partition, None)

    def offset(self, partition: int) -> int | None:
        """See :class:`BatchTable`."""
        return self._offsets.get(partition)

    def restore(self, partition: int, read: ChangelogRows) -> None:
        """See :class:`BatchTable`. Raises :class:`CorruptChangelogError`."""
        alerts = []
        for key, value in read.rows.items():
            try:
                if value is None:
                    # As if it had been compacted away, which it may be at any time.
                    self._latest[partition].pop(decode_key(key or b""), None)
                else:
                    alerts.append(decode_alert(value))
            except InvalidRecordError as error:
                raise self._corrupt(partition, f"a record up to offset {read.offset}", error) from error
        self.said(partition, alerts, read.offset)


def _named(key: bytes) -> str:
    if key == WATERMARK_KEY:
        return "its hour"
    try:
        seller_id, shipment_id = split_key(key)
    except CorruptShipmentError:
        return "a row of no shipment"
    return f"shipment {shipment_id} of seller {seller_id}"
