"""Where history comes from, files or topics, and all that it says: what everything that looks at history reads."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import BinaryIO, NamedTuple, TypeAlias

from stream.events import MAX_FUTURE, Event
from stream.replay.errors import WorkFileError
from stream.replay.file_events import read_file
from stream.replay.files import Form, HistoryFile, find_files, is_pipe, size_of
from stream.replay.meter import Meter
from stream.replay.rejects import RejectedLine, reject_lines
from stream.replay.share import WHOLE, Share
from stream.replay.summary import Summary
from stream.replay.topics import TopicHistory, read_topics

Source: TypeAlias = HistoryFile | TopicHistory


class FoundSources(NamedTuple):
    """The sources of a history, and the paths of files in its folders that are none by their names."""

    sources: list[Source]
    left_out: list[str]

    @property
    def has_pipe(self) -> bool:
        """Whether standard input or another pipe is among them, which only one process can read."""
        return any(map(is_pipe, self.paths))

    @property
    def may_be_gone(self) -> bool:
        """Whether some may not be there a second time, so that a replay of them cannot go on later."""
        return self.has_pipe or any(isinstance(source, TopicHistory) for source in self.sources)

    @property
    def paths(self) -> list[str]:
        """Of the files."""
        return [source.path for source in self.sources if isinstance(source, HistoryFile)]

    @property
    def size(self) -> int | None:
        """Bytes of files, or records of topics at most, as meters count them; None where nobody can tell."""
        topics = [source for source in self.sources if isinstance(source, TopicHistory)]
        if topics and self.paths:
            return None
        return sum(each.records for each in topics) if topics else size_of(self.paths)


def find_sources(named: Iterable[str | Source], form: Form | None = None) -> FoundSources:
    """The files that are named, those in folders that are named, and topics.

    ``form`` is that of named files whose names do not tell. Raises :class:`~stream.replay.errors.SourceError` where a
    folder has no history.
    """
    named = list(named)
    topics = [each for each in named if isinstance(each, TopicHistory)]
    files, left_out = find_files((each for each in named if not isinstance(each, TopicHistory)), form)
    return FoundSources([*files, *topics], left_out)


def usable_events(
    named: Iterable[str | Source],
    summary: Summary,
    as_of: datetime | None,
    share: Share = WHOLE,
    *,
    rejects: BinaryIO | None = None,
    meter: Meter | None = None,
) -> Iterator[list[Event]]:
    """The events of history files and topics up to ``as_of`` in the sources' order, some thousand at a time.

    What is not among them is counted in ``summary`` and written to ``rejects``. Raises
    :class:`~stream.replay.errors.ReplayError`, and :class:`~stream.kafka.probe.BrokerError` for topics.
    """
    latest = datetime.now(UTC) + MAX_FUTURE if as_of is None else datetime.max.replace(tzinfo=UTC)
    found = find_sources(named)
    summary.left_out += found.left_out
    for source in found.sources:
        rejected: list[RejectedLine] = []
        for events in _read(source, latest, rejected, share, meter or Meter()):
            summary.events += len(events)
            usable = events if as_of is None else [event for event in events if event.event_time <= as_of]
            summary.after_as_of += len(events) - len(usable)
            if rejected:
                summary.reject(rejected)
                if rejects is not None:
                    _write(rejects, rejected)
                rejected.clear()
            yield usable


def _read(
    source: Source, latest: datetime, rejected: list[RejectedLine], share: Share, meter: Meter
) -> Iterator[list[Event]]:
    if isinstance(source, TopicHistory):
        return read_topics(source, latest, rejected, share, meter)
    return read_file(source, latest, rejected, share, meter)


def _write(rejects: BinaryIO, rejected: Sequence[RejectedLine]) -> None:
    try:
        rejects.writelines(reject_lines(rejected))
    except OSError as error:
        raise WorkFileError(f"cannot write {rejects.name}: {error.strerror}") from error
