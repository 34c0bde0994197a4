"""What a command that follows a topic says of a broker that is away."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from stream.kafka.clients import OF_CONNECTIONS

TELL_EVERY = 60.0
"""Seconds between two lines about an outage."""


@contextmanager
def outages_told_once(clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """aiokafka tells what each of its tasks finds, several times a second; here that is a line, and one a minute."""
    logger, handler = logging.getLogger("aiokafka"), _Teller(clock)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Teller(logging.Handler):
    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._quiet_until = clock()

    def emit(self, record: logging.LogRecord) -> None:
        message = " ".join(record.getMessage().split())
        if str(record.msg).startswith(OF_CONNECTIONS):
            now = self._clock()
            if now < self._quiet_until:
                return
            self._quiet_until = now + TELL_EVERY
            message = f"waiting for the broker: {message}"
        click.echo(f"vtr: {message}", err=True)
