"""The picture of the demo, on terminals of usual sizes."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from rich.console import Console

import stream.cli  # noqa: F401 - before the demo, which is one of its commands and writes as they do
from stream.demo.board import Board
from stream.demo.screen import picture
from tests.test_records import ALERT


@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (80, 24)])
def test_the_screen_has_its_head_and_hints_whole_and_no_line_too_many(columns: int, rows: int) -> None:
    hints = ("in another shell:  vtr alerts --follow --broker kafka://127.0.0.1:23691", "for monitoring:  …")
    board = Board(datetime(2026, 11, 22, tzinfo=UTC), 20)
    board.past_alerts = 12_345
    console = Console(width=columns, height=rows, file=io.StringIO())
    console.print(picture(board, "live, about 20 events/s", timedelta(seconds=99), hints, rows))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[0].rstrip() == "vtr demo  99 s  live, about 20 events/s · 0 sellers · alerts 12345 past, 0 live"
    assert tuple(line.rstrip() for line in lines[1:3]) == hints
    assert len(lines) <= rows


def test_the_latest_alerts_are_in_order_of_time() -> None:
    board = Board(datetime(2026, 11, 22, tzinfo=UTC), 20)
    for minute in (5, 1, 4, 2, 3):
        since = datetime(2026, 11, 22, 12, minute, tzinfo=UTC)
        board.take_alert(replace(ALERT, alert_id=str(minute), since=since))
    assert [each.alert_id for each in board.latest_alerts(3)] == ["3", "4", "5"]
    assert [each.alert_id for each in board.latest_alerts(9)] == ["1", "2", "3", "4", "5"]
