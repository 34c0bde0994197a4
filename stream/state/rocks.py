"""Rows in RocksDB: as large as the disk, and after a restart only the changelog's tail has to be read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import cast

from rocksdict import AccessType, BlockBasedOptions, DbClosedError, Options, Rdict, WriteBatch, WriteOptions

from stream.state.rows import NO_SHIPMENT
from stream.state.store import Row, Rows

_OFFSET_KEY = NO_SHIPMENT + b"offset"
"""Lies in the same database, so that rows and offset are kept or lost together."""

_KEPT_COUNT_KEY = NO_SHIPMENT + b"kept#"
_KEPT = NO_SHIPMENT + b"kept:"
"""What was derived from the rows, and how many keys that has with this one, lie before the rows as the offset does."""

_FIRST_ROW = NO_SHIPMENT + b"p"
"""Behind the keys above, before every other."""

_FILTER_BITS = 10
"""Bits a key: one look-up in a hundred of what is absent goes on to read, RocksDB's own advice."""

_FILTER_SHARE = 0.1
"""Of what is written last, the share of memory that its filter has."""

_WRITE_BUFFER_BYTES = 16 * 1024 * 1024
"""What is written last, in memory, once more while it goes into a file; for each partition of a worker. With RocksDB's
own 64 MB, 2.5 million shipments took 62 MB more; to write them took an eighth less of a processor."""

_CLOSED = (DbClosedError, RuntimeError)
"""What other threads are told of a database that is closed, and while it is being closed."""


class StoreLockedError(Exception):
    """Another process has the partition's database open, or the folder cannot be used."""


class RocksStore:
    """A :class:`~stream.state.store.Store` in a RocksDB database of its own, in ``path``.

    The write-ahead log is off: what a crash takes from the memtable, the changelog gives back, because the offset
    goes with it.
    """

    def __init__(self, path: Path) -> None:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        # A new shipment is looked up and not there: a filter answers that in a tenth of the time, of what lies in
        # files and of what was written last.
        tables = BlockBasedOptions()
        tables.set_bloom_filter(_FILTER_BITS, block_based=False)
        options.set_block_based_table_factory(tables)
        options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
        options.set_memtable_whole_key_filtering(True)
        options.set_memtable_prefix_bloom_ratio(_FILTER_SHARE)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = Rdict(str(path), options, access_type=AccessType.read_write())
        except Exception as error:
            raise StoreLockedError(f"cannot open the store in {path}: {error}") from error
        without_log = WriteOptions()
        # The stub takes the property for a method.
        without_log.disable_wal = True  # type: ignore[method-assign, assignment]
        self._db.set_write_options(without_log)
        self._without_log = without_log
        self._unpersisted: dict[bytes, bytes | None] = {}
        self._next_key = _FIRST_ROW
        self._kept_count = int.from_bytes(self._db.get(_KEPT_COUNT_KEY) or b"", "big")

    @property
    def offset(self) -> int | None:
        """See :class:`~stream.state.store.Store`."""
        value = self._db.get(_OFFSET_KEY)
        return None if value is None else int.from_bytes(value, "big")

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :class:`~stream.state.store.Store`."""
        values = cast("list[bytes | None]", self._db.get(list(keys)))
        if not self._unpersisted:
            return values
        unpersisted = self._unpersisted
        return [unpersisted.get(key, value) for key, value in zip(keys, values, strict=True)]

    def write(self, rows: Rows) -> None:
        """See :class:`~stream.state.store.Store`."""
        self._unpersisted.update(rows)

    def persist(self, offset: int) -> None:
        """See :class:`~stream.state.store.Store`."""
        batch = WriteBatch(raw_mode=True)
        # Neighbours one after the other find their place in memory sooner.
        for key, value in sorted(self._unpersisted.items()):
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(_OFFSET_KEY, offset.to_bytes(8, "big"))
        self._db.write(batch, self._without_log)
        self._unpersisted.clear()

    def scan(self) -> Iterator[Row]:
        """See :class:`~stream.state.store.Store`."""
        return self._from(_FIRST_ROW)

    def _from(self, key: bytes) -> Iterator[Row]:
        return cast("Iterator[Row]", self._db.items(from_key=key))

    def next_share(self, shares: int) -> list[Row]:
        """See :class:`~stream.state.store.Store`."""
        wanted = 1 + len(self) // shares
        share: list[Row] = []
        for key, value in self._from(self._next_key):
            if len(share) == wanted:
                self._next_key = key
                return share
            share.append((key, value))
        self._next_key = _FIRST_ROW
        return share

    def keep(self, derive: Callable[[], Mapping[bytes, bytes]]) -> bool:
        """See :class:`~stream.state.store.Store`."""
        if self._unpersisted:
            return False
        derived = derive()
        batch = WriteBatch(raw_mode=True)
        before = cast("Iterator[bytes]", self._db.keys(from_key=_KEPT))
        for key in takewhile(lambda key: key.startswith(_KEPT), before):
            batch.delete(key)
        for key, value in derived.items():
            batch.put(_KEPT + key, value)
        count = len(derived) + 1
        batch.put(_KEPT_COUNT_KEY, count.to_bytes(8, "big"))
        self._db.write(batch, self._without_log)
        self._kept_count = count
        return True

    def kept(self) -> dict[bytes, bytes]:
        """See :class:`~stream.state.store.Store`."""
        pairs = takewhile(lambda pair: pair[0].startswith(_KEPT), self._from(_KEPT))
        return {key.removeprefix(_KEPT): value for key, value in pairs}

    def keys_with(self, prefix: bytes) -> list[bytes]:
        """See :class:`~stream.state.store.Store`."""
        keys = dict.fromkeys(key for key in list(self._unpersisted) if key.startswith(prefix))
        try:
            persisted = cast("Iterator[bytes]", self._db.keys(from_key=max(prefix, _FIRST_ROW)))
        except _CLOSED:
            return []
        keys.update(dict.fromkeys(takewhile(lambda key: key.startswith(prefix), persisted)))
        return list(keys)

    def __len__(self) -> int:
        """See :class:`~stream.state.store.Store`."""
        try:
            keys = int(self._db.property_int_value("rocksdb.estimate-num-keys") or 0)
        except _CLOSED:
            return 0
        return max(0, keys - self._kept_count)

    def close(self) -> None:
        """See :class:`~stream.state.store.Store`."""
        self._unpersisted.clear()
        self._db.flush()
        self._db.close()
