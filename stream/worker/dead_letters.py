"""Dead letters: what could not be used, unchanged, with why and whence in added headers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from aiokafka import ConsumerRecord

from stream.dead_letters import headers
from stream.events import Rejection, RejectionCode

Headers = list[tuple[str, bytes]]


class DeadLetter(NamedTuple):
    """A rejected record as it goes to the dead-letter topic."""

    key: bytes | None
    value: bytes | None
    headers: Headers

    def headers_without_value(self) -> Headers:
        """The headers of a letter whose value is too large for the dead-letter topic."""
        return [*self.headers, (headers.VALUE_DROPPED, str(len(self.value or b"")).encode())]


def dead_letter(record: "ConsumerRecord[bytes | None, bytes | None]", rejection: Rejection, at: datetime) -> DeadLetter:
    """The dead letter for a record; ``at`` is when it was rejected."""
    said = {
        headers.CODE: rejection.code.value,
        headers.MESSAGE: rejection.message,
        headers.SOURCE_TOPIC: record.topic,
        headers.SOURCE_PARTITION: str(record.partition),
        headers.SOURCE_OFFSET: str(record.offset),
        headers.REJECTED_AT: at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
    added = [(name, said[name].encode(errors="replace")) for name in headers.ADDED]
    own: Sequence[tuple[str, bytes]] = record.headers or ()
    return DeadLetter(record.key, record.value, [*own, *added])


class TooManyRejectionsError(Exception):
    """Most of what arrives cannot be used: something upstream is wrong, and draining the topic would hide it."""


class RejectionLimit:
    """Watches the share of rejected events over runs of events."""

    def __init__(self, ratio: Decimal, run: int) -> None:
        self._ratio = ratio
        self._run = run
        self._events = 0
        self._rejected = 0

    def count(self, events: int, rejections: Sequence[Rejection]) -> None:
        """Count a batch. Raises :class:`TooManyRejectionsError` when a run is over and too many were rejected."""
        self._events += events
        self._rejected += len(rejections)
        if self._events < self._run:
            return
        if self._rejected > self._ratio * self._events:
            example = f"; the last one: {_without_values(rejections[-1])}" if rejections else ""
            raise TooManyRejectionsError(
                f"{self._rejected} of the last {self._events} events were rejected, more than `reject_ratio` "
                f"{self._ratio} allows{example}"
            )
        self._events = self._rejected = 0


_QUOTING = (RejectionCode.INVALID_FIELD, RejectionCode.UNKNOWN_TYPE, RejectionCode.KEY_MISMATCH)
"""Codes whose messages quote what an event holds."""


def _without_values(rejection: Rejection) -> str:
    """A rejection for the log, which is read by more people than the events are."""
    if rejection.code not in _QUOTING:
        return f"{rejection.code}: {rejection.message}"
    _, at, field = rejection.message.rpartition(" - at ")
    return f"{rejection.code} at {field}" if at else rejection.code.value
