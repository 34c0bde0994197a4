"""History through the engine, without a broker: the same events give the same bytes, in whatever order they stand."""

from stream.replay.errors import CheckpointError, ReplayError, SourceError, WorkFileError
from stream.replay.files import Form, HistoryFile
from stream.replay.meter import Meter
from stream.replay.processes import no_collection, replay, usable_cores
from stream.replay.run import read_sorted
from stream.replay.sources import Source, find_sources, usable_events
from stream.replay.summary import Comparison, Replay, Summary
from stream.replay.topics import TopicHistory, find_topic_history

__all__ = [
    "CheckpointError",
    "Comparison",
    "Form",
    "HistoryFile",
    "Meter",
    "Replay",
    "ReplayError",
    "Source",
    "SourceError",
    "Summary",
    "TopicHistory",
    "WorkFileError",
    "find_sources",
    "find_topic_history",
    "no_collection",
    "read_sorted",
    "replay",
    "usable_cores",
    "usable_events",
]
