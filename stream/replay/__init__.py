"""History through the engine, without a broker: the same events give the same bytes, in whatever order they stand."""

from stream.replay.processes import replay, usable_cores
from stream.replay.run import Replay, Source, Summary, read_sorted, usable_events
from stream.replay.source import SourceError
from stream.replay.topics import TopicHistory, find_topic_history

__all__ = [
    "Replay",
    "Source",
    "SourceError",
    "Summary",
    "TopicHistory",
    "find_topic_history",
    "read_sorted",
    "replay",
    "usable_cores",
    "usable_events",
]
