"""Replay of a file, pinned to one core, against a loop that only reads and decodes it."""

import sys
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.measure import interleaved, run_to_end

_ON_ONE_CORE = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "

_DECODE = (
    _ON_ONE_CORE + "import sys; from stream.events import decode; [decode(line) for line in open(sys.argv[1], 'rb')]"
)
_REPLAY = _ON_ONE_CORE + "import sys; sys.argv[0] = 'vtr'; from stream.cli import main; main()"

LIMIT = "read and decode alone (limit)"


def run(bench: Bench) -> None:
    """Whole processes, interpreter start included."""
    events = bench.options.events
    file = bench.history(events, bench.options.sellers)
    subjects = {
        LIMIT: lambda: run_to_end(_python(_DECODE, file), events),
        "vtr replay": lambda: run_to_end(_python(_REPLAY, Path("replay"), file), events),
    }
    bench.report.say("## Replay of a file, on one core")
    bench.report.rates(interleaved(subjects, bench.options.rounds), {"of limit": LIMIT})


def _python(program: str, *arguments: Path) -> list[str]:
    return [sys.executable, "-c", program, *map(str, arguments)]
