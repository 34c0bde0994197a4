"""Letters as they are read from their topic, and as lines of JSON."""

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TypeAlias

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.cli.dead_letters import _read as read_wanted
from stream.dead_letters import (
    InvalidLetterError,
    Letter,
    LetterFileError,
    Position,
    Wanted,
    decode_letter,
    encode_letter,
    read_file,
    read_letter,
)
from stream.dead_letters.letter import Header, resent_headers
from stream.dead_letters.read import newest
from stream.dead_letters.summary import Tally
from stream.events import Rejection, RejectionCode
from stream.worker.dead_letters import dead_letter

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WHY = Rejection(RejectionCode.INVALID_FIELD, "`Ümlaut` is none - at `$.ship_to`")
Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"
SOURCE, PLACE = Position("order-shipped", 3, 42), Position("dead", 1, 7)


def record(key: bytes | None, value: bytes | None, headers: tuple[Header, ...], place: Position) -> Record:
    return ConsumerRecord(*place, 0, 0, key, value, None, 0, 0, headers)


def letter(key: bytes | None = b"A1", value: bytes | None = b"{}", headers: tuple[Header, ...] = ()) -> Letter:
    return Letter(
        partition=1,
        offset=7,
        code="invalid_field",
        message="no - at `$.x`",
        rejected_at=NOON,
        source=Position("order-shipped", 3, 42),
        key=key,
        value=value,
        headers=headers,
    )


def as_letter(written: Record, place: Position = PLACE) -> Letter:
    """What is read of the letter that a worker writes for a record."""
    sent = dead_letter(written, WHY, NOON)
    return read_letter(record(sent.key, sent.value, tuple(sent.headers), place))


ANY_BYTES = st.none() | st.binary(max_size=20) | st.text(max_size=20).map(str.encode)
NAMES = st.sampled_from(["trace", "vtr_error_code", "vtr_rejected_at", "vtr_value_dropped", "vtr_resent_from", "é", ""])
HEADERS = st.lists(st.tuples(NAMES, ANY_BYTES), max_size=8).map(tuple)


@settings(deadline=None, max_examples=100)
@given(ANY_BYTES, ANY_BYTES, HEADERS)
def test_what_a_worker_writes_is_read_back(key: bytes | None, value: bytes | None, headers: tuple[Header, ...]) -> None:
    assert as_letter(record(key, value, headers, SOURCE)) == Letter(
        partition=1,
        offset=7,
        code="invalid_field",
        message=WHY.message,
        rejected_at=NOON,
        source=SOURCE,
        key=key,
        value=value,
        headers=headers,
    )


def test_a_dropped_value_is_told() -> None:
    written = dead_letter(record(b"A1", b"x" * 70, (("trace", b"1"),), SOURCE), WHY, NOON)
    read = read_letter(record(b"A1", None, tuple(written.headers_without_value()), PLACE))
    assert (read.value, read.dropped, read.headers) == (None, 70, (("trace", b"1"),))


def replaced(name: str, value: bytes) -> tuple[Header, ...]:
    headers = dict(dead_letter(record(b"A1", b"{}", (), SOURCE), WHY, NOON).headers)
    return tuple((headers | {name: value}).items())


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("trace", b"1"),),
        replaced("vtr_source_offset", b"x"),
        replaced("vtr_rejected_at", b"noon"),
        replaced("vtr_rejected_at", b"9999-12-31T23:59:59-14:00"),
        (*replaced("trace", b"1"), ("vtr_value_dropped", b"many")),
        replaced("vtr_error_code", b"")[1:],
    ],
)
def test_what_is_no_letter_is_told_apart(headers: tuple[Header, ...], caplog: pytest.LogCaptureFixture) -> None:
    other = record(b"A1", b"{}", headers, PLACE)
    with pytest.raises(InvalidLetterError):
        read_letter(other)
    assert list(Wanted().among([other])) == []
    assert "skipped dead:1:7, which is no dead letter" in caplog.text


# --- As JSON ---------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(ANY_BYTES, ANY_BYTES, HEADERS)
def test_what_nobody_touched_comes_back_byte_by_byte(
    key: bytes | None, value: bytes | None, headers: tuple[Header, ...]
) -> None:
    before = letter(key, value, headers)
    line = encode_letter(before)
    assert b"\n" not in line
    assert decode_letter(line) == before
    # Other programs write the same JSON in another way.
    assert decode_letter(json.dumps(json.loads(line), indent=1).encode()) == before


def test_a_value_can_be_repaired() -> None:
    line = json.loads(encode_letter(letter(value=b"\xff")))
    assert line["value_base64"] == "/w=="
    del line["value_base64"]
    assert decode_letter(json.dumps(line | {"value": "{}"}).encode()) == letter(value=b"{}")


