"""A dead letter as it is read back: the record that was rejected, and why, apart from each other again."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from aiokafka import ConsumerRecord
from msgspec import Struct

from stream.dead_letters.headers import (
    ADDED,
    CODE,
    MESSAGE,
    REJECTED_AT,
    RESENT_FROM,
    SOURCE_OFFSET,
    SOURCE_PARTITION,
    SOURCE_TOPIC,
    VALUE_DROPPED,
)

Header = tuple[str, bytes | None]


class InvalidLetterError(ValueError):
    """A record on the dead-letter topic is none. The message says what is wrong with it."""


class Position(NamedTuple):
    """Where a record is, or was."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


class Letter(Struct, frozen=True, kw_only=True):
    """A rejected record. ``headers`` are its own, without those that were added; ``code`` is a
    :class:`~stream.events.RejectionCode`, or that of another version; ``rejected_at`` is in UTC.

    ``dropped`` is how many bytes the value had that the dead-letter topic did not take, and else None.
    """

    partition: int
    offset: int
    code: str
    message: str
    rejected_at: datetime
    source: Position
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()
    dropped: int | None = None

    @property
    def seller_ids(self) -> frozenset[str]:
        """The sellers it may be about: that of the key, and that of the value. They differ where that is the error."""
        named = {(self.key or b"").decode(errors="replace")}
        # Malformed as it may be, the key may still tell.
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            named.add(_named.decode(self.value or b"").seller_id)
        return frozenset(named - {""})


class _Named(Struct):
    seller_id: str = ""


_named = msgspec.json.Decoder(_Named)


def read_letter(record: "ConsumerRecord[bytes | None, bytes | None]") -> Letter:
    """The letter of a record on the dead-letter topic. Raises :class:`InvalidLetterError`.

    A producer's own headers may have any name, ours too, so only the last ones are taken for ours.
    """
    headers: list[Header] = list(record.headers or ())
    dropped = headers.pop()[1] if headers and headers[-1][0] == VALUE_DROPPED else None
    own, added = headers[: -len(ADDED)], headers[-len(ADDED) :]
    if tuple(name for name, _ in added) != ADDED:
        raise InvalidLetterError(f"it has no headers {CODE} to {REJECTED_AT} at the end")
    texts = {name: (value or b"").decode(errors="replace") for name, value in added}
    try:
        return Letter(
            partition=record.partition,
            offset=record.offset,
            code=texts[CODE],
            message=texts[MESSAGE],
            rejected_at=datetime.fromisoformat(texts[REJECTED_AT]).astimezone(UTC),
            source=Position(texts[SOURCE_TOPIC], int(texts[SOURCE_PARTITION]), int(texts[SOURCE_OFFSET])),
            key=record.key,
            value=record.value,
            headers=tuple(own),
            dropped=None if dropped is None else int(dropped),
        )
    except (ValueError, OverflowError) as error:
        raise InvalidLetterError(f"its headers are not readable: {error}") from None


def resent_headers(letter: Letter, topic: str) -> list[Header]:
    """The headers with which it goes back: its own, and the name of the letter on ``topic`` that it was."""
    own = [(name, value) for name, value in letter.headers if name != RESENT_FROM]
    return [*own, (RESENT_FROM, str(Position(topic, letter.partition, letter.offset)).encode())]
