"""Where an engine finds the shipments of its partition: kept as objects, or stored as rows behind a cache."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from stream.shipment import Shipment, ShipmentId, promised_day
from stream.span import keep_until, official_until
from stream.state.rows import (
    WATERMARK_KEY,
    forgettable,
    kept_until,
    pack,
    shipment_key,
    split_key,
    unpack,
    unpack_into,
    unpack_watermark,
)
from stream.state.store import Store

ChangedShipments = Mapping[ShipmentId, Shipment | None]
"""Shipments to keep, and with None those to forget."""

CACHED: Final = 8_192
"""Shipments that stay unpacked: tracking follows shipping by minutes to hours, and at some 1.2 kB each two such
generations of a partition take 20 MB."""


class Shipments(Protocol):
    """The shipments of one partition. What :meth:`load` gives is changed in place, and then saved by the caller.

    ``hours_short`` is by how much those that were scanned may be stored as needed for too short a time.
    """

    hours_short: int

    def load(self, shipment_ids: Sequence[ShipmentId]) -> list[Shipment]:
        """The shipments of these ids, in their order; a new, empty one where none is known."""
        ...

    def scan(self) -> Iterator[tuple[ShipmentId, Shipment]]:
        """Every shipment, in any order."""
        ...

    def forgettable(self, hour: int, horizon: datetime, shares: int) -> list[ShipmentId]:
        """What may be forgotten in ``hour`` of the next 1/``shares`` of the shipments: no shipment with a fact from
        ``horizon`` on. Successive calls go round."""
        ...


class HeldShipments:
    """Shipments as objects in memory, for a replay: nothing is packed or unpacked."""

    def __init__(self, lag_days: int) -> None:
        self.hours_short = 0
        self._held: dict[ShipmentId, Shipment] = {}
        self._lag_days = lag_days
        self._round: list[tuple[ShipmentId, Shipment]] = []
        self._position = 0

    def load(self, shipment_ids: Sequence[ShipmentId]) -> list[Shipment]:
        """See :class:`Shipments`."""
        held = self._held
        loaded = []
        for shipment_id in shipment_ids:
            shipment = held.get(shipment_id)
            if shipment is None:
                shipment = held[shipment_id] = Shipment()
            loaded.append(shipment)
        return loaded

    def forget(self, changed: ChangedShipments) -> None:
        """Forget what is to be forgotten; the rest was changed in place."""
        for shipment_id, shipment in changed.items():
            if shipment is None:
                del self._held[shipment_id]

    def scan(self) -> Iterator[tuple[ShipmentId, Shipment]]:
        """See :class:`Shipments`."""
        return iter(self._held.items())

    def forgettable(self, hour: int, horizon: datetime, shares: int) -> list[ShipmentId]:
        """See :class:`Shipments`."""
        if self._position >= len(self._round):
            self._round = list(self._held.items())
            self._position = 0
        end = self._position + -(-len(self._round) // shares)
        share = self._round[self._position : end]
        self._position = end
        return [
            shipment_id
            for shipment_id, shipment in share
            # Since the round began it may have been forgotten, and its id come again with another shipment.
            if self._held.get(shipment_id) is shipment
            and shipment.latest < horizon
            and keep_until(shipment, self._lag_days) <= hour
        ]


class StoredShipments:
    """Shipments as rows of a store, the latest of them also unpacked.

    The cache has two generations: what is used moves to the younger, and when that is full the older is dropped.

    A row says until when it is needed by the lag of whoever wrote it. Where that is longer now, all rows are kept for
    longer by what the scan of a restore has found to be missing at most.
    """

    def __init__(self, store: Store, lag_days: int) -> None:
        self.hours_short = 0
        self._store = store
        self._lag_days = lag_days
        self._younger: dict[ShipmentId, Shipment] = {}
        self._older: dict[ShipmentId, Shipment] = {}

    def load(self, shipment_ids: Sequence[ShipmentId]) -> list[Shipment]:
        """See :class:`Shipments`. Raises :class:`~stream.state.rows.CorruptShipmentError`."""
        if len(self._younger) > CACHED:
            self._older, self._younger = self._younger, {}
        younger, older = self._younger, self._older
        loaded: list[Shipment] = []
        keys: list[bytes] = []
        missing: list[tuple[ShipmentId, Shipment]] = []
        for shipment_id in shipment_ids:
            shipment = younger.get(shipment_id)
            if shipment is None:
                shipment = older.get(shipment_id)
                if shipment is None:
                    shipment = Shipment()
                    key = shipment.key = shipment_key(shipment_id)
                    keys.append(key)
                    missing.append((shipment_id, shipment))
                younger[shipment_id] = shipment
            loaded.append(shipment)
        for (shipment_id, shipment), value in zip(missing, self._store.get_many(keys), strict=True):
            if value is not None:
                unpack_into(shipment, shipment_id, value)
        return loaded

    def save(self, changed: ChangedShipments) -> dict[bytes, bytes | None]:
        """Write what changed to the store. Returns the rows, for the changelog."""
        rows: dict[bytes, bytes | None] = {}
        for shipment_id, shipment in changed.items():
            if shipment is None:
                rows[shipment_key(shipment_id)] = None
                self._younger.pop(shipment_id, None)
                self._older.pop(shipment_id, None)
            else:
                key = shipment.key
                if key is None:
                    key = shipment.key = shipment_key(shipment_id)
                rows[key] = pack(keep_until(shipment, self._lag_days), shipment)
        self._store.write(rows)
        return rows

    def watermark(self) -> int | None:
        """The hour since 1970 UTC that the partition has reached, by the store's row of it. Raises
        :class:`~stream.state.rows.CorruptShipmentError`."""
        (value,) = self._store.get_many([WATERMARK_KEY])
        return None if value is None else unpack_watermark(value)

    def scan(self) -> Iterator[tuple[ShipmentId, Shipment]]:
        """See :class:`Shipments`. Raises :class:`~stream.state.rows.CorruptShipmentError`."""
        for key, value in self._store.scan():
            if key != WATERMARK_KEY:
                shipment_id = split_key(key)
                shipment = unpack(shipment_id, value)
                shipped = shipment.shipped
                if shipped is not None:
                    hours = official_until(promised_day(shipped), self._lag_days) - kept_until(value)
                    if hours > self.hours_short:
                        self.hours_short = hours
                yield shipment_id, shipment

    def forgettable(self, hour: int, horizon: datetime, shares: int) -> list[ShipmentId]:  # noqa: ARG002 - rows say it
        """See :class:`Shipments`."""
        hour = max(0, hour - self.hours_short)
        keys = forgettable(self._store.next_share(shares), hour)
        # A share is of persisted rows. What was written since may be kept for longer.
        values = self._store.get_many(keys)
        return [
            split_key(key)
            for key, value in zip(keys, values, strict=True)
            if value is not None and kept_until(value) <= hour
        ]
