"""What a worker's log says and in which form, and what of Faust and aiokafka it leaves out."""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Literal

import msgspec

from stream.kafka.clients import OF_CONNECTIONS

LogFormat = Literal["auto", "text", "json"]

BURST = 5
"""Lines of one wording within :data:`WINDOW` before more of them are left out: of each of some partitions, say."""

WINDOW = 60.0
"""Seconds."""

_SILENT = (
    # Faust's services, ours among them, log every step of an end, each with a traceback. Our last line says what it
    # was, once.
    "faust",
    "mode",
    "stream.worker.app",
    "stream.worker.consumer",
    "stream.worker.consumer_thread",
    "stream.worker.session",
    "stream.worker.transport",
    "stream.worker.tables",
    "stream.worker.web",
)

_OF_CONNECTIONS = (
    # Our health says of a broker that is away, once, what each of the client's tasks says all the time.
    *OF_CONNECTIONS,
    "Failed fetch offsets from",
    "Group Coordinator Request failed",
    "Heartbeat session expired",
    "Heartbeat send request failed",
    "Error sending",
    "LeaveGroup request failed",
)


def set_up_logging(level: str, form: LogFormat) -> None:
    """Log to stderr, from ``level`` on; ``auto`` is text for a terminal and JSON for all else."""
    is_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if is_text else JsonFormatter())
    if level != "debug":
        for name in _SILENT:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        # A group that is new, or moves, makes it speak of what it finds out by itself a moment later.
        logging.getLogger("aiokafka").setLevel(logging.ERROR)
        handler.addFilter(_is_told)
        handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _is_told(record: logging.LogRecord) -> bool:
    return not (record.name.startswith("aiokafka") and str(record.msg).startswith(_OF_CONNECTIONS))


class TextFormatter(logging.Formatter):
    """A line for people. A traceback follows in lines of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """In UTC, as every time here."""
        return _time(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """In one line, whatever is quoted in it."""
        record.message = " ".join(record.message.splitlines())
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, a traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        """See the class."""
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class RepeatFilter(logging.Filter):
    """Leaves out what is said again and again, and says how often that was.

    By the wording, without what is filled in: the same trouble of every partition is one trouble.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See the class. Information is not repeated without need, and what ends the worker is said in any case."""
        if not logging.WARNING <= record.levelno <= logging.ERROR:
            return True
        wording, now = (record.name, str(record.msg)), self._clock()
        began, count = self._said.get(wording, (now, 0))
        if now - began < WINDOW:
            self._said[wording] = (began, count + 1)
            return count < BURST
        self._said[wording] = (now, 1)
        if count > BURST:
            record.msg = f"{record.getMessage()} ({count - BURST} more like this were left out)"
            record.args = ()
        return True


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
