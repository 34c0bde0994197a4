"""The forms of history files: each gives its events as lines of JSON, with their numbers and what stood there."""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

import zstandard

from stream.replay.csv_rows import is_header, read_csv
from stream.replay.errors import SourceError
from stream.replay.files import STDIN, Form, HistoryFile
from stream.replay.lines import Lines
from stream.replay.parquet_rows import PARQUET_MAGIC, read_parquet

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK_BYTES = 1 << 20
"""Lines are read and decoded by the megabyte: one step into Python for some thousand of them."""

_PACKED_BYTES = 1 << 14
"""So many are unpacked at once: events become some ten times larger, and what is made to do so a thousand times."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""Its byte order marks: what spreadsheets call Unicode text, and what PowerShell writes."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
"""How packed files begin, for those whose names do not tell."""


def read_lines(file: HistoryFile) -> Iterator[Lines]:
    """All of a file, some thousand lines or rows at a time. Raises :class:`~stream.replay.errors.SourceError`."""
    if file.form is Form.PARQUET:
        yield from read_parquet(file.path)
        return
    with _opened(file.path) as opened:
        head = opened.source.readline().removeprefix(_BYTE_ORDER_MARK)
        if head.startswith(_UTF_16):
            raise SourceError(f"cannot read {file.path}: it is UTF-16; save it as UTF-8")
        form = file.form or _form(file.path, head)
        if form is Form.PARQUET:
            yield from read_parquet(file.path)
        elif form is Form.CSV:
            for rows in read_csv(file.path, head, opened.source):
                yield rows._replace(position=opened.position())
        else:
            yield from _read_ndjson(head, opened)


class _Opened(NamedTuple):
    source: BinaryIO
    """Unpacked."""
    file: BinaryIO
    """As it is on disk."""

    def position(self) -> int:
        return self.file.tell() if self.file.seekable() else 0


def _read_ndjson(head: bytes, opened: _Opened) -> Iterator[Lines]:
    read = opened.source.readlines
    number = 1
    lines = [head, *read(_CHUNK_BYTES)] if head else []
    while lines:
        yield Lines(lines, range(number, number + len(lines)), lines, opened.position())
        number += len(lines)
        lines = read(_CHUNK_BYTES)


def _form(path: str, head: bytes) -> Form:
    """The form of what begins with this line."""
    if head.startswith(PARQUET_MAGIC):
        return Form.PARQUET
    if head.lstrip().startswith(b"["):
        raise SourceError(
            f"cannot read {path}: it is a JSON array; one event per line is read (jq -c '.[]' makes that)"
        )
    return Form.CSV if is_header(head) else Form.NDJSON


@contextmanager
def _opened(path: str) -> Iterator[_Opened]:
    try:
        if path == STDIN:
            file = cast("io.BufferedReader", sys.stdin.buffer)
            yield _Opened(_unpacked(path, file), file)
        else:
            with open(path, "rb") as file, _unpacked(path, file) as source:  # noqa: PTH123 - "-" is not a path
                yield _Opened(source, file)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error
    except (EOFError, zlib.error, zstandard.ZstdError) as error:
        raise SourceError(f"cannot unpack {path}: {error}") from error


def _unpacked(path: str, file: io.BufferedReader) -> BinaryIO:
    name, first = path.lower(), file.peek(len(_ZSTD))
    if name.endswith(".gz") or first.startswith(_GZIP):
        return cast("BinaryIO", gzip.open(file))
    if name.endswith(".zst") or first.startswith(_ZSTD):
        return cast("BinaryIO", io.BufferedReader(_Frames(file), _CHUNK_BYTES))
    return file


class _Frames(io.RawIOBase):
    """Zstandard frames, of which tools that pack in parallel, and `cat`, put several into a file, unpacked.

    Raises EOFError where the last one is cut off; the library's own reader takes that for the end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._unpacker = zstandard.ZstdDecompressor()
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._packed = b""
        self._unpacked = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        while not self._unpacked:
            packed = self._packed or self._file.read(_PACKED_BYTES)
            if not packed:
                if self._frame is not None:
                    raise EOFError("it ends within a frame")
                return 0
            if self._frame is None:
                self._frame = self._unpacker.decompressobj()
            self._unpacked, self._packed = memoryview(self._frame.decompress(packed)), b""
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._unpacked))
        target[:size] = self._unpacked[:size]
        self._unpacked = self._unpacked[size:]
        return size
