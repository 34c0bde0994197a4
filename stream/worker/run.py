"""Runs one worker in this process until it is told to stop."""

import asyncio
import gc
import logging
import os
import socket
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer

from faust import Worker

from stream.kafka.clients import BrokerError
from stream.settings import Settings, SettingsError
from stream.state.rocks import StoreLockedError
from stream.topics import TopicError, check_topics
from stream.worker.app import create_app
from stream.worker.dead_letters import TooManyRejectionsError
from stream.worker.logs import set_up_logging
from stream.worker.tables import CorruptChangelogError

logger = logging.getLogger("stream.worker")

STOPPED_BY_ERROR = 1

STOP_LIMIT = 9.0
"""Seconds in which a worker that was told to stop has stopped, below the 10 that supervisors allow at least. With a
broker that answers it takes one or two, with one that does not it is as if the worker had crashed."""

YOUNG_OBJECTS = 100_000
"""New containers between two looks for cycles among them. A step makes tens of thousands, nearly all of which are gone
without that at its end; at Python's own 700 the looks took a twelfth of its time, at 10,000 a twentieth."""

_EXPLAINED = (BrokerError, TopicError, StoreLockedError, TooManyRejectionsError, CorruptChangelogError)
"""Errors whose message says all: one line for people. Others come with their traceback."""


def run_worker(settings: Settings) -> int:
    """Run a worker until SIGTERM or Ctrl-C. Returns the exit code: 0, or 1 after an error.

    Raises :class:`~stream.kafka.probe.BrokerError`, :class:`~stream.topics.TopicError` and
    :class:`~stream.settings.SettingsError` when it cannot start.
    """
    _check_port(settings)
    _check_folder(settings)
    partitions = asyncio.run(check_topics(settings))
    set_up_logging(settings.log_level, settings.log_format)
    app = create_app(settings, partitions)
    if settings.web_port != 0 and app.api.access.refusal is not None:
        logger.error("%s", app.api.access.refusal)
    worker = _Worker(app, quiet=True, loglevel=None, redirect_stdouts=False, override_logging=False)
    worker.spinner = None  # it would write to a terminal that is not its own
    logger.info(
        "worker of group %s on %s: %d partitions, %s store",
        settings.group,
        ",".join(settings.servers),
        partitions,
        settings.store,
    )
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    try:
        worker.execute_from_commandline()
    except SystemExit as stop:
        crash = worker.crash_reason or app.crash_reason
        if crash is None:
            logger.info("stopped")
            return int(stop.code or 0)
    except Exception as error:  # noqa: BLE001 - whatever ended the worker is reported below
        crash = error
    if isinstance(crash, _EXPLAINED):
        logger.error("stopped: %s", crash)
    else:
        logger.error("stopped by an unexpected error", exc_info=crash)
    return STOPPED_BY_ERROR


class _Worker(Worker):
    async def stop(self) -> None:
        """On a signal, and after an error. Faust and aiokafka wait for a broker that is away, some without end."""
        limit = Timer(STOP_LIMIT, _end_by_force)
        limit.daemon = True
        limit.start()
        await super().stop()


def _end_by_force() -> None:
    logger.error("stopped by force after %g s; what was not committed is read again by the next worker", STOP_LIMIT)
    logging.shutdown()
    os._exit(STOPPED_BY_ERROR)


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


def _check_folder(settings: Settings) -> None:
    """Before the worker joins its group, which gives it partitions that nobody else would work on meanwhile."""
    if settings.store != "rocksdb":
        return
    folder = Path(settings.data_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(f"cannot use --data-dir {folder}: {error.strerror}") from None
