"""The pure core, one per partition: events in, changes out. No Kafka, no files, no clock."""

from stream.engine.engine import WATERMARK_KEY, Changes, Engine
from stream.engine.settings import EngineSettings

__all__ = ["WATERMARK_KEY", "Changes", "Engine", "EngineSettings"]
