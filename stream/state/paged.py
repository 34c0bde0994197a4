"""Rows in memory without an object for each.

They lie in pages by the hash of their keys, some four in each. When there are more, one page after the other is
split in two (linear hashing), so that no write waits until all are sorted anew. What many shipments have alike is kept
once, and each of their rows has its number in place of it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from mypy_extensions import i64

from stream.state.pages import (
    HEADER,
    LENGTHS,
    LONGEST_KEY,
    LONGEST_ROW,
    NUMBERS,
    find,
    parted,
    row_end,
    value_start,
)
from stream.state.rows import common_end
from stream.state.store import Row, Rows

ROWS_A_PAGE: Final = 4
"""On average. A write copies its page: of six it takes a fifth longer, and a row takes 136 bytes of memory, not 143."""

MOST_COMMONS: Final = 65_535
"""What is alike has a number of two bytes. Were there more, it would not be alike."""

LONGEST_COMMON: Final = 255
"""Bytes. It has some forty; whoever makes up long ones that nobody shares must not fill the memory with them."""

_NO_NUMBER: Final = b"\0\0"


class PagedRows:
    """Rows by their keys, in pages; see :class:`~stream.state.store.Store` for what the methods do."""

    def __init__(self) -> None:
        self._pages = [b""]
        self._mask: i64 = 1
        # What no page has room for.
        self._large: dict[bytes, bytes] = {}
        self._count = 0
        self._numbers: dict[bytes, bytes] = {}
        self._commons = [b""]
        self._next_page = 0

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of ``keys``, in their order; None where there is none."""
        pages, large = self._pages, self._large
        values: list[bytes | None] = []
        for key in keys:
            hashed: i64 = hash(key)
            page = pages[self._place(hashed)]
            at = find(page, hashed >> 32 & 255, key)
            if at >= 0:
                values.append(self._value(page, at))
            else:
                values.append(large.get(key) if large else None)
        return values

    def write(self, rows: Rows) -> None:
        """Put and delete rows."""
        for key, value in rows.items():
            if value is None:
                self._delete(key)
            else:
                self._put(key, value)

    def _put(self, key: bytes, value: bytes) -> None:
        pages = self._pages
        hashed: i64 = hash(key)
        index = self._place(hashed)
        page = pages[index]
        tag = hashed >> 32 & 255
        at = find(page, tag, key)
        end = common_end(value)
        number = self._number(value[:end]) if 0 < end <= LONGEST_COMMON else _NO_NUMBER
        if number is _NO_NUMBER:
            end = 0
        before, after = page, b""
        if at >= 0:
            before, after = page[:at], page[row_end(page, at) :]
        length = HEADER + len(key) + len(_NO_NUMBER) + len(value) - end
        if length > LONGEST_ROW or len(key) > LONGEST_KEY:
            if at < 0 and key not in self._large:
                self._count += 1
            self._large[key] = value
            pages[index] = before + after
            return
        pages[index] = b"".join(
            [before, NUMBERS[tag], LENGTHS[length], NUMBERS[len(key)], key, number, value[end:], after]
        )
        if at >= 0 or (self._large and self._large.pop(key, None) is not None):
            return
        self._count += 1
        if self._count > len(pages) * ROWS_A_PAGE:
            self._split()

    def _delete(self, key: bytes) -> None:
        hashed: i64 = hash(key)
        index = self._place(hashed)
        page = self._pages[index]
        at = find(page, hashed >> 32 & 255, key)
        if at >= 0:
            self._pages[index] = page[:at] + page[row_end(page, at) :]
            self._count -= 1
        elif self._large and self._large.pop(key, None) is not None:
            self._count -= 1

    def _place(self, hashed: i64) -> i64:
        place = hashed & self._mask
        return place if place < len(self._pages) else place & (self._mask >> 1)

    def _split(self) -> None:
        """Split the next page: the rows whose hash has one bit more go to a new page at the end."""
        pages = self._pages
        bit = (self._mask + 1) >> 1
        index = len(pages) - bit
        stay, go = parted(pages[index], bit)
        # In this order another thread sees a row twice rather than not at all.
        pages.append(go)
        pages[index] = stay
        if len(pages) > self._mask:
            self._mask = self._mask << 1 | 1

    def _number(self, common: bytes) -> bytes:
        """What is kept in place of what many rows have alike."""
        number = self._numbers.get(common)
        if number is None:
            if len(self._commons) > MOST_COMMONS:
                return _NO_NUMBER
            number = self._numbers[common] = len(self._commons).to_bytes(len(_NO_NUMBER), "big")
            self._commons.append(common)
        return number

    def _value(self, page: bytes, at: i64) -> bytes:
        """The value of the row that begins there."""
        begin = value_start(page, at)
        rest = page[begin + 2 : row_end(page, at)]
        number = page[begin] << 8 | page[begin + 1]
        return rest if number == 0 else self._commons[number] + rest

    def scan(self) -> Iterator[Row]:
        """Every row, in any order; not to be written to meanwhile."""
        for page in self._pages:
            yield from self._rows(page)
        yield from self._large.items()

    def _rows(self, page: bytes) -> list[Row]:
        rows = []
        at: i64 = 0
        while at < len(page):
            rows.append((page[at + HEADER : value_start(page, at)], self._value(page, at)))
            at = row_end(page, at)
        return rows

    def next_share(self, shares: int) -> list[Row]:
        """About 1/``shares`` of the rows, and a page more. Successive calls go round."""
        wanted = -(-self._count // shares)
        share: list[Row] = []
        # With the last rows go the empty pages behind them: a round that ended in one would take a call more.
        while len(share) < wanted or not self._pages[self._next_page]:
            share.extend(self._rows(self._pages[self._next_page]))
            self._next_page += 1
            # Half of a page that is split meanwhile goes to the end, so the round meets every row that nobody writes.
            if self._next_page == len(self._pages):
                self._next_page = 0
                share.extend(self._large.items())
                break
        return share

    def keys_with(self, prefix: bytes) -> list[bytes]:
        """The keys that begin so, in any order. Any thread may ask."""
        # Copied in one step of the interpreter: pages may come under a loop.
        keys = {key: None for key in list(self._large) if key.startswith(prefix)}
        for page in list(self._pages):
            if prefix in page:
                at: i64 = 0
                while at < len(page):
                    key = page[at + HEADER : value_start(page, at)]
                    if key.startswith(prefix):
                        keys[key] = None
                    at = row_end(page, at)
        return list(keys)

    def __len__(self) -> int:
        """How many rows there are."""
        return self._count
