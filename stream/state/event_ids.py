"""Events' ids in rows: half as long, where they are hexadecimal digits or a UUID, as most producers make them."""

from binascii import unhexlify
from typing import Final

import msgspec

# Compiled code has its own module's names at hand, and looks up those of others each time.
_unhexlify: Final = unhexlify
_lower: Final = str.lower
_hex: Final = bytes.hex

_UUID_LENGTH: Final = 36
_UUID_BYTES: Final = 17
"""A zero byte goes before the sixteen: the same digits without dashes are sixteen bytes."""
_HEX_STEP: Final = 8
_SHORTEST_HEX: Final = 16
"""Ids of random digits have 16, 24, 32, 40 or 64 of them; to try what cannot be one would cost more than it saves."""


def packed_id(event_id: str) -> object:
    """Bytes, where that loses nothing; else the id as it is."""
    length = len(event_id)
    if length == _UUID_LENGTH:
        packed = _packed_uuid(event_id)
        return event_id if packed is None else packed
    if length < _SHORTEST_HEX or length % _HEX_STEP != 0:
        return event_id
    try:
        digits = _unhexlify(event_id)
    except ValueError:
        return event_id
    return digits if _lower(event_id) == event_id else event_id


def _packed_uuid(event_id: str) -> bytes | None:
    try:
        packed = b"\0" + _unhexlify(event_id.replace("-", ""))
    except ValueError:
        return None
    return packed if unpacked_id(packed) == event_id else None


def unpacked_id(packed: object) -> str:
    """The id that :func:`packed_id` has made this of. Raises :class:`msgspec.ValidationError` for what is none."""
    if isinstance(packed, str):
        return packed
    if not isinstance(packed, bytes):
        raise msgspec.ValidationError(f"an event's id is {packed!r:.80}")
    if len(packed) != _UUID_BYTES:
        return _hex(packed)
    digits = _hex(packed[1:])
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
