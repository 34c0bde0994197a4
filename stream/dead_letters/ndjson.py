"""Dead letters as lines of JSON, to be repaired and read back: what nobody touched comes back byte by byte.

Key, value and headers' values are strings where they are UTF-8; else they are in base64, in a field of another name.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import UNSET, Struct, UnsetType

from stream.dead_letters.letter import Header, InvalidLetterError, Letter, Position
from stream.events import Instant


class LetterFileError(Exception):
    """A file of dead letters cannot be used. The message is one line that names the file and the line."""


class _Header(Struct, forbid_unknown_fields=True, omit_defaults=True):
    name: str
    value: str | UnsetType | None = UNSET
    value_base64: str | UnsetType = UNSET


class _Source(Struct, forbid_unknown_fields=True):
    topic: str
    partition: int
    offset: int


class _Line(Struct, forbid_unknown_fields=True, omit_defaults=True):
    partition: int
    offset: int
    code: str
    message: str
    rejected_at: Instant
    source: _Source
    key: str | UnsetType | None = UNSET
    key_base64: str | UnsetType = UNSET
    value: str | UnsetType | None = UNSET
    value_base64: str | UnsetType = UNSET
    headers: list[_Header] = []
    dropped: int | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode


def encode_letter(letter: Letter) -> bytes:
    """The letter as a JSON object."""
    key, key_base64 = _text(letter.key)
    value, value_base64 = _text(letter.value)
    line = _Line(
        letter.partition,
        letter.offset,
        letter.code,
        letter.message,
        letter.rejected_at,
        _Source(*letter.source),
        key,
        key_base64,
        value,
        value_base64,
        [_Header(name, *_text(header)) for name, header in letter.headers],
        letter.dropped,
    )
    return _encode(line)


def decode_letter(line: bytes) -> Letter:
    """The letter of a JSON object. Raises :class:`~stream.dead_letters.InvalidLetterError`, which names the field."""
    try:
        read = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidLetterError(str(error)) from None
    headers: list[Header] = [(each.name, _bytes("value", each.value, each.value_base64)) for each in read.headers]
    try:
        rejected_at = read.rejected_at.astimezone(UTC)
    except OverflowError as error:
        raise InvalidLetterError(f"{error} - at `$.rejected_at`") from None
    return Letter(
        partition=read.partition,
        offset=read.offset,
        code=read.code,
        message=read.message,
        rejected_at=rejected_at,
        source=Position(read.source.topic, read.source.partition, read.source.offset),
        key=_bytes("key", read.key, read.key_base64),
        value=_bytes("value", read.value, read.value_base64),
        headers=tuple(headers),
        dropped=read.dropped,
    )


def read_file(file: str, standard_input: BinaryIO) -> Iterator[Letter]:
    """The letters of a file, one a line; ``-`` is the standard input. Raises :class:`LetterFileError`."""
    try:
        with standard_input if file == "-" else Path(file).open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    try:
                        yield decode_letter(line)
                    except InvalidLetterError as error:
                        raise LetterFileError(f"{file}:{number}: not a dead letter: {error}") from None
    except OSError as error:
        raise LetterFileError(f"cannot read {file}: {error.strerror}") from None


def _text(data: bytes | None) -> tuple[str | UnsetType | None, str | UnsetType]:
    if data is None:
        return None, UNSET
    try:
        return data.decode(), UNSET
    except UnicodeDecodeError:
        return UNSET, b64encode(data).decode()


def _bytes(field: str, text: str | UnsetType | None, base64: str | UnsetType) -> bytes | None:
    if (text is UNSET) == (base64 is UNSET):
        raise InvalidLetterError(f"Expected either `{field}` or `{field}_base64`")
    if not isinstance(base64, UnsetType):
        try:
            return b64decode(base64, validate=True)
        except ValueError as error:
            raise InvalidLetterError(f"{error} - at `$.{field}_base64`") from None
    return text.encode() if isinstance(text, str) else None
