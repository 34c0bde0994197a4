"""Pages: a few rows one after the other in one ``bytes``, because an object for each would take more memory than the
row does.

row: 1 byte of its key's hash (the tag), 2 bytes length of the whole row, 1 byte length of the key, the key, the value.

A page is never changed, another takes its place: other threads may read it meanwhile. What is looked up is mostly not
there, and mostly the tags alone say so; where one is alike, the keys are compared.
"""

from typing import Final

from mypy_extensions import i64

HEADER: Final = 4
LONGEST_KEY: Final = 255
LONGEST_ROW: Final = 2047
"""Bytes. A shipment has a hundred; what is twenty times that would be copied with each of its neighbours."""

NUMBERS: Final = [bytes([number]) for number in range(256)]
"""As one byte."""
LENGTHS: Final = [length.to_bytes(2, "big") for length in range(LONGEST_ROW + 1)]
"""As two bytes."""


def find(page: bytes, tag: i64, key: bytes) -> i64:
    """Where the row of a key begins; -1 where there is none."""
    size: i64 = len(page)
    length: i64 = len(key)
    at: i64 = 0
    while at < size:
        if page[at] == tag and page[at + 3] == length and page[at + HEADER : at + HEADER + length] == key:
            return at
        at = row_end(page, at)
    return -1


def row_end(page: bytes, at: i64) -> i64:
    """Where the row ends that begins there."""
    return at + (page[at + 1] << 8 | page[at + 2])


def value_start(page: bytes, at: i64) -> i64:
    """Where the value begins of the row that begins there."""
    return at + HEADER + page[at + 3]


def parted(page: bytes, bit: i64) -> tuple[bytes, bytes]:
    """Two pages: of the rows whose key's hash has not that bit, and of those that have it."""
    without: list[bytes] = []
    those: list[bytes] = []
    size: i64 = len(page)
    at: i64 = 0
    while at < size:
        end = row_end(page, at)
        hashed: i64 = hash(page[at + HEADER : value_start(page, at)])
        if hashed & bit == 0:
            without.append(page[at:end])
        else:
            those.append(page[at:end])
        at = end
    return b"".join(without), b"".join(those)
