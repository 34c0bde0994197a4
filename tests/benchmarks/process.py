"""A process that is watched from outside: its output, its usage, its end."""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stream.embedded import tied_to_us
from stream.settings import ENV_PREFIX
from tests.benchmarks.measure import Usage, usage

PROJECT = Path(__file__).parents[2]

POLL = 0.05
"""Seconds between two looks at how far a process is: the error of a measurement."""

PATIENCE = 300.0
"""Seconds without any progress after which a benchmark gives up rather than wait for ever."""

_STOP_TIMEOUT = 60.0
_TAIL_LINES = 30


class BenchmarkError(Exception):
    """A benchmark cannot be finished. The message says what was wrong with which process."""


class Process:
    """A running process. ``cores`` are those it may use; None for all."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str], cores: set[int] | None = None
    ) -> None:
        # What the one who measures has set for himself must not change what is measured.
        environ = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                tied_to_us(list(command)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env=environ | {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1", **environment},
                start_new_session=True,
            )
        if cores is not None:
            os.sched_setaffinity(self._process.pid, cores)

    def output(self) -> str:
        """All it has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def usage(self) -> Usage:
        """What it has used so far. Raises :class:`BenchmarkError` where it has ended."""
        self.check()
        return usage(self._process.pid)

    def check(self) -> None:
        """Raises :class:`BenchmarkError` with its last words where it has ended by itself."""
        code = self._process.poll()
        if code is not None:
            tail = "\n".join(self.output().splitlines()[-_TAIL_LINES:])
            raise BenchmarkError(f"{self._process.args!r} has ended with {code}:\n{tail}")

    async def says(self, text: str) -> None:
        """Wait until it has written ``text``."""
        await until(lambda: text in self.output(), f"no {text!r} in the output", self)

    def kill(self) -> None:
        """End it as a crash would, and wait."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it as a supervisor does, and wait; after a minute, kill it."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


async def until(condition: Callable[[], bool], otherwise: str, *processes: Process) -> None:
    """Wait until ``condition`` holds. Raises :class:`BenchmarkError` after :data:`PATIENCE` seconds, with
    ``otherwise`` as the reason, and at once where one of the processes has ended."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        for process in processes:
            process.check()
        if time.monotonic() > deadline:
            raise BenchmarkError(f"after {PATIENCE:g} s: {otherwise}")
        await asyncio.sleep(POLL)
