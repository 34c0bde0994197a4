"""What a worker's log says, and what of Faust and aiokafka it leaves out."""

import logging
import sys

_SILENT = (
    # Faust's services, ours among them, log every step of an end, each with a traceback. Our last line says what it
    # was, once.
    "faust",
    "mode",
    "stream.worker.app",
    "stream.worker.transport",
    "stream.worker.tables",
    "stream.worker.web",
)

_OF_CONNECTIONS = (
    # aiokafka says of a broker that is away what each of its tasks finds, ten times a second. Our health says it once.
    "Unable connect to",
    "Unable to update metadata",
    "Failed fetch messages from",
    "Failed fetch offsets from",
    "Group Coordinator Request failed",
    "Heartbeat session expired",
    "Heartbeat send request failed",
    "Error sending",
    "LeaveGroup request failed",
)


def set_up_logging(level: str) -> None:
    """Log to stderr, from ``level`` on."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True
    )
    if level != "debug":
        for name in _SILENT:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        # A group that is new, or moves, makes it speak of what it finds out by itself a moment later.
        logging.getLogger("aiokafka").setLevel(logging.ERROR)
        for handler in logging.getLogger().handlers:
            handler.addFilter(_is_told)


def _is_told(record: logging.LogRecord) -> bool:
    return not (record.name.startswith("aiokafka") and str(record.msg).startswith(_OF_CONNECTIONS))
