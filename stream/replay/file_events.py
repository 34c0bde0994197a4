"""What history files say: their events, judged by the one decoder, and what is none, with its place."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

from stream.events import Event, Rejection, decode, future_event
from stream.replay.files import HistoryFile, path_text
from stream.replay.formats import read_lines
from stream.replay.lines import Lines
from stream.replay.meter import Meter
from stream.replay.rejects import RejectedLine
from stream.replay.share import WHOLE, Share


def read_file(
    file: HistoryFile,
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
    for lines in read_lines(file):
        events = _judged(file.path, lines, latest, rejected, share)
        meter.read(lines.position, len(events))
        yield events
    meter.end_source()


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
            rejected.append(RejectedLine(path_text(path), lines.numbers[place], rejection, lines.raws[place]))
