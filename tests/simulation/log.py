"""A broker's logs."""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from random import Random
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords


class Row(NamedTuple):
    """A record as it is kept."""

    offset: int
    time: int
    """Milliseconds of the broker's clock."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Log:
    """The records of one partition, in their order; some offsets are gone where it was compacted."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.history: list[Row] = []
        """All that ever was there."""
        self.end = 0

    def append(
        self, key: bytes | None, value: bytes | None, time: int, headers: Iterable[tuple[str, bytes]] = ()
    ) -> int:
        """Returns the new record's offset."""
        row = Row(self.end, time, key, value, tuple(headers))
        self.rows.append(row)
        self.history.append(row)
        self.end += 1
        return self.end - 1

    def read(self, offset: int, most: int) -> list[Row]:
        """Up to so many records from an offset on."""
        low, high = 0, len(self.rows)
        while low < high:
            middle = (low + high) // 2
            if self.rows[middle].offset < offset:
                low = middle + 1
            else:
                high = middle
        return self.rows[low : low + most]

    def compact(self, random: Random) -> int:
        """Keep only the last record of each key, and maybe no tombstone, up to somewhere. Returns how many went.

        The last record is never touched: it is in the active segment.
        """
        dirty = random.randint(0, max(0, len(self.rows) - 1))
        with_tombstones = random.random() < 0.5
        last = {row.key: row.offset for row in self.rows[:dirty]}
        kept = [
            row
            for row in self.rows[:dirty]
            if last[row.key] == row.offset and (row.value is not None or with_tombstones)
        ]
        went = dirty - len(kept)
        self.rows[:dirty] = kept
        return went

    def latest(self) -> dict[bytes | None, Row]:
        """The last record of each key, tombstones too."""
        return {row.key: row for row in self.rows}


class Logs(defaultdict[TopicPartition, Log]):
    """The partitions of all topics."""

    def __init__(self) -> None:
        super().__init__(Log)


def decoded(batch: bytes) -> Iterator[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]]:
    """Key, value and headers of the records that a producer sends."""
    records = MemoryRecords(bytes(batch))
    while records.has_next():
        for record in records.next_batch():
            yield record.key, record.value, tuple(record.headers)


def encoded(rows: list[Row]) -> bytes:
    """Records as a broker sends them: one batch, whose first offset is the first record's."""
    if not rows:
        return b""
    first = rows[0].offset
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 24)
    for row in rows:
        builder.append(row.offset - first, row.time, row.key, row.value, list(row.headers))
    batch = bytearray(builder.build())
    struct.pack_into(">q", batch, 0, first)  # not covered by the checksum, for brokers set it
    return bytes(batch)
