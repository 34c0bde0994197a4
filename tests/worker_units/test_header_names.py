"""Records whose header names are no UTF-8 are read as any other; what is overridden of aiokafka is as it was."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from stream.settings import Settings
from stream.worker.app import create_app
from stream.worker.header_names import TolerantRecords, _RememberedRecords

GZIP = 1
READ_UNCOMMITTED = 0


class RawName(str):
    """A header's name of any bytes, as a client in C would send it."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return super().encode("latin-1")


def batch_of(records: list[tuple[bytes | None, bytes | None, bytes]], compression: int = 0) -> Any:  # noqa: ANN401
    """A batch of records, each a key, a value and the name of a header."""
    builder = _DefaultRecordBatchBuilderPy(
        2, compression, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=65_536
    )
    for number, (key, value, name) in enumerate(records):
        builder.append(number, timestamp=1, key=key, value=value, headers=[(RawName(name.decode("latin-1")), b"1")])
    return builder


def batch(first: int, names: list[bytes], compression: int = 0) -> bytes:
    """Such a batch as a broker sends it, from an offset on."""
    data = batch_of([(b"A1", b"{}", name) for name in names], compression).build()
    data[:8] = first.to_bytes(8, "big")
    return bytes(data)


def read(data: bytes, start: int = 0) -> Iterator[tuple[int, str]]:
    partition = TopicPartition("t", 0)
    records = TolerantRecords(partition, _RememberedRecords(data), None, start, None, None, True, READ_UNCOMMITTED)
    for record in records:
        ((name, header),) = record.headers
        assert (record.key, record.value, header, record.timestamp) == (b"A1", b"{}", b"1", 1)
        yield record.offset, name


@pytest.mark.parametrize("compression", [0, GZIP])
def test_what_is_no_utf_8_is_escaped_and_nothing_lost(compression: int) -> None:
    names = [[b"a", b"b"], [b"c", b"\xff", b"d"], [b"Gr\xf6\xdfe", b"e"]]
    data = b"".join(batch(first, each, compression) for first, each in zip((5, 7, 10), names, strict=True))
    found = [(5, "a"), (6, "b"), (7, "c"), (8, "\\xff"), (9, "d"), (10, "Gr\\xf6\\xdfe"), (11, "e")]
    assert list(read(data)) == found
    # A broker answers with the whole batch in which the offset lies.
    assert list(read(data, 6)) == found[1:]
    assert list(read(batch(7, names[1], compression), 9)) == found[4:5]


def test_without_such_names_all_is_as_ever() -> None:
    assert list(read(batch(0, [b"a", b"", b"b"]))) == [(0, "a"), (1, ""), (2, "b")]


def test_aiokafka_alone_would_raise() -> None:
    (theirs,) = TolerantRecords.__bases__
    data = _RememberedRecords(batch(0, [b"\xff"]))
    records = theirs(TopicPartition("t", 0), data, None, 0, None, None, True, READ_UNCOMMITTED)
    with pytest.raises(UnicodeDecodeError):
        list(records)


def test_a_worker_reads_so() -> None:
    create_app(Settings(web_port=0), 1)
    assert fetcher.PartitionRecords is TolerantRecords
    assert fetcher.MemoryRecords is _RememberedRecords
