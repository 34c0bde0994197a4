"""Replay of a file, pinned to one core, against a loop that only reads and decodes it."""

import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.measure import Measurement, run_to_end

_ON_ONE_CORE = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "

_DECODE = (
    _ON_ONE_CORE + "import sys; from stream.events import decode; [decode(line) for line in open(sys.argv[1], 'rb')]"
)
_REPLAY = _ON_ONE_CORE + "import sys; sys.argv[0] = 'vtr'; from stream.cli import main; main()"


def measurements(file: Path, events: int) -> dict[str, Callable[[], Measurement]]:
    """The baseline first. Whole processes, interpreter start included."""
    return {
        "read and decode alone (limit)": lambda: run_to_end([sys.executable, "-c", _DECODE, str(file)], events),
        "vtr replay": lambda: run_to_end([sys.executable, "-c", _REPLAY, "replay", str(file)], events),
    }
