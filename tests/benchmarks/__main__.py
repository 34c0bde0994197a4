"""Measures replay and backlog throughput on this machine.

    python -m tests.benchmarks [--events N] [--rounds N] [--partitions N] [--only replay|backlog]

Each group has a baseline that is measured in the same run: decoding alone for the replay, and reading and decoding
alone for the worker. The ratio to it holds where the machine's own speed does not.
"""

import argparse
import os
import platform
import statistics
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stream.simulator import Record, SimulationConfig, simulate_history
from tests.benchmarks import backlog, history
from tests.benchmarks.measure import Measurement

PERIOD = timedelta(days=35)
"""Longer than the live window, so that shipments also leave it."""

SELLERS = 300


def main() -> None:
    """Run the measurements and print a line for each: the median of the rounds, and their spread."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--only", choices=["replay", "backlog"])
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {options.events:,} events, {SELLERS} sellers")
    if options.only != "backlog":
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "history.ndjson"
            with file.open("wb") as lines:
                for record in _simulated(options.events, datetime(2026, 11, 1, tzinfo=UTC)):
                    lines.write(record.value + b"\n")
            _report("replay, one core", options.rounds, history.measurements(file, options.events))
    if options.only != "replay":
        with backlog.prepared(_simulated(options.events, datetime.now(UTC)), options.partitions) as prepared:
            _report(f"backlog on {prepared.broker_name}", options.rounds, prepared.measurements())


def _simulated(events: int, end: datetime) -> Iterator[Record]:
    return simulate_history(SimulationConfig(seed=1, sellers=SELLERS, start=end - PERIOD, end=end), events)


def _report(title: str, rounds: int, measurements: dict[str, Callable[[], Measurement]]) -> None:
    print(f"\n{title}\n{'':<34}{'events/s':>10}  {'spread':>17}  {'CPU µs/event':>12}  {'peak MB':>8}  {'of limit':>8}")
    results: dict[str, list[Measurement]] = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, measure in measurements.items():
            results[name].append(measure())
    limit = 0.0
    for name, measured in results.items():
        rates = [each.events / each.seconds for each in measured]
        median = statistics.median(rates)
        limit = limit or median
        cpu = statistics.median(each.cpu_seconds / each.events * 1e6 for each in measured)
        spread = f"{min(rates):,.0f}–{max(rates):,.0f}"
        peak = max(each.peak_mb for each in measured)
        print(f"{name:<34}{median:>10,.0f}  {spread:>17}  {cpu:>12.1f}  {peak:>8.0f}  {median / limit:>8.0%}")


if __name__ == "__main__":
    main()
