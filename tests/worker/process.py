"""One worker process: started, stopped and killed as an operator would, its last words kept."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from stream.embedded import tied_to_us
from stream.settings import ENV_PREFIX, Settings
from tests.environment import as_environment

PROJECT = Path(__file__).parents[2]

STOP_TIMEOUT = 30.0
"""Seconds a worker may take to finish its batches, commit and leave its group."""

_TAIL_LINES = 40


class WorkerProcess:
    """A worker with these settings. ``patch`` is Python code that the process runs before anything of the worker."""

    def __init__(self, settings: Settings, folder: Path, name: str, patch: str | None) -> None:
        self.name = name
        self._log = folder / f"{name}.stderr"
        environ = {key: value for key, value in os.environ.items() if not key.startswith(ENV_PREFIX)}
        environ |= as_environment(settings)
        path = [str(PROJECT)]
        if patch is not None:
            # Python imports this module at its start, whatever command it is to run.
            (folder / name).mkdir()
            (folder / name / "sitecustomize.py").write_text(patch, encoding="utf-8")
            path.insert(0, str(folder / name))
        environ["PYTHONPATH"] = os.pathsep.join(path)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                # Nothing of a run that is killed may go on working.
                tied_to_us([sys.executable, "-m", "stream", "run"]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environ,
                start_new_session=True,
            )
        self.may_end = False
        """Whether the test expects the process to end."""
        self.exit_code: int | None = None
        """How it ended, where it was killed; None before."""

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def output(self) -> str:
        """All it has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def lines(self) -> list[str]:
        """The same, line by line."""
        return self.output.splitlines()

    @property
    def tail(self) -> str:
        """The last of it."""
        return "\n".join(self.output.splitlines()[-_TAIL_LINES:])

    def check(self) -> None:
        """Fails with the worker's last words when it has ended and was not to."""
        code = self._process.poll()
        assert code is None or self.may_end, f"{self.name} ended by itself with {code}:\n{self.tail}"

    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def wait(self, timeout: float) -> int:
        """The exit code of a worker that is to end by itself."""
        self.may_end = True
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} has not ended within {timeout:g} s:\n{self.tail}") from None

    def terminate(self) -> None:
        """Ask it to stop, as a supervisor does, and do not wait."""
        self.may_end = True
        self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask it to stop and wait for it. Fails unless it stops cleanly."""
        self.terminate()
        code = self.wait(STOP_TIMEOUT)
        assert code == 0, f"{self.name} ended with {code} on SIGTERM:\n{self.tail}"

    def freeze(self) -> None:
        """Let it do nothing, and know nothing of it, until :meth:`thaw`."""
        self._process.send_signal(signal.SIGSTOP)

    def is_frozen(self) -> bool:
        """Whether it was stopped by a signal. Linux only."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
        return stat.rpartition(") ")[2].startswith("T")

    def thaw(self) -> None:
        """Let it go on as if nothing had happened."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash of the machine would."""
        self.may_end = True
        self._process.kill()
        self.exit_code = self._process.wait()
