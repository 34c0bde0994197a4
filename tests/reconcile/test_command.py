"""``vtr reconcile``, as a shell sees it."""

import json
from pathlib import Path

import pytest

from tests.command import vtr
from tests.imports.files import SAMPLE_FILES, SAMPLES, SELLER

REPORT = str(SAMPLES / "account-health.json")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = str(tmp_path_factory.mktemp("reconcile") / "history.ndjson")
    assert (
        vtr("import", *(str(SAMPLES / name) for name in SAMPLE_FILES), "--seller", SELLER, "--out", file).returncode
        == 0
    )
    return file


def test_as_json(history: str) -> None:
    done = vtr("reconcile", SELLER, REPORT, "--history", history, "--json")
    assert done.returncode == 0
    said = json.loads(done.stdout)
    germany, britain, america = said["comparisons"]
    assert germany["theirs"]["from"] == "2026-09-16"
    assert germany["as_of"] == "2026-10-25T23:59:59Z"
    assert (germany["theirs"]["counted"], germany["ours"]["counted"]) == (7, 5)
    assert germany["ours"]["reasons"]["exempt"] == {"low_value": 1, "marketplace_fulfilled": 1}
    assert [(step["cause"], step["n"]) for step in germany["counted"]["steps"]] == [
        ("exempt", -1),
        ("not_explained", -1),
    ]
    assert (britain["ours"]["vtr"], america["ours"]["vtr"]) == (0.75, 0.5)
    assert said["elsewhere"]["FR"]["exempt"] == 1
    assert said["notes"] == ["the history ends 2026-10-12 09:15, before the report's window does"]


def test_several_files_in_either_way(history: str, tmp_path: Path) -> None:
    lines = Path(history).read_bytes().splitlines(keepends=True)
    first, second = tmp_path / "first.ndjson", tmp_path / "second.ndjson"
    first.write_bytes(b"".join(lines[:9]))
    second.write_bytes(b"".join(lines[9:]))
    whole = vtr("reconcile", SELLER, REPORT, "--history", history).stdout
    for files in ([str(first), str(second)], [str(first), "--history", str(second)]):
        assert vtr("reconcile", SELLER, REPORT, "--history", *files).stdout == whole


def test_as_of_before_the_end(history: str) -> None:
    done = vtr("reconcile", SELLER, REPORT, "--history", history, "--as-of", "2026-10-07", "--json")
    ours = json.loads(done.stdout)["comparisons"][0]["ours"]
    assert (ours["counted"], ours["pending"], ours["reasons"]["defect"]) == (4, 1, {"malformed_number": 1})


def test_scans_are_asked_for(history: str) -> None:
    done = vtr("reconcile", SELLER, REPORT, "--history", history, "--valid-when", "scan", "--json")
    ours = json.loads(done.stdout)["comparisons"][0]["ours"]
    assert (ours["valid"], ours["unscanned"], ours["reasons"]["defect"]) == (0, 0, {"no_scan": 4, "no_tracking": 1})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["A1EXAMPEL", REPORT], "there is no seller A1EXAMPEL in {history}; did you mean A1EXAMPLE?"),
        ([SELLER, "none.json"], "cannot read none.json: No such file or directory"),
        (
            [SELLER, str(SAMPLES / "orders-2026-10-08.json")],
            "is no account-health report: there is no validTrackingRate in it",
        ),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], problem: str, history: str) -> None:
    done = vtr("reconcile", *arguments, "--history", history)
    assert done.returncode == 1
    assert problem.format(history=history) in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_a_report_without_days_and_counts_is_shown(history: str, tmp_path: Path) -> None:
    file = tmp_path / "health.json"
    file.write_text(json.dumps({"performanceMetrics": [{"marketplaceId": "JP", "validTrackingRate": {"rate": 0.9}}]}))
    done = vtr("reconcile", SELLER, str(file), "--history", history)
    assert done.stdout.decode().splitlines() == [
        "JP",
        "  note: the report does not say for which days it is",
        "  note: the report gives no shipmentCount, so there is nothing to add up",
        "               theirs      ours",
        "  counted           —         —",
        "  valid             —         —",
        "  defects           —         —",
        "  VTR          90.00%         —",
    ]
