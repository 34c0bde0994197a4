"""What a store must do, on every store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.state import MemoryStore, Store
from stream.state.rocks import RocksStore, StoreLockedError
from stream.state.store import Rows

Open = Callable[[], Store]


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    it = MemoryStore() if request.param == "memory" else RocksStore(tmp_path / "0")
    yield it
    it.close()


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Open]:
    """Opens the same RocksDB store, after closing the one that was opened before."""
    opened: list[Store] = []

    def reopen() -> Store:
        if opened:
            opened.pop().close()
        opened.append(RocksStore(tmp_path / "shop" / "0"))
        return opened[0]

    yield reopen
    opened.pop().close()


def rows(count: int) -> dict[bytes, bytes]:
    return {b"\x00\x02A1%04d" % number: b"\x01value%d" % number for number in range(count)}


def persisted(store: Store, *many: Rows) -> Store:
    for offset, written in enumerate(many):
        store.write(written)
        store.persist(offset)
    return store


# --- Every store -----------------------------------------------------------------------------------------------------


def test_a_new_store_is_empty(store: Store) -> None:
    assert store.offset is None
    assert store.get_many([b"a", b"b"]) == [None, None]
    assert store.get_many([]) == []
    assert list(store.scan()) == []
    assert store.next_share(96) == []


def test_values_come_in_the_order_asked_for(store: Store) -> None:
    persisted(store, {b"a": b"1", b"b": b"2", b"c": b""})
    store.write({b"d": b"4"})
    wanted = [b"c", b"d", b"absent", b"a", b"c", b"b"]
    assert store.get_many(wanted) == [b"", b"4", None, b"1", b"", b"2"]


def test_a_write_is_read_back_before_it_is_persisted(store: Store) -> None:
    persisted(store, {b"kept": b"1", b"changed": b"1", b"deleted": b"1"})
    store.write({b"changed": b"2", b"deleted": None, b"new": b"2"})
    wanted = [b"kept", b"changed", b"deleted", b"new"]
    assert store.get_many(wanted) == [b"1", b"2", None, b"2"]
    store.write({b"changed": None, b"deleted": b"3", b"new": b"3"})
    assert store.get_many(wanted) == [b"1", None, b"3", b"3"]
    store.persist(7)
    assert store.get_many(wanted) == [b"1", None, b"3", b"3"]
    assert sorted(store.scan()) == [(b"deleted", b"3"), (b"kept", b"1"), (b"new", b"3")]


def test_deleting_what_is_not_there(store: Store) -> None:
    persisted(store, {b"absent": None, b"there": b"1"})
    assert sorted(store.scan()) == [(b"there", b"1")]


@pytest.mark.parametrize("offset", [0, 1, 2**40])
def test_only_persisting_moves_the_offset(store: Store, offset: int) -> None:
    offsets: list[int | None] = []
    for persist in (None, offset, None, offset + 5):
        store.write({b"a": b"%d" % len(offsets)})
        if persist is not None:
            store.persist(persist)
        offsets.append(store.offset)
    assert offsets == [None, offset, offset, offset + 5]


def test_an_offset_may_be_persisted_without_rows(store: Store) -> None:
    store.persist(3)
    assert store.offset == 3
    assert list(store.scan()) == []


def test_a_scan_meets_every_row_and_nothing_else(store: Store) -> None:
    # The least and the largest keys that shipments can have, and the engine's own.
    keys = [b"\x00\x00watermark", b"\x00\x01\x00\x00", b"\x00\x01aa", b"\x10\x00" + b"\xff" * 5000]
    persisted(store, dict.fromkeys(keys, b"v"))
    assert sorted(store.scan()) == [(key, b"v") for key in keys]


@pytest.mark.parametrize(("count", "shares"), [(1, 96), (95, 96), (96, 96), (97, 96), (500, 96), (10, 1), (10, 3)])
def test_shares_go_round_and_meet_every_row(store: Store, count: int, shares: int) -> None:
    persisted(store, rows(count))
    for _ in range(3):
        met = [row for _ in range(shares) for row in store.next_share(shares)]
        assert set(met) == set(rows(count).items()), "a round of shares is a round over the rows"


def test_shares_meet_every_row_whatever_was_deleted(store: Store) -> None:
    left = rows(200)
    persisted(store, left)
    while left:
        gone, _ = left.popitem()
        persisted(store, {gone: None})
        assert sorted(store.next_share(1)) == sorted(left.items()), "the whole is one share"


def test_a_share_is_small(store: Store) -> None:
    persisted(store, rows(1000))
    page = 20  # a store may give whole pages
    assert max(len(store.next_share(10)) for _ in range(30)) <= 101 + page


def test_shares_follow_what_changes(store: Store) -> None:
    persisted(store, rows(100))
    first = store.next_share(4)
    gone = [key for key in rows(100) if key not in dict(first)][:30]
    persisted(store, {**dict.fromkeys(gone), b"\xffnew": b"1"})
    met = [row for _ in range(12) for row in store.next_share(4)]
    assert not set(dict(met)) & set(gone)
    assert set(met) == set(store.scan())


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from([b"a", b"b", b"c"]), st.none() | st.binary(max_size=2)), st.booleans()
        ),
        max_size=6,
    )
)
def test_a_store_is_a_dictionary(store: Store, steps: list[tuple[dict[bytes, bytes | None], bool]]) -> None:
    persisted(store, dict.fromkeys([b"a", b"b", b"c"]))
    expected: dict[bytes, bytes | None] = {}
    for written, then_persist in steps:
        store.write(written)
        expected |= written
        if then_persist:
            store.persist(1)
        assert store.get_many([b"a", b"b", b"c"]) == [expected.get(key) for key in (b"a", b"b", b"c")]
        there = {key for key, value in expected.items() if value is not None}
        assert there <= {*store.keys_with(b"")} <= {b"a", b"b", b"c"}
    store.persist(2)
    assert dict(store.scan()) == {key: value for key, value in expected.items() if value is not None}


@pytest.mark.parametrize("is_persisted", [True, False])
def test_keys_that_begin_alike(store: Store, is_persisted: bool) -> None:
    keys = [b"\x00\x01Ax", b"\x00\x02A11", b"\x00\x02A12", b"\x00\x02A2", b"\x00\x02B1", b"\x00\x03A1x"]
    store.write(dict.fromkeys(keys, b"1"))
    if is_persisted:
        store.persist(1)
    assert sorted(store.keys_with(b"\x00\x02A1")) == keys[1:3]
    assert sorted(store.keys_with(b"\x00\x02")) == keys[1:5]
    assert store.keys_with(b"\x00\x02C") == store.keys_with(b"\xff") == []


def test_a_closed_store_has_no_keys(tmp_path: Path) -> None:
    for store in (MemoryStore(), RocksStore(tmp_path / "0")):
        persisted(store, rows(3))
        store.close()
        assert store.keys_with(b"\x00\x02") == []


def test_other_threads_may_ask_while_a_store_is_closed(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    for number in range(10):
        store = persisted(RocksStore(tmp_path / str(number)), rows(100))
        over = Event()

        def ask(store: Store = store, over: Event = over) -> None:
            while not over.is_set():
                try:
                    assert len(store) <= 101, "about a hundred"
                    assert len(store.keys_with(b"\x00\x02")) in (0, 100)
                except BaseException as error:  # noqa: BLE001 - for the test's own thread
                    failures.append(error)

        asking = Thread(target=ask)
        asking.start()
        store.close()
        over.set()
        asking.join()
    assert failures == []


def test_other_threads_may_ask_for_keys_while_rows_are_written(store: Store) -> None:
    persisted(store, rows(2000))
    over = Event()
    failures: list[BaseException] = []

    def ask() -> None:
        while not over.is_set():
            try:
                assert {*rows(1000)} <= {*store.keys_with(b"\x00\x02A1")}
            except BaseException as error:  # noqa: BLE001 - for the test's own thread
                failures.append(error)

    asking = Thread(target=ask)
    asking.start()
    for offset in range(40):
        store.write({b"\x00\x02A1new%d" % (offset * 100 + number): b"1" for number in range(100)})
        store.write(dict.fromkeys(list(rows(2000))[1000 + offset * 20 : 1020 + offset * 20]))
        store.persist(offset)
    over.set()
    asking.join()
    assert failures == []


@pytest.mark.parametrize("many", [[{}], [{b"a": b"1", b"b": b""}], [{b"a": b"1", b"b": b"2"}, {b"b": b"3"}]])
def test_what_is_kept_is_no_row(store: Store, many: list[dict[bytes, bytes]]) -> None:
    first = [b"\x00\x00watermark", b"\x00\x01A1"]
    persisted(store, rows(50), dict.fromkeys(first, b"v"))
    expected = rows(50) | dict.fromkeys(first, b"v")
    for derived in many:
        is_kept = store.keep(derived.copy)
        assert store.kept() == (derived if is_kept else {})
    assert is_kept is isinstance(store, RocksStore)
    assert dict(store.scan()) == expected
    assert {row for _ in range(2) for row in store.next_share(2)} == set(expected.items())
    assert sorted(store.keys_with(b"")) == sorted(store.keys_with(b"\x00")) == sorted(expected)
    assert store.keys_with(b"\x00\x00k") == []
    assert store.offset == 1
    persisted(store, {b"new": b"1"})
    assert dict(store.scan()) == expected | {b"new": b"1"}


# --- RocksDB: what survives ------------------------------------------------------------------------------------------


def test_what_was_persisted_survives(reopen: Open) -> None:
    persisted(reopen(), rows(3), {b"\x00\x02A10001": None}, {b"\x00\x02A10002": b"new"})
    store = reopen()
    assert store.offset == 2
    assert dict(store.scan()) == {b"\x00\x02A10000": b"\x01value0", b"\x00\x02A10002": b"new"}
    assert {row for _ in range(2) for row in store.next_share(2)} == set(store.scan())


def test_what_was_only_written_is_lost_whole(reopen: Open) -> None:
    store = persisted(reopen(), {b"kept": b"1", b"changed": b"1"})
    store.write({b"kept": None, b"changed": b"2", b"new": b"2"})
    store = reopen()
    assert store.offset == 0
    assert sorted(store.scan()) == [(b"changed", b"1"), (b"kept", b"1")]
    assert store.get_many([b"new"]) == [None]


def test_what_was_kept_survives(reopen: Open) -> None:
    store = persisted(reopen(), rows(3))
    assert store.keep(lambda: {b"a": b"1", b"b": b"2"})
    assert store.keep(lambda: {b"b": b"3"})
    store = reopen()
    assert store.kept() == {b"b": b"3"}
    assert store.offset == 0
    assert len(store) in (3, 4), "about three rows"
    assert dict(store.scan()) == rows(3)


def test_nothing_is_kept_beside_what_is_not_persisted(reopen: Open) -> None:
    store = persisted(reopen(), rows(3))
    assert store.keep(lambda: {b"a": b"1"})
    store.write({b"new": b"1"})
    assert not store.keep(lambda: {b"a": b"2"})
    store.persist(1)
    assert store.kept() == {b"a": b"1"}
    assert store.keep(lambda: {b"a": b"2"})
    assert reopen().kept() == {b"a": b"2"}


def test_a_store_has_one_owner(tmp_path: Path, reopen: Open) -> None:
    owner = persisted(reopen(), rows(1))
    path = tmp_path / "shop" / "0"
    with pytest.raises(StoreLockedError, match=f"cannot open the store in {path}: "):
        RocksStore(path)
    assert dict(owner.scan()) == rows(1)
    neighbour = RocksStore(tmp_path / "shop" / "1")
    assert list(neighbour.scan()) == []
    neighbour.close()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "0"):
        with pytest.raises(StoreLockedError, match="cannot open the store in"):
            RocksStore(path)