def changed(**changes: object) -> bytes:
    return json.dumps(json.loads(encode_letter(letter())) | changes).encode()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "truncated"),
        (b"\xff", ""),
        (b'{"type":"order-shipped"}', "`type`"),
        (b"[" * 100_000, ""),
        (changed(value={"type": "order-shipped"}), "`$.value`"),
        (changed(value="{}", value_base64=""), "either `value` or `value_base64`"),
        (changed(vaule="{}"), "`vaule`"),
        (changed(headers=[{"name": "x", "value_base64": "ß"}]), "`$.value_base64`"),
        (changed(headers=[{"name": "x"}]), "either `value` or `value_base64`"),
        (changed(rejected_at="noon"), "`$.rejected_at`"),
        (changed(rejected_at="9999-12-31T23:59:59-14:00"), "`$.rejected_at`"),
    ],
)
def test_a_broken_line_is_named(line: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "letters.ndjson"
    file.write_bytes(encode_letter(letter()) + b"\n\n" + line + b"\n")
    with pytest.raises(LetterFileError) as caught:
        list(read_file(str(file), io.BytesIO()))
    assert str(caught.value).startswith(f"{file}:3: not a dead letter: ")
    assert said in str(caught.value)


def test_lines_come_from_a_file_or_the_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "letters.ndjson"
    lines = encode_letter(letter()) + b"\n" + encode_letter(letter(b"A2"))
    file.write_bytes(lines)
    assert list(read_file(str(file), io.BytesIO())) == [letter(), letter(b"A2")]
    assert list(read_file("-", io.BytesIO(lines))) == [letter(), letter(b"A2")]


# --- Which, and how many ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "has"),
    [
        (Wanted(), True),
        (Wanted(codes=frozenset({"invalid_field"})), True),
        (Wanted(codes=frozenset({"too_late"})), False),
        (Wanted(topics=frozenset({"order-shipped"})), True),
        (Wanted(topics=frozenset({"tracking-uploaded"})), False),
        (Wanted(since=NOON, until=NOON + SECOND), True),
        (Wanted(since=NOON + SECOND), False),
        (Wanted(until=NOON), False),
        (Wanted(seller_ids=frozenset({"A1"})), True),
        (Wanted(seller_ids=frozenset({"A2"})), True),
        (Wanted(seller_ids=frozenset({"A3", ""})), False),
    ],
)
def test_which_are_wanted(wanted: Wanted, has: bool) -> None:
    assert wanted.has(letter(b"A1", b'{"seller_id":"A2"}')) == has


@pytest.mark.parametrize("value", [None, b"", b"[]", b"\xff", b'{"seller_id":5}', b"[" * 100_000])
def test_the_seller_is_the_keys_where_the_value_names_none(value: bytes | None) -> None:
    assert letter(b"A1", value).seller_ids == {"A1"}
    assert letter(None, value).seller_ids == frozenset()


def test_the_newest_are_last() -> None:
    def at(seconds: int, offset: int) -> Letter:
        return replace(letter(), rejected_at=NOON + seconds * SECOND, offset=offset)

    assert newest([at(2, 0), at(1, 5), at(2, 1), at(0, 9)], 3) == [at(1, 5), at(2, 0), at(2, 1)]


def test_a_summary_counts_by_code() -> None:
    tally = Tally()
    for number in range(3):
        tally.add(replace(letter(b"A%d" % (number % 2)), rejected_at=NOON - number * SECOND, offset=number))
    tally.add(replace(letter(None), code="too_late"))
    first, second = tally.result()
    assert (first.code, first.letters, first.sellers, first.latest) == ("invalid_field", 3, 2, "1:0")
    assert (first.oldest, first.newest) == (NOON - 2 * SECOND, NOON)
    assert (second.code, second.letters, second.sellers) == ("too_late", 1, 0)
    assert first.topics == {"order-shipped": 3}


def test_the_newest_of_a_file_are_so_by_their_time(tmp_path: Path) -> None:
    """Files are put together, and sorted, by who repairs them."""
    letters = [replace(letter(), rejected_at=NOON - number * SECOND, offset=number) for number in range(3)]
    file = tmp_path / "letters.ndjson"
    file.write_bytes(b"\n".join(map(encode_letter, letters)))
    assert read_wanted(str(file), Wanted(), None) == letters
    assert read_wanted(str(file), Wanted(), 2) == [letters[1], letters[0]]


# --- Sent again ------------------------------------------------------------------------------------------------------


def test_what_was_added_is_taken_off_and_the_letter_named() -> None:
    own: tuple[Header, ...] = (("trace", b"1"), ("vtr_error_code", b"forged"), ("empty", None))
    sent = tuple(resent_headers(letter(headers=own), "dead"))
    assert sent == (*own, ("vtr_resent_from", b"dead:1:7"))
    # And when it is rejected again, and sent again.
    again = as_letter(record(b"A1", b"{}", sent, SOURCE), Position("dead", 2, 9))
    assert tuple(resent_headers(again, "dead")) == (*own, ("vtr_resent_from", b"dead:2:9"))


def test_times_are_utc() -> None:
    local = NOON.astimezone(timezone(timedelta(hours=5)))
    assert decode_letter(changed(rejected_at=local.isoformat())).rejected_at.utcoffset() == timedelta(0)
