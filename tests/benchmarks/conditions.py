"""Under which conditions something was measured."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stream.engine import IS_COMPILED

PACKAGES = ("faust-streaming", "aiokafka", "msgspec", "orjson", "rocksdict", "quixstreams", "confluent-kafka")


def conditions() -> list[list[str]]:
    """Rows of what and how: the time, the machine, the versions, and how busy the machine is."""
    return [
        ["date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")],
        ["commit", _commit()],
        [
            "machine",
            f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {_memory_gb():.0f} GB, {platform.system()}",
        ],
        ["Python", f"{platform.python_implementation()} {sys.version}"],
        ["engine", "compiled" if IS_COMPILED else "not compiled"],
        ["packages", ", ".join(f"{package} {_version(package)}" for package in PACKAGES)],
        ["load average at the start", " ".join(f"{load:.2f}" for load in os.getloadavg())],
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gb() -> float:
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) / 1024**3
