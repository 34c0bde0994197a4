"""Runs one peer until SIGTERM: ``python -m tests.benchmarks.peers NAME JOB``, the job as a JSON array of its fields."""

import importlib
import json
import sys

from tests.benchmarks.peers.job import Job

if __name__ == "__main__":
    importlib.import_module(f"tests.benchmarks.peers.{sys.argv[1]}").run(Job(*json.loads(sys.argv[2])))
