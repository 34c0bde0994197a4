"""Runs one worker in this process until it is told to stop."""

import asyncio
import logging
import socket
import sys

from faust import Worker

from stream.kafka import BrokerError
from stream.settings import Settings, SettingsError
from stream.state.rocks import StoreLockedError
from stream.topics import TopicError, check_topics
from stream.worker.app import create_app
from stream.worker.dead_letters import TooManyRejectionsError
from stream.worker.tables import CorruptChangelogError

logger = logging.getLogger("stream.worker")

STOPPED_BY_ERROR = 1

_EXPLAINED = (BrokerError, TopicError, StoreLockedError, TooManyRejectionsError, CorruptChangelogError)
"""Errors whose message says all: one line for people. Others come with their traceback."""


def run_worker(settings: Settings) -> int:
    """Run a worker until SIGTERM or Ctrl-C. Returns the exit code: 0, or 1 after an error.

    Raises :class:`~stream.kafka.BrokerError`, :class:`~stream.topics.TopicError` and
    :class:`~stream.settings.SettingsError` when it cannot start.
    """
    _check_port(settings)
    partitions = asyncio.run(check_topics(settings))
    _set_up_logging(settings.log_level)
    app = create_app(settings, partitions)
    worker = Worker(app, quiet=True, loglevel=None, redirect_stdouts=False, override_logging=False)
    worker.spinner = None  # it would write to a terminal that is not its own
    logger.info(
        "worker of group %s on %s: %d partitions, %s store", settings.group, settings.broker, partitions, settings.store
    )
    try:
        worker.execute_from_commandline()
    except SystemExit as stop:
        crash = worker.crash_reason or app.crash_reason
        if crash is None:
            return int(stop.code or 0)
    except Exception as error:  # noqa: BLE001 - whatever ended the worker is reported below
        crash = error
    if isinstance(crash, _EXPLAINED):
        logger.error("stopped: %s", crash)
    else:
        logger.error("stopped by an unexpected error", exc_info=crash)
    return STOPPED_BY_ERROR


def _check_port(settings: Settings) -> None:
    if settings.web_port == 0:
        return
    family = socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.web_host, settings.web_port))
        except OSError as error:
            address = f"{settings.web_host}:{settings.web_port}"
            raise SettingsError(
                f"the web server cannot listen on {address}: {error.strerror}; give another --web-port, or 0 for none"
            ) from None


def _set_up_logging(level: str) -> None:
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True
    )
    if level != "debug":
        # Faust's services, ours among them, log every step of an end, each with a traceback. The last line below says
        # what it was, once.
        for name in ("faust", "mode", "stream.worker.app", "stream.worker.transport", "stream.worker.tables"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        # A group that is new, or moves, makes it speak of what it finds out by itself a moment later.
        logging.getLogger("aiokafka").setLevel(logging.ERROR)
        logging.getLogger("aiokafka.consumer.group_coordinator").addFilter(
            lambda record: "GroupCoordinatorNotAvailableError" not in record.getMessage()
        )
        logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
