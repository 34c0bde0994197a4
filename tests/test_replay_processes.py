"""Several processes replay what one does, byte for byte."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from stream.events import decode
from stream.records import encode
from stream.replay import Replay, SourceError, replay
from stream.replay.share import Share
from stream.settings import Settings
from stream.simulator import SimulationConfig, simulate_history

END = datetime(2026, 10, 1, tzinfo=UTC)
SETTINGS = Settings(min_counted=5)
SHARES = (Share(0, 2), Share(1, 2))

_REST = b'"order_id":"o","marketplace":"DE","type":"order-shipped"'
ODD = [
    b"{",
    b"",
    b'{"type":"order-shipped"}',
    b'{"seller_id":"A","type":"order-shipped","event_id":"e","event_time":"2026-09-01T00:00:00Z"}',
    b'{"seller_id":"A","type":"order-shipped","seller_id":"B","event_id":"e","event_time":"2026-09-01T00:00:00Z"}',
    b'{"event_id":"e","event_time":"2026-09-01T00:00:00Z","seller_id":"A\\u0042",%b,"shipped_at":"2026-09-01T00:00:00Z"}'
    % _REST,
    b'{"event_id":"e","event_time":"2026-09-01T00:00:00Z","seller_id" : "A",%b,"shipped_at":"2026-09-01T00:00:00Z"}'
    % _REST,
    b'{"event_id":"e","event_time":"2126-09-01T00:00:00Z","seller_id":"A",%b,"shipped_at":"2126-09-01T00:00:00Z"}'
    % _REST,
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two files of a history over ninety days, with gaps, repeats, corrections and lines that are no events."""
    config = SimulationConfig(seed=5, sellers=9, start=END - timedelta(days=90), end=END, malformed=0.01)
    lines = [record.value for record in simulate_history(config, 4000)] + ODD * 3
    Random(1).shuffle(lines)  # noqa: S311 - an order that is always the same
    folder = tmp_path_factory.mktemp("history")
    for name, part in (("one", lines[:1500]), ("two", lines[1500:])):
        (folder / name).write_bytes(b"\n".join(part))
    return [str(folder / "one"), str(folder / "two")]


def said(result: Replay) -> tuple[object, ...]:
    return (
        result.as_of,
        [encode(metric) for metric in result.metrics],
        [encode(alert) for alert in result.alerts],
        result.summary,
    )


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("as_of", [None, END - timedelta(days=40)])
def test_the_result_is_that_of_one_process(files: list[str], processes: int, as_of: datetime | None) -> None:
    alone = replay(files, SETTINGS, as_of=as_of)
    assert alone.alerts
    assert sum(alone.summary.rejected.values()) > 20
    assert said(replay(files, SETTINGS, as_of=as_of, processes=processes)) == said(alone)


def test_a_file_that_cannot_be_read_is_named(files: list[str]) -> None:
    with pytest.raises(SourceError, match="cannot read /nowhere"):
        replay([*files, "/nowhere"], SETTINGS, processes=2)


def test_a_pipe_is_read_by_one_process(files: list[str]) -> None:
    """Each line of it goes to one reader only, so that several would each miss what another got."""
    end, writing = os.pipe()
    try:
        with subprocess.Popen(["cat", files[1]], stdout=writing):
            os.close(writing)
            read = replay([f"/dev/fd/{end}"], SETTINGS, processes=2)
    finally:
        os.close(end)
    alone = replay([files[1]], SETTINGS)
    assert [*map(encode, read.metrics)] == [*map(encode, alone.metrics)]
    assert read.summary.events == alone.summary.events


def test_a_file_that_cannot_even_be_asked_for_is_named() -> None:
    with pytest.raises(SourceError, match=r"cannot read a{300}: File name too long"):
        replay(["a" * 300], SETTINGS)


def test_nothing_is_a_history_too(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert said(replay([str(tmp_path / "empty")], SETTINGS, processes=2)) == (
        None,
        [],
        [],
        replay([], SETTINGS).summary,
    )


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.booleans(), st.booleans())
def test_a_line_is_its_sellers_or_nobodys(seller: str, other: str, escaped: bool, spaced: bool) -> None:
    fields: dict[str, object] = {
        "type": "tracking-uploaded",
        "event_id": other or "e",
        "event_time": "2026-09-01T00:00:00Z",
        "carrier": f'x","seller_id":"{other}',
        "seller_id": seller,
        "order_id": "o",
        "tracking_number": None,
    }
    line = json.dumps(fields, ensure_ascii=escaped, separators=(", ", ": ") if spaced else (",", ":")).encode(
        errors="replace"
    )
    event = decode(line)
    for share in SHARES:
        owned = share.owns(line)
        assert owned is None or owned == share.has(getattr(event, "seller_id", ""))


def test_most_lines_are_told_apart_without_decoding() -> None:
    config = SimulationConfig(seed=1, sellers=20, start=END - timedelta(days=3), end=END)
    lines = [record.value for record in simulate_history(config, 500)]
    owners = [[share.owns(line) for share in SHARES] for line in lines]
    assert sum(sorted(map(bool, owned)) == [False, True] for owned in owners) == len(lines)
    assert {tuple(owned) for owned in owners} == {(True, False), (False, True)}


_ENDED_AT_ONCE = """
import os, signal, sys
from stream.replay import SourceError, replay
from stream.settings import Settings

def end(*_):
    print("the one that starts it", "escaped" if os.getpid() != parent else "ended")
    raise KeyboardInterrupt

parent = os.getpid()
signal.signal(signal.SIGTERM, end)
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
try:
    replay(sys.argv[1:], Settings(), processes=2)
except SourceError as error:
    print(error, flush=True)
"""


def test_a_process_that_is_ended_as_it_begins_does_not_go_on_as_the_one_that_started_it(files: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ENDED_AT_ONCE, *files], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "a process of the replay has ended; perhaps memory ran out\n", done.stderr


_WITH_A_SERVER = """
import multiprocessing, sys
from stream.replay import replay
from stream.settings import Settings

multiprocessing.set_start_method("forkserver")  # the default of Python 3.14
print(replay(sys.argv[1:], Settings(), processes=2).summary.events)
"""


def test_how_python_would_start_processes_does_not_matter(files: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITH_A_SERVER, *files], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == f"{replay(files, Settings()).summary.events}\n", done.stderr
