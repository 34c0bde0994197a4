"""How far a replay is: what a bar and the lines say, and that a short replay says nothing."""

import io
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stream.cli import progress as cli_progress
from stream.cli.progress import Pace, ReplayProgress, duration_text
from stream.replay import find_sources, replay
from stream.replay import meter as meter_of_replay
from stream.replay.meter import Meter, Numbers, Reading, new_numbers
from stream.settings import Settings
from tests.command import vtr
from tests.imports.files import SAMPLES
from tests.replay.histories import history, write

AT = datetime(2026, 9, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_pace_is_that_of_all_processes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter_of_replay, "TELL_EVERY", 1)
    clock = Clock()
    pace = Pace(1000, clock)
    two = [new_numbers(), new_numbers()]
    meters = [Meter(numbers) for numbers in two]
    assert str(pace.standing(two)) == "reading 0%: 0 events"
    clock.now += 2
    for meter in meters:
        meter.read(200, 50)
    assert str(pace.standing(two)) == "reading 20%: 100 events, 50/s, 0:08 left of this step"
    meters[0].end_source()
    meters[0].read(800, 350)
    meters[0].play(450)
    meters[0].played(10, AT)
    assert str(pace.standing(two)).startswith("reading 60%: 450 events")  # as long as one still reads
    meters[1].play(550)
    assert str(pace.standing(two)) == "replaying 1%: 10 events, at 2026-09-01 12:00"
    clock.now += 4
    meters[0].played(90, AT + timedelta(days=2))
    meters[1].played(110, AT + timedelta(days=1))
    assert str(pace.standing(two)) == "replaying 21%: 210 events, 50/s, at 2026-09-02 12:00, 0:16 left of this step"


def test_where_nobody_knows_how_much_there_is_nothing_is_said_of_it() -> None:
    clock = Clock()
    pace = Pace(find_sources(["-"]).size, clock)
    numbers = new_numbers()
    pace.standing([numbers])
    Meter(numbers).read(0, 30)
    clock.now += 1
    assert str(pace.standing([numbers])) == "reading: 30 events, 30/s"


def test_the_speed_is_that_of_the_last_seconds() -> None:
    clock = Clock()
    pace = Pace(None, clock)
    numbers = new_numbers()
    for events in [1000] * 20 + [10] * 20:
        pace.standing([numbers])
        numbers[Reading.EVENTS] += events
        clock.now += 1
    assert pace.standing([numbers]).rate == pytest.approx(10)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3723, "1:02:03")])
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def show_all(progress: ReplayProgress, clock: Clock, numbers: Numbers) -> None:
    with progress:
        for second in range(12):
            for _ in range(100):
                progress.show([numbers])
            Meter(numbers).read(second, 10)
            clock.now += 1


def test_without_a_terminal_there_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    show_all(ReplayProgress(100, clock), clock, new_numbers())
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.splitlines() == [
        "vtr: reading 4%: 50 events, 10/s, 2:00 left of this step",
        "vtr: reading 9%: 100 events, 10/s, 1:41 left of this step",
    ]


def test_on_a_terminal_there_is_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    clock = Clock()
    show_all(ReplayProgress(100, clock), clock, new_numbers())
    said = terminal.getvalue()
    assert "reading 9%: 100 events, 10/s" in said
    assert "━" in said
    assert re.search(r"\x1b\[2K\Z|\x1b\[1A\x1b\[2K\Z|\x1b\[2K[^\n]*\Z", said)  # the last thing is to clear the line


def test_a_replay_tells_both_steps_to_their_ends(tmp_path: Path) -> None:
    files = [write(tmp_path, "a.ndjson", history(300)), write(tmp_path, "b.csv.gz", history(300))]
    files.append(write(tmp_path, "c.parquet", history(300)))
    shown: list[list[float]] = []
    result = replay(files, Settings(), show=lambda meters: shown.append(list(meters[0])))
    reading = [each for each in shown if not each[Reading.IS_PLAYING]]
    assert reading[-1][Reading.SIZE] == find_sources(files).size
    assert reading[-1][Reading.EVENTS] == result.summary.events
    assert shown[-1][Reading.TOTAL] == result.summary.events
    assert result.as_of is not None


def test_a_short_replay_says_nothing_but_its_result(tmp_path: Path) -> None:
    done = vtr("replay", write(tmp_path, "a.ndjson", history(100)), "--metrics", "-")
    assert done.returncode == 0
    assert b"replaying" not in done.stderr
    assert all(line.startswith(b"{") for line in done.stdout.splitlines())


def test_what_only_reads_a_history_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = history(100)
    file, samples = write(tmp_path, "a.ndjson", lines), SAMPLES / "account-health.json"
    event = json.loads(lines[0])
    seller, shipment = event["seller_id"], event.get("shipment_id") or event["order_id"]
    commands = [
        ("explain", seller, shipment, file),
        ("report", seller, "--history", file),
        ("plot", file, "--seller", seller, "--out", "-"),
        ("reconcile", seller, str(samples), "--history", file),
    ]
    quiet = [vtr(*command) for command in commands]
    monkeypatch.setattr(cli_progress, "LINE_EVERY", 0.0)
    monkeypatch.setattr(cli_progress, "LOOK_EVERY", 0.0)
    for command, before in zip(commands, quiet, strict=True):
        assert b"vtr: reading" not in before.stderr, command
        done = vtr(*command)
        assert (done.returncode, done.stdout) == (0, before.stdout), command
        assert f"vtr: reading 100%: {len(lines)} events".encode() in done.stderr, command


def test_output_is_not_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_progress, "LINE_EVERY", 0.0)
    monkeypatch.setattr(cli_progress, "LOOK_EVERY", 0.0)
    file = write(tmp_path, "a.ndjson", history(100))
    done = vtr("replay", file, "--metrics", "-", "--processes", "2")
    assert b"vtr: re" in done.stderr
    assert done.stdout == vtr("replay", file, "--metrics", "-").stdout
