"""History files: NDJSON, plain or compressed, one event per line."""

import gzip
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, cast

import zstandard

from stream.events import Event, Rejection, decode

STDIN = "-"


class SourceError(Exception):
    """A history file cannot be read. The message is one line that names it."""


class RejectedLine(NamedTuple):
    """A line that is no usable event. Lines count from 1."""

    file: str
    line: int
    rejection: Rejection


def read_events(file: str) -> Iterator[Event | RejectedLine]:
    """The events of a file (``.gz`` and ``.zst`` are unpacked, ``-`` is standard input), blank lines left out.

    Raises :class:`SourceError`.
    """
    with _opened(file) as lines:
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if text:
                event = decode(text)
                yield RejectedLine(file, number, event) if isinstance(event, Rejection) else event


@contextmanager
def _opened(file: str) -> Iterator[Iterator[bytes]]:
    try:
        if file == STDIN:
            yield iter(sys.stdin.buffer)
        else:
            with open(file, "rb") as raw, _unpacked(file, raw) as unpacked:  # noqa: PTH123 - "-" is not a path
                yield iter(unpacked)
    except OSError as error:
        raise SourceError(f"cannot read {file}: {error.strerror or error}") from error
    except (EOFError, zstandard.ZstdError) as error:
        raise SourceError(f"cannot unpack {file}: {error}") from error


def _unpacked(file: str, raw: BinaryIO) -> BinaryIO:
    if file.endswith(".gz"):
        return cast("BinaryIO", gzip.open(raw))
    if file.endswith(".zst"):
        return cast("BinaryIO", io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw)))
    return raw
