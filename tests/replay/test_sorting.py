"""Sorting in memory and on disk: the same order, in bounded memory, and one line where there is no room."""

import errno
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from stream.events import Event, decode
from stream.replay import WorkFileError, sorting
from stream.replay.memory import memory_for_sorting
from stream.replay.run import History
from stream.replay.runs import read_run, version_of
from stream.replay.sorting import SortedEvents
from stream.shipment import EPOCH
from tests.command import vtr
from tests.replay.histories import END, history, write


def decoded(lines: Iterable[bytes]) -> list[Event]:
    return [event for line in lines if isinstance(event := decode(line), Event)]


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return decoded(history(3000))


def cut(events: Sequence[Event], size: int) -> Iterator[list[Event]]:
    for start in range(0, len(events), size):
        yield list(events[start : start + size])


def flat(blocks: Iterable[list[Event]]) -> list[Event]:
    return [event for block in blocks for event in block]


def versions(events: Iterable[Event]) -> list[tuple[datetime, str]]:
    return [version_of(event) for event in events]


@pytest.mark.parametrize(("size", "fan_in"), [(10, 64), (10, 2), (7, 5), (1, 4), (5000, 64)])
def test_runs_give_the_order_that_memory_gives(
    events: list[Event], size: int, fan_in: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "FAN_IN", fan_in)
    some = events[: 60 * size]
    at_once = SortedEvents(cut(some, size), 1 << 40)
    spilled = SortedEvents(cut(some, size), 0)
    try:
        assert not at_once.runs
        assert len(spilled.runs) <= fan_in * 6
        assert (
            (spilled.count, spilled.last)
            == (at_once.count, at_once.last)
            == (len(some), max(e.event_time for e in some))
        )
        in_order = flat(spilled.in_order())
        assert versions(in_order) == versions(flat(at_once.in_order())) == sorted(versions(some))
        assert sorted(map(repr, in_order)) == sorted(map(repr, some))
        since = in_order[len(in_order) // 2].event_time
        assert flat(spilled.in_order(since)) == [event for event in in_order if event.event_time >= since]
    finally:
        spilled.close()


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc")), max_size=5), max_size=8))
def test_versions_that_come_more_than_once_stay(chunks: list[list[tuple[int, str]]]) -> None:
    line = (
        '{"type":"tracking-uploaded","event_id":"%s","event_time":"2026-09-01T00:00:0%dZ","seller_id":"A",'
        '"order_id":"%d","tracking_number":null}'
    )
    drawn = [
        decoded((line % (name, second, number)).encode() for second, name in chunk)
        for number, chunk in enumerate(chunks)
    ]
    events = SortedEvents(drawn, 0)
    try:
        in_order = flat(events.in_order())
        assert versions(in_order) == sorted(versions(flat(drawn)))
        assert sorted(map(repr, in_order)) == sorted(map(repr, flat(drawn)))
    finally:
        events.close()


def test_what_is_behind_is_not_unpacked(events: list[Event], tmp_path: Path) -> None:
    some = SortedEvents([events], 0, tmp_path)
    some.close()
    last = max(event.event_time for event in events)
    with (tmp_path / "0.run").open("rb") as file:
        assert len(list(read_run(file, last))) == 1
        assert len(list(read_run(file, EPOCH))) == 1 + len(events) // sorting.LEAST_BLOCK


def test_a_damaged_run_is_an_error(events: list[Event], tmp_path: Path) -> None:
    SortedEvents([events], 1 << 40, tmp_path).close()
    run = tmp_path / "0.run"
    content = bytearray(run.read_bytes())
    content[len(content) // 2] ^= 1
    run.write_bytes(content)
    with run.open("rb") as file, pytest.raises(WorkFileError, match=r"damaged: .*0\.run"):
        flat(read_run(file))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, "a.ndjson", history(40))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    done = vtr("replay", file, "--memory", "1KB")
    assert done.returncode == 1
    said = f"vtr: cannot write sorted events to {tmp_path / 'nowhere'}: No such file or directory\n"
    assert done.stderr.decode() == said
    assert vtr("replay", file).returncode == 0  # which needs none


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: str) -> None:
    def full(file: BinaryIO, blocks: Iterable[Sequence[Event]]) -> None:  # noqa: ARG001 - as what it stands for
        raise OSError(errno.ENOSPC, "No space left on device")

    file = write(tmp_path, "a.ndjson", history(40))
    monkeypatch.setattr(sorting, "write_run", full)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = vtr("replay", file, "--memory", "1KB", "--processes", processes, "--alerts", str(tmp_path / "alerts"))
    assert done.returncode == 1
    assert done.stderr.decode() == f"vtr: cannot write sorted events to {tmp_path}: No space left on device\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.ndjson"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_disk_that_rejects_fill_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, "a.ndjson", [b"{"])
    with pytest.raises(WorkFileError, match="cannot write /dev/full: No space left on device"):
        History([file], None, rejects=Path("/dev/full"))


def test_what_is_available_is_known() -> None:
    assert 64 << 20 <= memory_for_sorting() <= 1 << 45


# --- Memory ----------------------------------------------------------------------------------------------------------

_PEAK = """
import sys
from pathlib import Path
from stream.replay import replay
from stream.settings import Settings
result = replay([sys.argv[1]], Settings(), memory=1_000_000)
lines = Path("/proc/self/status").read_text().splitlines()
print(result.summary.accepted, *(line.split()[1] for line in lines if line.startswith("VmHWM:")))
"""

A_DAY = 150
"""Events."""


def long_history(file: Path, days: int) -> Path:
    """Shipments with tracking, evenly over days."""
    with file.open("w") as lines:
        for number in range(days * A_DAY // 2):
            at = (END - timedelta(days=days) + number * timedelta(days=2) / A_DAY).isoformat()
            common = f'"event_time":"{at}","seller_id":"A{number % 7}","order_id":"order-{number:012}"'
            lines.write(
                f'{{"type":"order-shipped","event_id":"s{number}",{common},"marketplace":"DE","shipped_at":"{at}"}}\n'
                f'{{"type":"tracking-uploaded","event_id":"t{number}",{common},"carrier":"DHL",'
                f'"tracking_number":"00340434{number:012}"}}\n'
            )
    return file


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of one program")
def test_a_long_history_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    """Neither its events nor its shipments are all held: those of 300 days more would be 20 MB."""
    peaks = {}
    for days in (100, 400):
        file = long_history(tmp_path / f"{days}.ndjson", days)
        done = subprocess.run([sys.executable, "-c", _PEAK, str(file)], capture_output=True, check=True, timeout=60)
        accepted, peak = map(int, done.stdout.split())
        assert accepted == days * A_DAY
        peaks[days] = peak / 1024
    assert peaks[400] - peaks[100] < 6, peaks
