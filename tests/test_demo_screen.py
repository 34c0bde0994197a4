"""The picture of the demo, on terminals of usual sizes."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

import stream.cli  # noqa: F401 - before the demo, which is one of its commands and writes as they do
from stream.demo.board import Board
from stream.demo.screen import picture


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
