"""How much memory a replay may take for sorting."""

import os
from pathlib import Path

SHARE_OF_AVAILABLE = 0.5
"""The rest is for the shipments of the last weeks, which a replay holds beside, and for everybody else."""

LEAST_BYTES = 64 << 20
"""Sorting in less gains nothing: the program itself takes as much."""

UNKNOWN_BYTES = 2 << 30
"""Taken for available where the system does not tell."""

_CGROUP = Path("/sys/fs/cgroup")


def memory_for_sorting() -> int:
    """Bytes, by what is available now on this machine and in this container."""
    return max(LEAST_BYTES, int(min(_available(), _left_in_container()) * SHARE_OF_AVAILABLE))


def _available() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (OSError, ValueError):
        return UNKNOWN_BYTES


def _left_in_container() -> float:
    try:
        limit = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        lines = (_CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
        return limit - next(int(line.split()[1]) for line in lines if line.startswith("anon "))
    except (OSError, ValueError, StopIteration):  # there is none, or it says `max`
        return float("inf")
