"""Pictures hold what their series has."""

import re
import struct
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from stream.plot import Series
from stream.plot.chart import DPI, SIZE_INCHES, picture
from stream.records import Scope
from stream.replay import Replay
from tests.plot.history import NOON, scopes, series_of, with_gap, written

SVG = "{http://www.w3.org/2000/svg}"


def drawn(series: Series, title: str = "title") -> dict[str, ElementTree.Element]:
    """What has a name in the picture."""
    root = ElementTree.fromstring(picture(series, title, "svg"))  # noqa: S314 - made here
    assert root.tag == f"{SVG}svg"
    return {each.get("id", ""): each for each in root.iter(f"{SVG}g")} | {"": root}


def moves(line: ElementTree.Element) -> int:
    """How many pieces a line has."""
    (path,) = line.iter(f"{SVG}path")
    return path.get("d", "").count("M")


def words(root: ElementTree.Element) -> list[str]:
    return ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]


@pytest.fixture(scope="module")
def gap(tmp_path_factory: pytest.TempPathFactory) -> Series:
    file = tmp_path_factory.mktemp("gap") / "gap.ndjson"
    return series_of(written(file, with_gap()), Scope("A", "DE", "Home"))


@pytest.fixture(scope="module")
def found(gap: Series) -> dict[str, ElementTree.Element]:
    return drawn(gap)


def test_lines_and_gaps(found: dict[str, ElementTree.Element]) -> None:
    assert moves(found["vtr"]) == 2
    assert moves(found["threshold"]) == moves(found["warn_level"]) == 2  # the scope is gone in between
    said = words(found[""])
    for label in ("title", "threshold 95 %", "warn level 97 %", "VTR, live window", "UTC", "while breached", "100 %"):
        assert label in said
    assert "2026-10-02 12:00 UTC: 100.00% of 1, ok" in said


def test_levels_stand_where_they_are(found: dict[str, ElementTree.Element]) -> None:
    """By the axis of the picture: from the ticks' places follows where a share lies."""
    heights = {name: _height(found[name]) for name in ("threshold", "warn_level")}
    ticks = {
        "".join(text.itertext()): _tick_height(tick)
        for name, tick in found.items()
        if name.startswith("ytick_")
        for text in tick.iter(f"{SVG}text")
    }
    low, high = ticks["90 %"], ticks["100 %"]
    for name, share in (("threshold", 0.95), ("warn_level", 0.97)):
        assert heights[name] == pytest.approx(low + (high - low) * (share - 0.9) / 0.1, abs=0.01)


def _height(line: ElementTree.Element) -> float:
    (path,) = line.iter(f"{SVG}path")
    heights = set(re.findall(r"[ML] [\d.]+ ([\d.]+)", path.get("d", "")))
    (height,) = heights
    return float(height)


def _tick_height(tick: ElementTree.Element) -> float:
    (use,) = tick.iter(f"{SVG}use")
    return float(use.get("y", ""))


def test_as_many_markers_as_alerts(file: str, whole: Replay) -> None:
    for scope in scopes(whole)[1:]:
        series = series_of(file, scope)
        found = drawn(series)
        alerts = Counter(alert.type for alert in series.alerts)
        assert alerts
        for kind in ("vtr-breached", "vtr-at-risk", "vtr-recovered"):
            marks = list(found[kind].iter(f"{SVG}use")) if kind in found else []
            assert len(marks) == alerts[kind]
        stretches = [name for name in found if re.match(r"(breached|at_risk)-\d", name)]
        assert len(stretches) == alerts["vtr-breached"] + alerts["vtr-at-risk"]


def test_the_time_of_a_breach_is_marked(found: dict[str, ElementTree.Element]) -> None:
    assert f"breached-{NOON.replace(day=2, hour=13):%Y%m%dT%H%M}" in found
    assert len(list(found["vtr-breached"].iter(f"{SVG}use"))) == 1
    assert len(list(found["vtr-recovered"].iter(f"{SVG}use"))) == 1


def test_the_same_bytes_again(gap: Series) -> None:
    first, second = (picture(gap, "title", "svg") for _ in range(2))
    assert first == second
    assert b"<dc:date>" not in first


def test_a_png_of_its_size(gap: Series) -> None:
    content = picture(gap, "title", "png")
    assert picture(gap, "title", "png") == content
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert (width, height) == tuple(int(inches * DPI) for inches in SIZE_INCHES)
    assert len(content) > 10_000


def test_an_id_is_no_formula_and_no_markup(gap: Series) -> None:
    found = drawn(gap, "A$x_1$ <b>&amp; 🎁")
    assert "A$x_1$ <b>&amp; 🎁" in words(found[""])


def test_a_single_instant(tmp_path: Path) -> None:
    series = series_of(written(tmp_path / "one.ndjson", with_gap()), Scope("A"), as_of=NOON)
    assert len(series.samples) == 1
    assert moves(drawn(series)["threshold"]) == 1
