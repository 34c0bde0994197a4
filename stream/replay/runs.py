"""Sorted runs: events on disk in order of their versions, and the merging of several.

A run is a row of blocks: 4 bytes length, 8 bytes time of the last event in microseconds since 1970, both little-endian,
then the events as a MessagePack array in a Zstandard frame with a checksum. The time stands in front so that a replay
that goes on in the middle unpacks nothing of what lies behind it.
"""

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import BinaryIO

import msgspec
import zstandard

from stream.events import Event
from stream.replay.errors import WorkFileError
from stream.shipment import EPOCH

version_of: Callable[[Event], tuple[datetime, str]] = attrgetter("event_time", "event_id")
"""The order of a replay. Events that share a version are told apart where they meet, at their shipment."""

BLOCK_EVENTS = 1_000
"""Enough that a block costs little beside its events; a merge holds one block of every run."""

_HEADER = struct.Struct("<Iq")
_LEVEL = 1
"""Of compression: five times smaller already, at the speed of the disk."""
_MICROSECOND = timedelta(microseconds=1)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Event]).decode


def write_run(file: BinaryIO, blocks: Iterable[Sequence[Event]]) -> None:
    """Write sorted events to the end of a file. Raises OSError."""
    packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    for block in blocks:
        packed = packer.compress(_encode(block))
        file.write(_HEADER.pack(len(packed), (block[-1].event_time - EPOCH) // _MICROSECOND))
        file.write(packed)
    file.flush()


def cut(events: Sequence[Event], size: int) -> Iterator[Sequence[Event]]:
    """Events as blocks of this size."""
    for start in range(0, len(events), size):
        yield events[start : start + size]


def read_run(file: BinaryIO, since: datetime = EPOCH) -> Iterator[list[Event]]:
    """The blocks of a run from the first one on that has an event at ``since`` or later.

    Raises :class:`~stream.replay.errors.WorkFileError` where it is not as it was written, and OSError.
    """
    unpacker = zstandard.ZstdDecompressor()
    first = (since - EPOCH) // _MICROSECOND
    file.seek(0)
    while header := file.read(_HEADER.size):
        try:
            length, last = _HEADER.unpack(header)
            if last < first:
                file.seek(length, 1)
                continue
            yield _decode(unpacker.decompress(file.read(length)))
        except (struct.error, zstandard.ZstdError, msgspec.MsgspecError) as error:
            raise WorkFileError(f"a sorted run is damaged: {getattr(file, 'name', '')}: {error}") from error


def merge_runs(runs: Iterable[Iterator[list[Event]]]) -> Iterator[list[Event]]:
    """The events of sorted runs in order, some at a time.

    What is not later than the end of every run's present block is complete, and sorted at once: that takes a tenth of
    the time of a merge event by event.
    """
    heads = [(block, run) for run in runs for block in islice(run, 1)]
    while heads:
        end = min(version_of(block[-1]) for block, _ in heads)
        complete: list[Event] = []
        later: list[tuple[list[Event], Iterator[list[Event]]]] = []
        for block, run in heads:
            place = bisect_right(block, end, key=version_of)
            complete += block[:place]
            later += [(rest, run) for rest in ([block[place:]] if place < len(block) else islice(run, 1))]
        complete.sort(key=version_of)
        yield complete
        heads = later
