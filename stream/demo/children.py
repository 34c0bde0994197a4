"""The processes that a demo starts: each a ``vtr`` command of its own, all ended with the demo, however it ends."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Self

from stream.embedded import tied_to_us

STOP_TIMEOUT = 10.0
"""Seconds a command may take to finish and commit before it is killed."""


class ChildFailedError(Exception):
    """A process of the demo ended on its own. The message is one line with its last words."""


class Child:
    """A ``vtr`` command that runs beside this process. Ctrl-C on the terminal reaches only us."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self._name = name
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop()
        self._process = subprocess.Popen(  # noqa: S603 - the command is ours
            tied_to_us([sys.executable, "-m", "stream", *arguments]),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # What is set for the user's own deployment is not meant for the demo's.
            env={name: value for name, value in os.environ.items() if not name.startswith("VTR_")},
        )

    def check(self) -> None:
        """Raise :class:`ChildFailedError` where the process has ended."""
        status = self._process.poll()
        if status is not None:
            lines = self.output().strip().splitlines()
            said = lines[-1] if lines else "no output"
            raise ChildFailedError(f"the {self._name} ended with status {status}: {said}")

    def output(self) -> str:
        """What the process has written so far."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def stop(self) -> None:
        """Ask the process to end, and make it after :data:`STOP_TIMEOUT`."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT)
        self._process.kill()
        self._process.wait()
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
