"""The memory store's pages: whatever keys and values hold, and however rows come and go, it is a dictionary."""

from threading import Event, Thread

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from stream.shipment import Shipment
from stream.state import MemoryStore, paged, pages
from stream.state.pages import LONGEST_KEY, LONGEST_ROW, NUMBERS, find
from stream.state.rows import FORM, pack, pack_watermark
from tests.test_rows import FULL
from tests.test_shipment import TRACKING, merged

PLAIN = st.sampled_from([b"a", b"aa", b"\0", b"\0\0", b"\x00\x01A1", b"\x00\x01A11", b"\xff", b""])
LONG_KEYS = st.integers(LONGEST_KEY - 1, LONGEST_KEY + 2).map(lambda length: b"k" * length)
MANY_KEYS = st.integers(0, 300).map(lambda number: b"\x00\x02A1%d" % number)
SHIPMENT = pack(7, merged(FULL, TRACKING))
LONG_ALIKE = pack(7, merged(replace(FULL, category="c" * 230), TRACKING))
VALUES = st.one_of(
    st.just(LONG_ALIKE),
    st.sampled_from([b"", b"\0", FORM, SHIPMENT, pack(7, merged(TRACKING)), pack(8, Shipment()), pack_watermark(9)]),
    st.sampled_from([FORM + bytes(2), FORM + bytes(6), FORM + bytes(7), FORM + b"\xff\xff" + bytes(9)]),
    st.binary(max_size=12),
    st.binary(max_size=12).map(lambda patch: SHIPMENT[: -len(patch) or None] + patch),
    st.integers(LONGEST_ROW - 300, LONGEST_ROW + 2).map(bytes),
)


class Dictionary(RuleBasedStateMachine):
    """Each step is done to a store and to a plain dict."""

    keys = Bundle("keys")

    @initialize()
    def open(self) -> None:
        self.store = MemoryStore()
        self.expected: dict[bytes, bytes] = {}
        self.met: set[bytes] = set()
        self.left_alone: set[bytes] | None = None

    @rule(target=keys, key=PLAIN | LONG_KEYS | MANY_KEYS)
    def a_key(self, key: bytes) -> bytes:
        return key

    @rule(target=keys, key=keys, value=VALUES)
    def a_key_that_looks_like_a_row(self, key: bytes, value: bytes) -> bytes:
        """As whoever chooses ids might choose them: with what stands before another key in a page."""
        own = NUMBERS[hash(key) >> 32 & 255]
        return (own + b"\0" + NUMBERS[min(len(key), 255)] + NUMBERS[min(len(key), 255)] + key + value)[:300]

    @rule(rows=st.dictionaries(keys, st.none() | VALUES, max_size=8))
    def write(self, rows: dict[bytes, bytes | None]) -> None:
        self._write(rows)

    @rule(key=keys, other=keys)
    def write_a_value_that_holds_another_row(self, key: bytes, other: bytes) -> None:
        self._write({key: NUMBERS[hash(other) >> 32 & 255] + b"\0\x20" + NUMBERS[len(other) & 255] + other + bytes(9)})

    @rule(first=st.integers(0, 300), count=st.integers(0, 300), value=st.none() | VALUES)
    def write_many(self, first: int, count: int, value: bytes | None) -> None:
        self._write({b"\x00\x02A1%d" % number: value for number in range(first, first + count)})

    def _write(self, rows: dict[bytes, bytes | None]) -> None:
        self.store.write(rows)
        for key, value in rows.items():
            if value is None:
                self.expected.pop(key, None)
            else:
                self.expected[key] = value
        if self.left_alone is not None:
            self.left_alone -= rows.keys()

    @rule(keys=st.lists(keys, max_size=8))
    def get(self, keys: list[bytes]) -> None:
        assert self.store.get_many(keys) == [self.expected.get(key) for key in keys]

    @rule(shares=st.sampled_from([1, 3, 96]))
    def take_a_share(self, shares: int) -> None:
        was_at = self.store._rows._next_page
        if was_at == 0:
            self.met = set()
            self.left_alone = set(self.expected)
        share = self.store.next_share(shares)
        assert all(self.expected[key] == value for key, value in share)
        assert len(share) >= -(-len(self.expected) // shares) or self.store._rows._next_page == 0
        self.met |= {key for key, _ in share}
        if self.store._rows._next_page == 0 and self.left_alone is not None and self.expected:
            assert self.left_alone <= self.met, "a round meets every row that nobody writes meanwhile"

    @rule(prefix=PLAIN | st.just(b"\x00\x02A11"))
    def ask_for_keys(self, prefix: bytes) -> None:
        found = self.store.keys_with(prefix)
        assert sorted(found) == sorted(key for key in self.expected if key.startswith(prefix))

    @invariant()
    def it_is_as_long(self) -> None:
        assert len(self.store) == len(self.expected)

    def teardown(self) -> None:
        assert sorted(self.store.scan()) == sorted(self.expected.items())
        self.store.close()
        assert len(self.store) == 0
        assert list(self.store.scan()) == []
        assert self.store.keys_with(b"") == []


TestDictionary = Dictionary.TestCase
TestDictionary.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)


def test_pages_stay_small() -> None:
    store = MemoryStore()
    for number in range(5000):
        store.write({b"%d" % number: b"v"})
    sizes = [len(page) for page in store._rows._pages]
    assert len(sizes) == -(-5000 // paged.ROWS_A_PAGE)
    assert max(sizes) < 30 * (pages.HEADER + 2 + 4 + 1)


def test_what_many_have_alike_is_kept_once() -> None:
    store = MemoryStore()
    store.write({b"%d" % number: SHIPMENT for number in range(100)})
    assert sum(page.count(b"Home") for page in store._rows._pages) == 0
    assert store.get_many([b"7"]) == [SHIPMENT]
    store.write({b"%d" % number: LONG_ALIKE for number in range(100)})
    assert sum(page.count(b"c" * 230) for page in store._rows._pages) == 100
    assert store.get_many([b"7"]) == [LONG_ALIKE]


@pytest.mark.parametrize("kinds", [65_534, 65_540])
def test_more_kinds_than_have_a_number(kinds: int) -> None:
    store = MemoryStore()
    expected = {b"%d" % number: FORM + b"\x00\x03" + number.to_bytes(3, "big") + bytes(9) for number in range(kinds)}
    store.write(expected)
    assert dict(store.scan()) == expected


def test_a_key_is_found_only_where_a_row_begins() -> None:
    """A value holds, byte by byte, the row of a key that is not there."""
    tag = 7
    inner = NUMBERS[tag] + b"\x00\x08\x03key" + b"v"
    page = NUMBERS[tag] + b"\x00\x0e\x02ab" + inner
    assert find(page, tag, b"ab") == 0
    assert find(page, tag, b"key") == -1
    assert find(page, tag, b"a") == find(page, tag, b"abk") == -1
    assert find(page + inner, tag, b"key") == len(page)


def test_other_threads_miss_no_row_while_pages_are_split() -> None:
    store = MemoryStore()
    old = {b"old%d" % number for number in range(500)}
    store.write(dict.fromkeys(old, b"1"))
    over = Event()
    missed: list[set[bytes]] = []

    def ask() -> None:
        while not over.is_set():
            missed.append(old - {*store.keys_with(b"old")})

    asking = Thread(target=ask)
    asking.start()
    for number in range(20_000):
        store.write({b"new%d" % number: b"1", b"old%d" % (number % 500): b"%d" % number})
    over.set()
    asking.join()
    assert missed
    assert not any(missed)
