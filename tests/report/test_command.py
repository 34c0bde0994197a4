"""``vtr report SELLER --history FILE``, as a shell sees it."""

import csv
import io
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from stream.cli import cli
from stream.cli.options import CommandError
from stream.report import DefectReport
from tests.explain.test_command import LIFE, SHIPPED_AT, written
from tests.test_engine_properties import HOUR, shipped, tracked


@pytest.fixture
def history(tmp_path: Path) -> Path:
    more = [
        shipped("3", SHIPPED_AT, order_id="028-3", shipment_id="028-3-1", carrier="\x1b[31mEvil"),
        shipped("4", SHIPPED_AT, category="Toys"),
        tracked("4", SHIPPED_AT, tracking_number="=cmd()"),
    ]
    return written(tmp_path / "history.ndjson", [*LIFE, *more])


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


def vtr(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_text_groups_by_reason_and_says_what_to_do(history: Path) -> None:
    lines = vtr("A", "--history", history).splitlines()
    assert lines[0] == "defects of seller A"
    assert lines[1].startswith(
        "live window: shipped from 2026-10-04 16:00 to before 2026-11-03 16:00, as of 2026-11-03"
    )
    assert lines[2] == "VTR 25.00%: 3 defects among 4 counted; 0 pending, 0 exempt"
    titles = [line.split(" ×")[0] for line in lines if " ×" in line]
    assert titles == ["late_tracking", "malformed_number", "no_tracking"]
    assert sum(line.startswith("  → ") for line in lines) == 3
    (row,) = [line.split() for line in lines if "028-3" in line]
    assert row == ["2026-11-01", "028-3", "…-1", "\\x1b[31mEvil", "Home"]


def test_what_all_defects_share_is_said_once(history: Path) -> None:
    lines = vtr("A", "--history", history).splitlines()
    assert lines[3] == "all defects: marketplace DE"
    assert not any("marketplace" in line for line in lines[4:])
    lines = vtr("A", "--history", history, "--marketplace", "DE", "--carrier", "DHL").splitlines()
    assert lines[0] == "defects of seller A, marketplace DE, carrier DHL"
    assert lines[3] == ""
    assert "marketplace" not in "".join(lines[1:])
    assert "category" in "".join(lines[1:])


def test_csv_and_json_have_the_same_rows(history: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(vtr("A", "--history", history, "--format", "csv"))))
    text = vtr("A", "--history", history, "--format", "json")
    assert vtr("A", "--history", history, "--json") == text
    assert "either" in run("A", "--history", history, "--format", "csv", "--json").stderr
    found = msgspec.json.decode(text, type=DefectReport)
    assert [row["shipment_id"] for row in rows] == [defect.shipment_id for defect in found.defects]
    assert found.counts.defects == len(rows) == 3
    (toys,) = [row for row in rows if row["category"] == "Toys"]
    assert toys["tracking_number"] == "'=cmd()"


def test_filters_and_windows(history: Path) -> None:
    def shipments(*arguments: object) -> list[str]:
        said = vtr("A", "--history", history, "--format", "json", *arguments)
        return [defect.shipment_id for defect in msgspec.json.decode(said, type=DefectReport).defects]

    assert shipments("--category", "Toys") == ["4"]
    assert shipments("--marketplace", "FR") == []
    assert shipments("--carrier", "DHL", "--category", "Home") == ["1"]
    assert shipments("--window", "official") == []
    assert sorted(shipments("--window", "official", "--as-of", SHIPPED_AT + timedelta(days=11))) == [
        "028-3-1",
        "1",
        "4",
    ]
    assert shipments("--grace-hours", "100") == ["1", "4"]
    assert shipments("--as-of", SHIPPED_AT + 2 * HOUR - timedelta(minutes=1)) == ["1", "4"]


def test_several_files_and_their_rejections(history: Path, tmp_path: Path) -> None:
    more = written(tmp_path / "more.ndjson", [shipped("5", SHIPPED_AT), b"{broken"])
    for arguments in (["--history", history, more], ["--history", history, "--history", more]):
        result = run("A", "--format", "json", *arguments)
        assert msgspec.json.decode(result.stdout, type=DefectReport).counts.defects == 4
        assert f"rejected  {more}:2: malformed_json" in result.stderr


def test_nothing_to_report(tmp_path: Path) -> None:
    file = written(tmp_path / "good.ndjson", [shipped("1", SHIPPED_AT), tracked("1", SHIPPED_AT)])
    assert vtr("A", "--history", file).splitlines()[2] == "VTR 100.00%: no defects among 1 counted; 0 pending, 0 exempt"
    assert "nothing is counted" in vtr("A", "--history", file, "--category", "X")


def test_what_is_not_there_is_one_line(history: Path) -> None:
    for seller, said in (("C", "there is no seller C in {}"), ("a", "there is no seller a in {}; did you mean A?")):
        result = run(seller, "--history", history)
        assert isinstance(result.exception, CommandError)
        assert str(result.exception) == said.format(history)
    result = run("A", history)
    assert result.exit_code == 2
    assert f"give history files after --history, as in --history {history}" in result.output
