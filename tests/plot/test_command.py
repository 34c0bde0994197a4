"""``vtr plot``, as a shell sees it."""

import sys
from pathlib import Path

import pytest

from stream.plot.table import csv_bytes
from stream.records import Scope
from stream.settings import Settings
from tests.command import vtr
from tests.plot.history import series_of, with_gap, written


@pytest.fixture
def gap(tmp_path: Path) -> str:
    return written(tmp_path / "gap.ndjson", [*with_gap(), b"{broken"])


@pytest.mark.parametrize(("ending", "begins"), [("svg", b"<?xml"), ("PNG", b"\x89PNG"), ("csv", b"time,status,vtr,")])
def test_the_ending_says_what_is_written(gap: str, tmp_path: Path, ending: str, begins: bytes) -> None:
    out = tmp_path / f"vtr.{ending}"
    done = vtr("plot", gap, "--seller", "A", "--out", str(out))
    assert done.returncode == 0
    assert out.read_bytes().startswith(begins)
    assert done.stdout.decode() == "A from 2026-08-01 13:00 to 2026-10-02 12:00 UTC: 1,488 samples, 0 alerts\n"
    assert f"rejected  {gap}:23: malformed_json" in done.stderr.decode()


def test_a_table_on_standard_output_by_the_settings(gap: str) -> None:
    arguments = [
        "--seller",
        "A",
        "--marketplace",
        "de",
        "--category",
        "Home",
        "--min-counted",
        "1",
        "--grace-hours",
        "3",
    ]
    done = vtr("plot", gap, *arguments, "--out", "-")
    series = series_of(gap, Scope("A", "DE", "Home"), Settings(min_counted=1, grace_hours=3))
    assert done.stdout == csv_bytes(series)
    assert f"{len(series.alerts)} alerts" in done.stderr.decode()
    assert series.alerts


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--out", "vtr.csv"], "--seller", 2),
        (["--seller", "A"], "--out", 2),
        (["--seller", "A", "--out", "vtr.pdf"], "--out vtr.pdf: the name must end in .svg, .png or .csv", 2),
        (["--seller", "A", "--out", "vtr"], "--out vtr: the name must end in", 2),
        (["--seller", "A", "--category", "Home", "--out", "x.csv"], "--category needs --marketplace", 2),
        (["--seller", "Z", "--out", "x.csv"], "there is no seller Z in", 1),
        (["--seller", "A", "--marketplace", "FR", "--out", "x.csv"], "there is no A FR in", 1),
        (["--seller", "A", "--out", "/nowhere/x.csv"], "cannot write /nowhere/x.csv", 1),
        (["--seller", "A", "gap.csv", "--out", "gap.csv"], "cannot write gap.csv: it is one of the files to read", 1),
        (["--seller", "A", "--as-of", "2026-07-01", "--out", "x.csv"], "there are no events in", 1),
        (["--seller", "A", "--threshold", "2", "--out", "x.csv"], "`threshold`", 1),
    ],
)
def test_an_error_is_one_line_that_names_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    done = vtr("plot", written(tmp_path / "gap.ndjson", with_gap()), *arguments)
    error = done.stderr.decode()
    assert done.returncode == code
    assert error.startswith("vtr: ")
    assert error.count("\n") == 1
    assert said in error


def test_without_matplotlib_there_are_no_pictures_and_there_is_csv(
    gap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "stream.plot.chart", raising=False)
    done = vtr("plot", gap, "--seller", "A", "--out", str(tmp_path / "vtr.svg"))
    assert done.returncode == 1
    assert done.stderr.decode() == "vtr: a picture needs matplotlib: pip install matplotlib; .csv needs none\n"
    done = vtr("plot", gap, "--seller", "A", "--out", str(tmp_path / "vtr.csv"))
    assert done.returncode == 0
