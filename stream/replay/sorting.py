"""Events in order of their versions: in memory as far as they fit, else in sorted runs on disk, which are merged."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from stream.events import Event, encode
from stream.replay.errors import WorkFileError
from stream.replay.meter import Meter
from stream.replay.runs import BLOCK_EVENTS, cut, merge_runs, read_run, version_of, write_run
from stream.shipment import EPOCH

MEMORY_PER_BYTE = 3.0
"""Bytes that an event takes in memory while it is sorted, per byte of its JSON (measured: 2.6)."""

SAMPLES = 8
"""Events that are measured of some thousand."""

FAN_IN = 64
"""Runs that are merged into one when there are so many, so that files and their blocks stay few."""

LEAST_BLOCK = 32
"""Events: below that, blocks cost more than they hold."""

_BLOCK_SHARE = 0.25
"""Of the memory, for the blocks that a merge holds."""

_EVENT_BYTES = 1_000
"""About what an event takes in memory."""


class SortedEvents:
    """The events of an iterable of lists, in order. ``memory`` is in bytes.

    Runs are in nameless files, which are gone with this process whatever ends it; with a ``folder`` all events are in
    runs, which stay there. Raises :class:`~stream.replay.errors.WorkFileError`.
    """

    def __init__(
        self, events: Iterable[list[Event]], memory: int, folder: Path | None = None, meter: Meter | None = None
    ) -> None:
        self._folder = folder
        self._block = max(LEAST_BLOCK, min(BLOCK_EVENTS, int(memory * _BLOCK_SHARE) // (FAN_IN * _EVENT_BYTES)))
        self._meter = meter or Meter()
        self._levels: list[list[BinaryIO]] = []
        """Runs, and at each level those that were merged of the level before."""
        self._held: list[Event] = []
        self._made = 0
        self.count = 0
        self.first: datetime | None = None
        """The time of the first event."""
        self.last: datetime | None = None
        """That of the last one."""
        try:
            self._sort(events, memory)
        except BaseException:
            self.close()
            raise

    def _sort(self, events: Iterable[list[Event]], memory: int) -> None:
        taken = 0.0
        for some in events:
            if not some:
                continue
            self._held += some
            self.count += len(some)
            taken += _footprint(some)
            if taken > memory:
                self._spill()
                taken = 0.0
        if self._levels or self._folder is not None:
            self._spill()
        else:
            self._held.sort(key=version_of)
            self._note_ends()

    @classmethod
    def of_runs(
        cls, files: Iterable[BinaryIO], count: int, first: datetime | None, last: datetime | None
    ) -> "SortedEvents":
        """The events of runs that an earlier replay has left."""
        events = cls((), 0)
        events._levels = [list(files)]
        events.count = count
        events.first, events.last = first, last
        return events

    def __iter__(self) -> Iterator[Event]:
        return chain.from_iterable(self.in_order())

    def in_order(self, since: datetime = EPOCH) -> Iterator[list[Event]]:
        """The events from ``since`` on, some at a time. Raises :class:`~stream.replay.errors.WorkFileError`."""
        if not self._levels:
            yield self._held
            return
        try:
            for events in merge_runs(read_run(file, since) for file in self.runs):
                yield events if since == EPOCH else [event for event in events if event.event_time >= since]
        except OSError as error:
            raise WorkFileError(f"cannot read sorted events back: {error.strerror}") from error

    @property
    def runs(self) -> list[BinaryIO]:
        """The files of the runs."""
        return [file for level in self._levels for file in level]

    def close(self) -> None:
        """Give up the events. Runs in a folder stay there."""
        self._held = []
        for file in self.runs:
            # What is left to write is of no use when there is no room for it.
            with suppress(OSError):
                file.close()

    def _note_ends(self) -> None:
        """Of what is held and sorted."""
        if self._held:
            first, last = self._held[0].event_time, self._held[-1].event_time
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)

    def _spill(self) -> None:
        self._held.sort(key=version_of)
        self._note_ends()
        if self._held:
            self._add(0, cut(self._held, self._block))
        self._held = []

    def _add(self, level: int, blocks: Iterable[Sequence[Event]]) -> None:
        if len(self._levels) == level:
            self._levels.append([])
        runs = self._levels[level]
        runs.append(self._written(blocks))
        if len(runs) == FAN_IN:
            merged = merge_runs(map(read_run, runs))
            self._add(level + 1, (block for events in merged for block in cut(events, self._block)))
            for file in runs:
                file.close()
                if self._folder is not None:
                    Path(file.name).unlink()
            runs.clear()

    def _written(self, blocks: Iterable[Sequence[Event]]) -> BinaryIO:
        folder = self._folder or temporary_folder()
        try:
            if self._folder is None:
                file = tempfile.TemporaryFile(dir=folder, prefix="vtr-replay-")  # noqa: SIM115 - it stays open
            else:
                file = (folder / f"{self._made}.run").open("w+b")
                self._made += 1
        except OSError as error:
            raise WorkFileError(f"cannot write sorted events to {folder}: {error.strerror or error}") from error
        try:
            write_run(file, self._told(blocks))
        except BaseException as error:
            with suppress(OSError):
                file.close()
            if isinstance(error, OSError):
                raise WorkFileError(f"cannot write sorted events to {folder}: {error.strerror or error}") from error
            raise
        return file

    def _told(self, blocks: Iterable[Sequence[Event]]) -> Iterator[Sequence[Event]]:
        for block in blocks:
            self._meter.sorted()
            yield block


def temporary_folder() -> Path:
    """Where runs go: ``TMPDIR``, or else /var/tmp, because /tmp is often in memory."""
    named = os.environ.get("TMPDIR")
    if named:
        return Path(named)
    large = Path("/var/tmp")  # noqa: S108 - the files in it have no names
    return large if os.access(large, os.W_OK) else Path(tempfile.gettempdir())


def _footprint(events: Sequence[Event]) -> float:
    """Bytes that the events take in memory, by some of them."""
    sample = events[:: -(-len(events) // SAMPLES)]
    return MEMORY_PER_BYTE * sum(len(encode(event)) for event in sample) / len(sample) * len(events)
