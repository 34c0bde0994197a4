"""History through the engine, without a broker: the same events give the same bytes, in whatever order they stand."""

from stream.replay.errors import CheckpointError, ReplayError, SourceError, WorkFileError
from stream.replay.files import Form, HistoryFile, find_files
from stream.replay.processes import replay, usable_cores
from stream.replay.source import usable_events
from stream.replay.summary import Comparison, Replay, Summary

__all__ = [
    "CheckpointError",
    "Comparison",
    "Form",
    "HistoryFile",
    "Replay",
    "ReplayError",
    "SourceError",
    "Summary",
    "WorkFileError",
    "find_files",
    "replay",
    "usable_cores",
    "usable_events",
]
