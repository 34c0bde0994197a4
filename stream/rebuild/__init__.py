"""A deployment's state from history, for a new group that takes over: what its workers would have come to, written to
its changelog and alert topic, and its offsets to where they are to read on."""

from stream.rebuild.run import Rebuilt, Span, rebuild

__all__ = ["Rebuilt", "Span", "rebuild"]
