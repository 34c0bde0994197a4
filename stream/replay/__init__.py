"""History through the engine, without a broker: the same events give the same bytes, in whatever order they stand."""

from stream.replay.processes import replay, usable_cores
from stream.replay.run import Replay, Summary, usable_events
from stream.replay.source import SourceError

__all__ = ["Replay", "SourceError", "Summary", "replay", "usable_cores", "usable_events"]
