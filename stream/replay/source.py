"""What history files say: their events, judged by the one decoder, and what is none, with its place."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, cast

from stream.events import Event, Rejection, decode, future_event
from stream.replay.files import HistoryFile, find_files
from stream.replay.formats import read_lines
from stream.replay.lines import Lines
from stream.replay.meter import Meter
from stream.replay.share import WHOLE, Share


class RejectedLine(NamedTuple):
    """A line or row that is no usable event; they count from 1. ``raw`` is what stood there."""

    file: str
    line: int
    rejection: Rejection
    raw: bytes = b""


def read_events(
    file: str | HistoryFile,
    latest: datetime,
    rejected: list[RejectedLine],
    share: Share = WHOLE,
    meter: Meter | None = None,
) -> Iterator[list[Event]]:
    """The events of a file in its order, some thousand at a time, of a share of the sellers.

    What is no event, or later than ``latest``, is added to ``rejected``; blank lines are nothing. ``-`` is standard
    input. Raises :class:`~stream.replay.errors.SourceError`.
    """
    meter = meter or Meter()
    (opened,) = find_files([file]).files
    for lines in read_lines(opened):
        events = _judged(opened.path, lines, latest, rejected, share)
        meter.read(lines.position, len(events))
        yield events
    meter.end_file()


def _judged(path: str, lines: Lines, latest: datetime, rejected: list[RejectedLine], share: Share) -> list[Event]:
    if share is WHOLE and not lines.has_rejections:
        # Nearly always all are events, and then nothing need be looked at twice.
        decoded = list(map(decode, cast("Sequence[bytes]", lines.values)))
        if all(not isinstance(event, Rejection) and event.event_time <= latest for event in decoded):
            return cast("list[Event]", decoded)
    return list(_events(path, lines, latest, rejected, share))


def _events(path: str, lines: Lines, latest: datetime, rejected: list[RejectedLine], share: Share) -> Iterator[Event]:
    for place, value in enumerate(lines.values):
        is_own: bool | None = None
        event: Event | Rejection
        if isinstance(value, Rejection):
            event = value
        else:
            is_own = True if share is WHOLE else share.owns(value)
            if is_own is False:
                continue
            event = decode(value)
        rejection = None
        if isinstance(event, Rejection):
            if (is_own or share.takes_strays) and not (isinstance(value, bytes) and value.isspace()):
                rejection = event
        elif is_own or share.has(event.seller_id):
            if event.event_time <= latest:
                yield event
            else:
                rejection = future_event(event)
        if rejection is not None:
            rejected.append(RejectedLine(path, lines.numbers[place], rejection, lines.raws[place]))
