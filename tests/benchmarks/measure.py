"""What is measured of a process, and how rounds of it are summed up. Linux only: the figures are its kernel's."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")

_TICKS = os.sysconf("SC_CLK_TCK")


class Measurement(NamedTuple):
    """One round. ``seconds`` are of the wall clock, ``cpu_seconds`` user and system time; ``peak_mb`` is the largest
    resident size, ``end_mb`` the one at the end (None where the process had ended by then)."""

    events: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    end_mb: float | None = None

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU time per event."""
        return self.cpu_seconds / self.events * 1e6


class Usage(NamedTuple):
    """What a running process has used so far; memory is resident, in MB."""

    cpu_seconds: float
    peak_mb: float
    now_mb: float


def usage(pid: int) -> Usage:
    """The kernel's figures of a process, all its threads included."""
    # The program's name comes second, in brackets, and may hold blanks.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    kilobytes = dict(line.split(":", 1) for line in status.splitlines() if line.startswith("Vm"))
    peak, now = (int(kilobytes[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, peak, now)


def interleaved(subjects: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """All subjects in turn, and that ``rounds`` times: what disturbs the machine for a while disturbs them alike."""
    measured: dict[str, list[T]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, measure in subjects.items():
            measured[name].append(measure())
    return measured


class Spread(NamedTuple):
    """Several rounds of one figure."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The median, and between which values it lies."""
        return cls(statistics.median(values), min(values), max(values))

    def text(self, digits: int = 0) -> str:
        """``median (least–most)``."""
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f}–{self.most:,.{digits}f})"


def run_to_end(command: Sequence[str], events: int) -> Measurement:
    """Run a command that ends by itself, from start to end. Raises RuntimeError where it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    seconds = time.perf_counter() - started
    return Measurement(events, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
