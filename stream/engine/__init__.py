"""The pure core, one per partition: events in, changes out. No Kafka, no files, no clock."""

from stream.engine import engine as _engine
from stream.engine.engine import Changes, Engine
from stream.engine.settings import EngineSettings
from stream.engine.window import KeptWindows

__all__ = ["IS_COMPILED", "Changes", "Engine", "EngineSettings", "KeptWindows"]

IS_COMPILED = not str(_engine.__file__).endswith(".py")
"""Whether this and the other modules that every event goes through were compiled when the product was installed."""
