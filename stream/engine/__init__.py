"""The pure core, one per partition: events in, changes out. No Kafka, no files, no clock."""

from stream.engine.engine import Changes, Engine
from stream.engine.settings import EngineSettings
from stream.engine.span import keep_until

__all__ = ["Changes", "Engine", "EngineSettings", "keep_until"]
