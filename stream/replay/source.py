"""What history files say: their events, judged by the one decoder, and what is none, with its place."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import BinaryIO, cast

from stream.events import MAX_FUTURE, Event, Rejection, decode, future_event
from stream.replay.errors import WorkFileError
from stream.replay.files import HistoryFile, find_files
from stream.replay.formats import read_lines
from stream.replay.lines import Lines
from stream.replay.meter import Meter
from stream.replay.rejects import RejectedLine, reject_lines
from stream.replay.share import WHOLE, Share
from stream.replay.summary import Summary


def usable_events(
    files: Iterable[str | HistoryFile],
    summary: Summary,
    as_of: datetime | None,
    share: Share = WHOLE,
    *,
    rejects: BinaryIO | None = None,
    meter: Meter | None = None,
) -> Iterator[list[Event]]:
    """The events of history files up to ``as_of`` in the files' order, some thousand at a time.

    What is not among them is counted in ``summary`` and written to ``rejects``. Raises
    :class:`~stream.replay.errors.ReplayError`.
    """
    latest = datetime.now(UTC) + MAX_FUTURE if as_of is None else datetime.max.replace(tzinfo=UTC)
    meter = meter or Meter()
    found = find_files(files)
    summary.left_out += found.left_out
    for file in found.files:
        rejected: list[RejectedLine] = []
        for events in read_events(file, latest, rejected, share, meter):
            summary.events += len(events)
            usable = events if as_of is None else [event for event in events if event.event_time <= as_of]
            summary.after_as_of += len(events) - len(usable)
            if rejected:
                summary.reject(rejected)
                if rejects is not None:
                    _write(rejects, rejected)
                rejected.clear()
            yield usable


def _write(rejects: BinaryIO, rejected: Iterable[RejectedLine]) -> None:
    try:
        rejects.writelines(reject_lines(rejected))
    except OSError as error:
        raise WorkFileError(f"cannot write {rejects.name}: {error.strerror}") from error


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
