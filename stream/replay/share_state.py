"""What a process of a replay keeps on disk, so that it can go on later:

    N.run           its sorted events: see :mod:`stream.replay.runs`
    rejects.ndjson  what it rejected
    sorted.json     written when all is read and sorted: which runs there are, and the summary so far
    alerts.ndjson   the alerts so far; those behind what the state counts belong to hours that come again
    state           where it was at the end of an hour: a head, and the shipments as rows

The state is a row of Zstandard frames, each behind 4 bytes of its length: first the head, then some rows at a time.
"""

import os
import struct
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from pathlib import Path

import msgspec
import zstandard
from msgspec import Struct

from stream.records import Alert, InvalidRecordError, decode_alert, encode
from stream.replay.errors import WorkFileError
from stream.replay.rejects import RejectedLine
from stream.replay.sorting import SortedEvents
from stream.replay.summary import Summary
from stream.replay.whole_file import write_whole
from stream.shipment import Shipment, ShipmentId
from stream.state.rows import CorruptShipmentError, split_key, unpack

SHARE_OF_TIME = 0.05
"""At most this part of a replay goes into keeping its state."""

_ROWS = 1_000
"""Shipments in a frame."""

_LENGTH = struct.Struct("<I")


class _Sorted(Struct):
    runs: list[str]
    count: int
    first: datetime | None
    last: datetime | None
    events: int
    after_as_of: int
    rejected: dict[str, int]
    examples: list[RejectedLine]


class _Head(Struct):
    hour: int
    accepted: int
    rejected: dict[str, int]
    alerts: int


class KeptState(Struct):
    """Where a replay was: at the beginning of ``hour`` (since 1970 UTC), with so many events ``accepted``, others
    ``rejected`` by code, and these alerts and shipments."""

    hour: int
    accepted: int
    rejected: Counter[str]
    alerts: list[Alert]
    shipments: Iterator[tuple[ShipmentId, Shipment]]


class ShareState:
    """The folder of one process. Its methods raise :class:`~stream.replay.errors.WorkFileError`.

    ``interval`` is the least seconds between two states.
    """

    def __init__(self, folder: Path, interval: float) -> None:
        self.folder = folder
        self._interval = interval
        self._next = time.monotonic() + interval
        self._kept_alerts = 0

    @property
    def rejects(self) -> Path:
        """The file of what was rejected."""
        return self.folder / "rejects.ndjson"

    # --- Events ------------------------------------------------------------------------------------------------------

    def keep_sorted(self, events: SortedEvents, summary: Summary) -> None:
        """All events are in runs in the folder, and need not be read again."""
        names = [Path(str(file.name)).name for file in events.runs]
        rejected = dict(summary.rejected)
        said = _Sorted(
            names,
            events.count,
            events.first,
            events.last,
            summary.events,
            summary.after_as_of,
            rejected,
            summary.examples,
        )
        try:
            for file in events.runs:
                os.fsync(file.fileno())
            write_whole(self.folder / "sorted.json", [msgspec.json.encode(said)])
        except OSError as error:
            raise self._unwritable(error) from error

    def sorted(self) -> tuple[SortedEvents, Summary] | None:
        """The events and the summary of an earlier run; None where it had not come so far."""
        path = self.folder / "sorted.json"
        try:
            said = msgspec.json.decode(path.read_bytes(), type=_Sorted)
            files = [(self.folder / name).open("rb") for name in said.runs]
        except FileNotFoundError as error:
            if Path(error.filename) == path:
                return None
            raise self._unreadable(error) from error
        except (OSError, msgspec.MsgspecError) as error:
            raise self._unreadable(error) from error
        summary = Summary(
            events=said.events,
            after_as_of=said.after_as_of,
            rejected=Counter(said.rejected),
            examples=said.examples,
        )
        return SortedEvents.of_runs(files, said.count, said.first, said.last), summary

    # --- State -------------------------------------------------------------------------------------------------------

    def is_due(self) -> bool:
        """Whether it is time to keep the state."""
        return time.monotonic() >= self._next

    def keep(
        self,
        hour: int,
        accepted: int,
        rejected: Mapping[str, int],
        alerts: Sequence[Alert],
        rows: Iterable[tuple[bytes, bytes]],
    ) -> None:
        """Keep the state, at the beginning of ``hour``, when nothing of it has happened."""
        began = time.monotonic()
        try:
            with self._alerts_file.open("ab") as file:
                file.writelines(encode(alert) + b"\n" for alert in alerts[self._kept_alerts :])
                file.flush()
                os.fsync(file.fileno())
            head = _Head(hour, accepted, dict(rejected), len(alerts))
            write_whole(self.folder / "state", _frames(head, rows))
        except OSError as error:
            raise self._unwritable(error) from error
        self._kept_alerts = len(alerts)
        now = time.monotonic()
        self._next = now + max(self._interval, (now - began) / SHARE_OF_TIME)

    def kept(self) -> KeptState | None:
        """The state that an earlier run has kept; None where there is none. To be asked before any other is kept."""
        path = self.folder / "state"
        head = None
        try:
            frames = _read_frames(path)
            try:
                head = msgspec.msgpack.decode(next(frames), type=_Head)
            except FileNotFoundError:
                self._alerts_file.unlink(missing_ok=True)
                return None
            with self._alerts_file.open("r+b") as file:
                alerts = [decode_alert(line) for line in islice(iter(file.readline, b""), head.alerts)]
                file.truncate(file.tell())
        except (OSError, struct.error, zstandard.ZstdError, msgspec.MsgspecError, InvalidRecordError) as error:
            raise self._unreadable(error) from error
        if len(alerts) != head.alerts:
            raise WorkFileError(f"{self._alerts_file} is damaged: it has {len(alerts)} of {head.alerts} alerts")
        self._kept_alerts = len(alerts)
        return KeptState(head.hour, head.accepted, Counter(head.rejected), alerts, self._shipments(frames))

    def _shipments(self, frames: Iterator[bytes]) -> Iterator[tuple[ShipmentId, Shipment]]:
        try:
            for frame in frames:
                for key, value in msgspec.msgpack.decode(frame, type=list[tuple[bytes, bytes]]):
                    shipment_id = split_key(key)
                    yield shipment_id, unpack(shipment_id, value)
        except (OSError, struct.error, zstandard.ZstdError, msgspec.MsgspecError, CorruptShipmentError) as error:
            raise self._unreadable(error) from error

    @property
    def _alerts_file(self) -> Path:
        return self.folder / "alerts.ndjson"

    def _unreadable(self, error: Exception) -> WorkFileError:
        return WorkFileError(f"cannot go on from {self.folder}: {getattr(error, 'strerror', None) or error}")

    def _unwritable(self, error: OSError) -> WorkFileError:
        return WorkFileError(f"cannot write to {self.folder}: {error.strerror or error}")


def _frames(head: _Head, rows: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    packer = zstandard.ZstdCompressor(level=1, write_checksum=True)
    remaining = iter(rows)
    contents = chain([head], iter(lambda: list(islice(remaining, _ROWS)), []))
    for content in contents:
        packed = packer.compress(msgspec.msgpack.encode(content))
        yield _LENGTH.pack(len(packed)) + packed


def _read_frames(path: Path) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor()
    with path.open("rb") as file:
        while length := file.read(_LENGTH.size):
            yield unpacker.decompress(file.read(*_LENGTH.unpack(length)))
