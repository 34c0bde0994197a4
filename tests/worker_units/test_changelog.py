"""What a fetch of a changelog is read as, from the bytes that a broker sends."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from stream.worker.changelog import ChangelogRows, read_as_rows, rows_of
from tests.worker_units.fakes import CHANGELOG

PLACE = TopicPartition(CHANGELOG, 0)
CONTROL = 1 << 5
"""The bit of a batch's attributes that says it is of the brokers' own (Kafka's protocol, record batch)."""

Pair = tuple[bytes | None, bytes | None]


def sent(first: int, *pairs: Pair, offsets: Sequence[int] | None = None) -> bytearray:
    """A batch of records as a broker stores it: from offset ``first``, at these ``offsets`` from there."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10_000)
    for at, (key, value) in zip(offsets or range(len(pairs)), pairs, strict=True):
        builder.append(at, 5_000 + at, key, value, [])
    batch = bytearray(builder.build())
    batch[:8] = first.to_bytes(8, "big")  # not under the checksum
    return batch


def fetched(*batches: bytes | bytearray, at: int = 0) -> PartitionRecords:
    return PartitionRecords(PLACE, MemoryRecords(b"".join(batches)), [], at, None, None, True, 0)


def read(records: PartitionRecords) -> list[ChangelogRows]:
    records._records_iterator = rows_of(records)
    return cast("list[ChangelogRows]", list(records))


def test_a_fetch_is_one_of_the_latest_values() -> None:
    records = fetched(sent(7, (b"a", b"1"), (b"b", b"1"), (b"a", b"2")), sent(10, (b"b", None), (None, b"3")))
    assert read(records) == [ChangelogRows({b"a": b"2", b"b": None, None: b"3"}, 11, 5_001, 0)]
    assert records.next_fetch_offset == 12


def test_a_batch_that_was_compacted_goes_on_to_its_last_offset() -> None:
    """Its last record was replaced; the batch still says where it ended."""
    batch = sent(7, (b"a", b"1"), (b"b", b"1"), offsets=[0, 1])
    batch[23:27] = (9).to_bytes(4, "big")  # the last offset of the batch, counted from its first
    records = fetched(batch)
    records._check_crcs = False
    assert read(records) == [ChangelogRows({b"a": b"1", b"b": b"1"}, 16, 5_001, 0)]
    assert records.next_fetch_offset == 17


def test_what_the_brokers_keep_for_themselves_is_passed_over() -> None:
    control = sent(8, (b"\x00\x00\x00\x01", b"commit"))
    control[22] |= CONTROL
    records = fetched(sent(7, (b"a", b"1")), control)
    records._check_crcs = False
    assert read(records) == [ChangelogRows({b"a": b"1"}, 8, 5_000, 0)]


def test_a_fetch_may_begin_within_a_batch() -> None:
    records = fetched(sent(7, (b"a", b"1"), (b"a", b"2"), (b"b", b"1")), at=8)
    assert read(records) == [ChangelogRows({b"a": b"2", b"b": b"1"}, 9, 5_002, 0)]


def test_damaged_bytes_are_an_error() -> None:
    batch = sent(7, (b"a", b"1"))
    batch[-1] ^= 1
    with pytest.raises(CorruptRecordException):
        read(fetched(sent(3, (b"b", b"1")), batch))


async def test_a_fetch_that_was_read_is_over_where_records_are_asked_for_one_by_one() -> None:
    """With a `batch_size` of 1 the client keeps what it has read of until it has asked for more of it."""
    state = SubscriptionState(loop=cast("Any", None))
    state.assign_from_user({PLACE})
    assignment = state.subscription.assignment
    assignment.state_value(PLACE).seek(7)
    fetch = FetchResult(PLACE, assignment=assignment, partition_records=fetched(sent(7, (b"a", b"1")), at=7), backoff=0)
    fetcher = cast("Any", SimpleNamespace(_records={PLACE: fetch}))
    answers = []
    for _ in range(2):
        read_as_rows(fetcher, {CHANGELOG})
        answers.append(fetch.getall(1))
    assert answers == [[ChangelogRows({b"a": b"1"}, 7, 5_000, 0)], []]
    assert not fetch.has_more(), "the client fetches on"


async def test_trap_the_clients_fetch_reads_and_moves_on_by_what_it_iterates_over() -> None:
    """It takes all that the iterator of a fetch gives, and goes on reading where that says."""
    state = SubscriptionState(loop=cast("Any", None))
    state.assign_from_user({PLACE})
    assignment = state.subscription.assignment
    assignment.state_value(PLACE).seek(7)
    records = fetched(sent(7, (b"a", b"1"), (b"a", b"2")), at=7)
    records._records_iterator = rows_of(records)
    result = FetchResult(PLACE, assignment=assignment, partition_records=records, backoff=0)
    assert result.getall(2_000) == [ChangelogRows({b"a": b"2"}, 8, 5_001, 0)]
    assert assignment.state_value(PLACE).position == 9
    assert not result.has_more()
