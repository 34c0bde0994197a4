"""Letters on a terminal."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from stream.cli.format import printable, scope_text
from stream.cli.letter_text import EXPLANATIONS, letter_lines, letter_text, planned_text, summary_lines
from stream.dead_letters import Letter, Planned, Position
from stream.dead_letters.summary import Tally
from stream.events import RejectionCode
from stream.records import Scope

LETTER = Letter(
    partition=3,
    offset=42,
    code="invalid_field",
    message="`Germany` is not an ISO 3166 alpha-2 country code - at `$.ship_to`",
    rejected_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
    source=Position("order-shipped", 1, 104_729),
    key=b"A1EXAMPLE",
    value=b'{"ship_to":"Germany","n":1.10,"n":1e999}',
    headers=(("trace", b"1"), ("none", None)),
)


@pytest.mark.parametrize("data", [b"\x1b[2J\x9b\r\n\0", "\u202e\x1b[2J", b"\xff\xfe", "\ud800", "A1\tü📦"])
def test_nothing_moves_the_cursor(data: bytes | str) -> None:
    text = printable(data)
    assert text.isprintable()
    hostile = replace(LETTER, key=b"\x1b[2J", message="\x1b[2J", value=b"\x1b[2J\n\x07", headers=(("\x1b", b"\x1b"),))
    assert scope_text(Scope("\x1b[2J", "DE")) == "\\x1b[2J DE"
    for line in (letter_text(hostile), *letter_lines(hostile, "dead", "\x1b"), planned(hostile, 0, "\x1b")):
        assert line.isprintable()


def planned(letter: Letter, partition: int, problem: str | None = None) -> str:
    return planned_text(Planned(letter, partition, problem), is_sent=problem is None)


def test_a_letter_on_one_line() -> None:
    assert letter_text(LETTER) == (
        "2026-11-22 12:00:00  3:42      invalid_field   order-shipped      A1EXAMPLE  "
        "`Germany` is not an ISO 3166 alpha-2 country code - at `$.ship_to`"
    )
    assert len(letter_text(replace(LETTER, key=b"k" * 1000, message="m" * 1000))) < 220


def test_a_letter_in_full() -> None:
    assert list(letter_lines(LETTER, "dead", "invalid_field: as before")) == [
        "letter    dead 3:42",
        "rejected  2026-11-22 12:00:00 UTC",
        "code      invalid_field",
        "why       `Germany` is not an ISO 3166 alpha-2 country code - at `$.ship_to`",
        "          A field has a wrong type, or a value it cannot have.",
        "now       rejected again: invalid_field: as before",
        "source    order-shipped, partition 1, offset 104729",
        "key       A1EXAMPLE",
        "header    trace: 1",
        "header    none: —",
        "value     40 bytes",
        "  {",
        '    "ship_to": "Germany",',
        '    "n": 1.10,',
        '    "n": 1e999',
        "  }",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": None}, "value     —"),
        ({"value": None, "dropped": 70_000}, "value     dropped: its 70,000 bytes are more than the topic takes; "),
        ({"value": b"\xff{"}, "  \\xff{"),
        ({"value": b"[" * 100_000}, "  " + "[" * 100_000),
        ({"code": "from_the_future"}, "code      from_the_future"),
        ({"key": None}, "key       —"),
    ],
)
def test_whatever_a_letter_holds_is_shown(changes: dict[str, object], said: str) -> None:
    lines = list(letter_lines(replace(LETTER, **changes), "dead", None))
    assert "now       a worker would take it" in lines
    assert any(line.startswith(said) for line in lines)


def test_every_code_is_explained() -> None:
    assert EXPLANATIONS.keys() == set(RejectionCode)


def test_what_becomes_of_a_letter() -> None:
    assert planned(LETTER, 1) == "send       3:42      order-shipped:1  A1EXAMPLE"
    assert planned(LETTER, 2, "no") == "leave out  3:42      order-shipped:2 (was in 1)  A1EXAMPLE  no"


def test_a_summary_is_a_table() -> None:
    tally = Tally()
    tally.add(LETTER)
    assert list(summary_lines(tally.result())) == [
        "code              letters    sellers  oldest (UTC)      newest (UTC)      newest letter",
        "invalid_field           1          1  2026-11-22 12:00  2026-11-22 12:00  3:42  " + LETTER.message,
    ]
