"""Records whose header names are no UTF-8, which aiokafka cannot unpack.

Kafka takes any bytes for a name, and clients in C and Go send them. aiokafka raises for such a record, each time it is
read again: one would stop every worker of a group for good. Nothing here reads headers, so the bytes that are no UTF-8
are escaped, ``\\xff``, and all else is as it was sent.

Only a fetch with such a record in it is unpacked a second time, by the slower part of aiokafka that is written in
Python. ``tests/worker_units/test_header_names.py`` holds this against the version of aiokafka that is pinned.
"""

from collections.abc import Iterator
from typing import Any, SupportsIndex, overload

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy

_MAGIC = 16
"""Where a batch says its format. Before 2, records had no headers."""


class _Escaping(bytearray):
    """Bytes whose parts are decoded whatever they are."""

    @overload
    def __getitem__(self, at: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> "_Escaping": ...
    def __getitem__(self, at: SupportsIndex | slice) -> "int | _Escaping":
        part = super().__getitem__(at)
        return part if isinstance(part, int) else _Escaping(part)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - it is never strict
        return super().decode(encoding, "backslashreplace")


class _EscapingBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    _buffer: bytearray

    def __iter__(self) -> "_EscapingBatch":
        super().__iter__()  # unpacks what is compressed
        self._buffer = _Escaping(self._buffer)
        return self


class _EscapingRecords(_MemoryRecordsPy):  # type: ignore[misc]
    def skip_to(self, offset: int) -> None:
        """Leave out the batches before the one of this offset: aiokafka would go back to the end of each."""
        while self.has_next() and self._next_slice[_MAGIC] >= 2:
            if _DefaultRecordBatchPy(self._next_slice).next_offset > offset:
                break
            self._cache_next()

    def next_batch(self) -> object:
        data = self._next_slice
        batch = super().next_batch()
        return batch if batch is None or data[_MAGIC] < 2 else _EscapingBatch(data)


class _RememberedRecords(MemoryRecords):  # type: ignore[misc]
    """A fetch of one partition, and the bytes it was."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class TolerantRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Unpacks a fetch of one partition; where it comes to a name that is no UTF-8, the rest of it with escapes."""

    def __init__(self, partition: TopicPartition, records: _RememberedRecords, *others: Any) -> None:  # noqa: ANN401
        self._fetched = records
        super().__init__(partition, records, *others)

    def _unpack_records(self) -> Iterator["ConsumerRecord[Any, Any]"]:
        try:
            yield from super()._unpack_records()
        except UnicodeDecodeError:
            records = _EscapingRecords(self._fetched.data)
            records.skip_to(self.next_fetch_offset)
            self._records = records
            yield from super()._unpack_records()


def accept_any_header_name() -> None:
    """Let all consumers of this process read such records."""
    fetcher.MemoryRecords = _RememberedRecords
    fetcher.PartitionRecords = TolerantRecords
