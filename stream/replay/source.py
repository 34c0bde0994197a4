"""History files: NDJSON, plain or compressed, one event per line."""

import gzip
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import BinaryIO, NamedTuple, cast

import zstandard

from stream.events import Event, Rejection, decode, future_event
from stream.replay.share import WHOLE, Share

STDIN = "-"

_CHUNK_BYTES = 1 << 20
"""Lines are read and decoded by the megabyte: one step into Python for some thousand of them."""


class SourceError(Exception):
    """A history file cannot be read. The message is one line that names it."""


class RejectedLine(NamedTuple):
    """A line that is no usable event. Lines count from 1."""

    file: str
    line: int
    rejection: Rejection


def read_events(
    file: str, latest: datetime, rejected: list[RejectedLine], share: Share = WHOLE
) -> Iterator[list[Event]]:
    """The events of a file in its order, some thousand at a time, of a share of the sellers.

    What is no event, or later than ``latest``, is added to ``rejected``; blank lines are nothing. ``.gz`` and ``.zst``
    are unpacked, ``-`` is standard input. Raises :class:`SourceError`.
    """
    number = 1
    with _opened(file) as source:
        while lines := source.readlines(_CHUNK_BYTES):
            if share is WHOLE:
                decoded = list(map(decode, lines))
                if all(not isinstance(event, Rejection) and event.event_time <= latest for event in decoded):
                    yield cast("list[Event]", decoded)
                    number += len(lines)
                    continue
            yield list(_events(file, number, lines, latest, rejected, share))
            number += len(lines)


def _events(
    file: str, number: int, lines: Sequence[bytes], latest: datetime, rejected: list[RejectedLine], share: Share
) -> Iterator[Event]:
    for place, line in enumerate(lines, number):
        is_own = True if share is WHOLE else share.owns(line)
        if is_own is False:
            continue
        event = decode(line)
        if isinstance(event, Rejection):
            if (is_own or share.takes_strays) and not line.isspace():
                rejected.append(RejectedLine(file, place, event))
        elif is_own or share.has(event.seller_id):
            if event.event_time <= latest:
                yield event
            else:
                rejected.append(RejectedLine(file, place, future_event(event)))


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    try:
        if file == STDIN:
            yield sys.stdin.buffer
        else:
            with open(file, "rb") as raw, _unpacked(file, raw) as unpacked:  # noqa: PTH123 - "-" is not a path
                yield unpacked
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
