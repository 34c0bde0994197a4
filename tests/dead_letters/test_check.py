"""Whether a worker would take a record now."""

from datetime import UTC, datetime, timedelta

import pytest

from stream.dead_letters import Check, Letter, Position
from stream.dead_letters.resend import problem_of
from stream.events import OrderShipped, RejectionCode, encode
from stream.settings import Settings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def check() -> Check:
    return Check(Settings(), NOW)


def shipped(at: datetime, seller_id: str = "A1") -> bytes:
    event = OrderShipped(
        event_id="e1", event_time=at, seller_id=seller_id, order_id="1", marketplace="DE", shipped_at=at
    )
    return encode(event)


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (b"A1", shipped(NOW), None),
        (b"A1", shipped(NOW - 39 * DAY), None),
        (b"A1", None, RejectionCode.EMPTY_VALUE),
        (b"A1", b"{", RejectionCode.MALFORMED_JSON),
        (b"A2", shipped(NOW), RejectionCode.KEY_MISMATCH),
        (None, shipped(NOW), RejectionCode.KEY_MISMATCH),
        (b"A1", shipped(NOW + timedelta(hours=2)), RejectionCode.FUTURE_EVENT),
        (b"A1", shipped(NOW - 60 * DAY), RejectionCode.TOO_LATE),
    ],
)
def test_it_is_what_a_worker_would_say(
    check: Check, key: bytes | None, value: bytes | None, code: RejectionCode | None
) -> None:
    rejection = check.rejection(key, value)
    assert (None if rejection is None else rejection.code) == code


def test_a_dropped_value_is_no_empty_one(check: Check) -> None:
    letter = Letter(
        partition=0,
        offset=1,
        code="too_large",
        message="",
        rejected_at=NOW,
        source=Position("order-shipped", 3, 42),
        key=b"A1",
        value=None,
        dropped=70_000,
    )
    assert problem_of(letter, check) == "its value of 70000 bytes was dropped; it was order-shipped:3:42"
