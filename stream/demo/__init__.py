"""The whole product on one machine in one command: embedded broker, simulator, worker, and a screen to watch."""

from stream.demo.children import ChildFailedError
from stream.demo.run import DemoPlan, run_demo

__all__ = ["ChildFailedError", "DemoPlan", "run_demo"]
