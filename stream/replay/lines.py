"""What the forms of history files have in common: events as lines of JSON, so that one decoder judges them all."""

from collections.abc import Sequence
from typing import NamedTuple

from stream.events import Rejection


class Lines(NamedTuple):
    """Some of a file: its events as JSON, or why a row cannot be one; their numbers in the file, from 1; what stood
    there; how many bytes of the file have been read; and whether there are such rows among the values."""

    values: Sequence[bytes | Rejection]
    numbers: Sequence[int]
    raws: Sequence[bytes]
    position: int
    has_rejections: bool = False
