"""What is read of a changelog: the rows of a fetch as one, since there only the latest value of each key counts.

The client makes an object of each record, which takes longer than all else that a restored record needs; what a record
says beside key and value, nobody asks.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException


class ChangelogRows(NamedTuple):
    """The latest value of each key in what was fetched at once, None where it was deleted. ``offset`` is where that
    ends; ``timestamp`` in milliseconds and its type are the last record's."""

    rows: dict[bytes | None, bytes | None]
    offset: int
    timestamp: int
    timestamp_type: int


def read_as_rows(fetcher: Fetcher, topics: Collection[str]) -> None:
    """Let what waits in the client to be read of these topics be read as one :class:`ChangelogRows` a partition."""
    for tp, result in fetcher._records.items():
        if tp.topic in topics and isinstance(result, FetchResult):
            fetched = result._partition_records
            if isinstance(fetched, PartitionRecords):
                fetched._records_iterator = rows_of(fetched)


def rows_of(fetched: PartitionRecords) -> Iterator[ChangelogRows]:
    """All that was fetched of a partition, as the client iterates over it.

    Records of its first batch may lie before where reading is to begin. To read them once more changes nothing: what
    has replaced them follows. Told to take one record at a time, the client asks once more when all of it is read:
    an answer then would be given again and again.
    """
    records = fetched._records
    if not records.has_next():
        return
    rows: dict[bytes | None, bytes | None] = {}
    record = None
    while records.has_next():
        batch = records.next_batch()
        if fetched._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {fetched._tp}")
        if not batch.is_control_batch:
            for record in batch:
                rows[record.key] = record.value
        fetched.next_fetch_offset = batch.next_offset
    when = (0, 0) if record is None else (record.timestamp, record.timestamp_type)
    yield ChangelogRows(rows, fetched.next_fetch_offset - 1, *when)
