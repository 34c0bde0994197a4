"""How far a process of a replay is, in numbers that the one which shows it may read at any time."""

import multiprocessing
from collections.abc import Callable, MutableSequence
from datetime import datetime
from enum import IntEnum
from typing import cast


class Reading(IntEnum):
    """The numbers of a meter."""

    IS_PLAYING = 0
    """1 once all has been read and sorted, and events happen."""
    SIZE = 1
    """Read so far: bytes of files as they are on disk, records of topics."""
    EVENTS = 2
    """Read."""
    TOTAL = 3
    """Events that are to happen, once that is known."""
    PLAYED = 4
    """Events that have happened."""
    AT = 5
    """Seconds since 1970: the time that events have reached."""


Numbers = MutableSequence[float]


def new_numbers() -> Numbers:
    """Numbers for a meter in this process."""
    return [0.0] * len(Reading)


def shared_numbers() -> Numbers:
    """Numbers for a meter in a process that is yet to start."""
    return cast("Numbers", multiprocessing.RawArray("d", len(Reading)))


TELL_EVERY = 1_000
"""Events that happen between two entries into a meter."""


class Meter:
    """Takes down how far a process is. ``tick`` is called now and then: some hundred times a second at most."""

    def __init__(self, numbers: Numbers | None = None, tick: Callable[[], None] = lambda: None) -> None:
        self._numbers = new_numbers() if numbers is None else numbers
        self._tick = tick
        self._earlier = 0
        self._played = self._tell_at = 0

    def read(self, position: int, events: int) -> None:
        """So many more events were read, up to this byte of the file, or with so many records of topics."""
        self._numbers[Reading.SIZE] = self._earlier + position
        self._numbers[Reading.EVENTS] += events
        self._tick()

    def end_source(self) -> None:
        """What is read next is of another file, or of topics."""
        self._earlier = int(self._numbers[Reading.SIZE])

    def sorted(self) -> None:
        """Some step of the sorting is done."""
        self._tick()

    def play(self, total: int, played: int = 0) -> None:
        """All is sorted; ``played`` of ``total`` events have happened in an earlier run."""
        self._played = played
        self._numbers[Reading.TOTAL] = total
        self._numbers[Reading.PLAYED] = played
        self._numbers[Reading.IS_PLAYING] = 1

    def played(self, events: int, at: datetime) -> None:
        """So many more events have happened, up to this time."""
        self._played += events
        if self._played >= self._tell_at:
            self._tell_at = self._played + TELL_EVERY
            self._numbers[Reading.PLAYED] = self._played
            self._numbers[Reading.AT] = at.timestamp()
            self._tick()
