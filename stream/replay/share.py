"""A share of the sellers: what one of several processes replays. A seller's events are all in the same share."""

from typing import NamedTuple
from zlib import crc32

_FIELD = b'"seller_id":"'


class Share(NamedTuple):
    """The sellers of share ``number`` (from 0) ``of`` so many."""

    number: int
    of: int

    @property
    def takes_strays(self) -> bool:
        """Whether lines that name no seller are this share's."""
        return self.number == 0

    def has(self, seller_id: str) -> bool:
        """Whether the seller is in this share."""
        return self._has(seller_id.encode())

    def _has(self, seller_id: bytes) -> bool:
        return crc32(seller_id) % self.of == self.number

    def owns(self, line: bytes) -> bool | None:
        """Whether a line is this share's, without decoding it; None where that cannot be told.

        It can where the field's name stands there once, in its plain form, and nothing is escaped.
        """
        start = line.find(_FIELD) + len(_FIELD)
        if start < len(_FIELD) or line.count(b"seller_id") != 1 or b"\\" in line:
            return None
        return self._has(line[start : line.find(b'"', start)])


WHOLE = Share(0, 1)
