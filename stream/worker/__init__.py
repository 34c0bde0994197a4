"""The worker: the engine in a Faust app."""

from stream.worker.run import run_worker

__all__ = ["run_worker"]
