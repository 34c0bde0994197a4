"""The stored form of windows that are kept over a restart: rows of bytes, by names of their own.

A row for each hour and each day holds its bucket as a MessagePack map, ``names`` holds leaves, verdicts and the hour,
and ``digest`` is over all of them: what was damaged must not count.
"""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from stream.engine.window import Bucket, KeptWindows
from stream.policy.verdict import Outcome, Verdict

_HOUR, _DAY = b"hour ", b"day "
_NAMES, _DIGEST = b"names", b"digest"

_Names = tuple[int, list[tuple[int, str, str, str]], list[tuple[int, str | None, str | None, int, bool]]]


class DamagedWindowsError(Exception):
    """What was kept is not what was to be kept."""


_encode = msgspec.msgpack.Encoder().encode
_decode_bucket = msgspec.msgpack.Decoder(Bucket).decode
_decode_names = msgspec.msgpack.Decoder(_Names).decode


def pack(kept: KeptWindows) -> dict[bytes, bytes]:
    """The rows of windows."""
    verdicts = [(int(verdict.outcome), *verdict[1:]) for verdict in kept.verdicts]
    rows = {_NAMES: _encode((kept.hour, kept.leaves, verdicts))}
    for prefix, buckets in ((_HOUR, kept.hours), (_DAY, kept.days)):
        rows |= {b"%s%d" % (prefix, time): _encode(bucket) for time, bucket in buckets.items() if bucket}
    rows[_DIGEST] = _digest(rows)
    return rows


def unpack(rows: Mapping[bytes, bytes]) -> KeptWindows:
    """The windows of rows. Raises :class:`DamagedWindowsError`."""
    if rows.get(_DIGEST) != _digest(rows):
        raise DamagedWindowsError("their digest is another")
    try:
        hour, leaves, verdicts = _decode_names(rows[_NAMES])
        return KeptWindows(
            hour,
            leaves,
            [Verdict(Outcome(outcome), *others) for outcome, *others in verdicts],
            _buckets(rows, _HOUR),
            _buckets(rows, _DAY),
        )
    except (KeyError, ValueError) as error:  # msgspec's own are ValueErrors
        raise DamagedWindowsError(str(error)) from error


def _buckets(rows: Mapping[bytes, bytes], prefix: bytes) -> dict[int, Bucket]:
    return {
        int(name.removeprefix(prefix)): _decode_bucket(value) for name, value in rows.items() if name.startswith(prefix)
    }


def _digest(rows: Mapping[bytes, bytes]) -> bytes:
    digest = blake2b(digest_size=16)
    for name in sorted(rows.keys() - {_DIGEST}):
        value = rows[name]
        digest.update(b"%d %d " % (len(name), len(value)))
        digest.update(name)
        digest.update(value)
    return digest.digest()
