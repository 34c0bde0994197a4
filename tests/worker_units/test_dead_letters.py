"""What could not be used goes out unchanged; and when that is most of what comes, the worker stops."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from aiokafka import ConsumerRecord

from stream.events import Rejection, RejectionCode, decode
from stream.worker.dead_letters import DeadLetter, Headers, RejectionLimit, TooManyRejectionsError, dead_letter

AT = datetime(2026, 11, 22, 12, 0, 0, 5000, tzinfo=UTC)
TOO_LATE = Rejection(RejectionCode.TOO_LATE, "`event_time` is too old")
ADDED: Headers = [
    ("vtr_error_code", b"too_late"),
    ("vtr_error_message", b"`event_time` is too old"),
    ("vtr_source_topic", b"order-shipped"),
    ("vtr_source_partition", b"3"),
    ("vtr_source_offset", b"42"),
    ("vtr_rejected_at", b"2026-11-22T12:00:00.005000Z"),
]


def record(
    key: bytes | None = b"A1", value: bytes | None = b"{}", headers: tuple[tuple[str, bytes], ...] = ()
) -> "ConsumerRecord[bytes | None, bytes | None]":
    return ConsumerRecord("order-shipped", 3, 42, 0, 0, key, value, None, 0, 0, headers)


# --- Dead letters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("trace", b"1"), ("ce_id", b"\xff\0")),
        (("twice", b"1"), ("twice", b"2")),
        (("vtr_error_code", b"sent here before"),),
    ],
)
def test_a_record_is_kept_and_explained(headers: tuple[tuple[str, bytes], ...]) -> None:
    letter = dead_letter(record(b"\xffkey", b"\0value", headers), TOO_LATE, AT)
    assert letter == DeadLetter(b"\xffkey", b"\0value", [*headers, *ADDED])


@pytest.mark.parametrize(("key", "value"), [(None, None), (None, b"{}"), (b"A1", None), (b"", b"")])
def test_what_is_absent_stays_absent(key: bytes | None, value: bytes | None) -> None:
    assert dead_letter(record(key, value), TOO_LATE, AT)[:2] == (key, value)


@pytest.mark.parametrize("code", RejectionCode)
def test_the_code_is_its_stable_name(code: RejectionCode) -> None:
    headers = dict(dead_letter(record(), Rejection(code, "`x`"), AT).headers)
    assert headers["vtr_error_code"] == code.name.lower().encode()


def test_a_message_of_any_characters() -> None:
    headers = dict(dead_letter(record(), Rejection(RejectionCode.INVALID_FIELD, "ß `📦` \ud800"), AT).headers)
    assert headers["vtr_error_message"] == "ß `📦` ?".encode()


def test_the_time_is_in_utc() -> None:
    local = AT.astimezone(timezone(timedelta(hours=-5)))
    assert dict(dead_letter(record(), TOO_LATE, local).headers)["vtr_rejected_at"] == b"2026-11-22T12:00:00.005000Z"


@pytest.mark.parametrize(("value", "size"), [(b"x" * 70_000, b"70000"), (None, b"0")])
def test_without_its_value_a_letter_says_how_large_it_was(value: bytes | None, size: bytes) -> None:
    letter = dead_letter(record(value=value, headers=(("trace", b"1"),)), TOO_LATE, AT)
    before = list(letter.headers)
    assert letter.headers_without_value() == [("trace", b"1"), *ADDED, ("vtr_value_dropped", size)]
    assert letter.headers == before


# --- The limit -------------------------------------------------------------------------------------------------------


def count(limit: RejectionLimit, events: int, rejected: int) -> None:
    limit.count(events, [TOO_LATE] * rejected)


@pytest.mark.parametrize(("ratio", "most"), [("0.9", 90), ("0.905", 90), ("0", 0), ("1", 100)])
def test_more_than_the_share_of_a_run_stops_the_worker(ratio: str, most: int) -> None:
    limit = RejectionLimit(Decimal(ratio), 100)
    count(limit, 100, most)
    if most < 100:
        with pytest.raises(TooManyRejectionsError) as caught:
            count(limit, 100, most + 1)
        assert str(caught.value) == (
            f"{most + 1} of the last 100 events were rejected, more than `reject_ratio` {ratio} allows; "
            "the last one: too_late: `event_time` is too old"
        )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b'{"type":"order-shipped","event_id":"1"', "malformed_json: Input data was truncated"),
        (b'{"type":"rumour"}', "unknown_type at `$.type`"),
        (b'{"type":"tracking-scanned","event_id":"1","event_time":"Main Street 5"}', "invalid_field at `$.event_time`"),
        (b'{"type":"tracking-scanned","event_id":"1"}', "missing_field: Object missing required field `event_time`"),
    ],
)
def test_the_log_gets_no_value_of_an_event(value: bytes, said: str) -> None:
    rejection = decode(value)
    assert isinstance(rejection, Rejection)
    with pytest.raises(TooManyRejectionsError) as caught:
        RejectionLimit(Decimal(0), 1).count(1, [rejection])
    assert str(caught.value).endswith(f"; the last one: {said}")


def test_a_run_is_judged_when_it_is_over() -> None:
    limit = RejectionLimit(Decimal("0.5"), 100)
    count(limit, 99, 99)
    with pytest.raises(TooManyRejectionsError, match="99 of the last 100 events were rejected"):
        count(limit, 1, 0)


def test_each_run_begins_anew() -> None:
    limit = RejectionLimit(Decimal("0.5"), 100)
    for _ in range(3):
        count(limit, 60, 50)
        count(limit, 60, 10)
        count(limit, 0, 0)
    count(limit, 60, 60)
    with pytest.raises(TooManyRejectionsError, match="61 of the last 120 "):
        count(limit, 60, 1)
