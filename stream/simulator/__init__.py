"""Seeded, realistic events: sellers of every size and quality, their carriers, incidents and imperfect transport.

The same configuration gives the same bytes, on any machine: everything is drawn from seeded generators, nothing
from a clock, a hash order or the operating system. No input, no output: the callers write files or Kafka.
"""

from stream.simulator.config import SimulationConfig
from stream.simulator.history import simulate_history
from stream.simulator.live import LiveSimulation
from stream.simulator.record import Kind, Record

__all__ = ["Kind", "LiveSimulation", "Record", "SimulationConfig", "simulate_history"]
