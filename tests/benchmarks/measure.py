"""What is measured of a process."""

import os
import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple


class Measurement(NamedTuple):
    """One round. ``seconds`` are of the wall clock, ``peak_mb`` is the largest resident size."""

    events: int
    seconds: float
    cpu_seconds: float
    peak_mb: float


def run_to_end(command: Sequence[str], events: int) -> Measurement:
    """Run a command that ends by itself, from start to end."""
    started = time.perf_counter()
    measured = reaped(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), events, 0)
    return measured._replace(seconds=time.perf_counter() - started)


def reaped(process: "subprocess.Popen[bytes]", events: int, seconds: float) -> Measurement:
    """Wait for a process to end; ``seconds`` are those that count."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return Measurement(events, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
