"""``vtr explain FILE…``, as a shell sees it."""

import json
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.cli import cli
from stream.cli.options import CommandError
from tests.policy.facts import at, rules
from tests.test_engine_properties import Line, shipped, to_json, tracked

SHIPPED_AT = at("2026-11-01T11:58:00")
HOUR = timedelta(hours=1)
NUMBER = "00340434161094042557"
OTHER_NUMBER = "00340434211748528828"
ELSEWHERE: dict[str, object] = {"seller_id": "B", "event_id": "x", "order_id": "order-9"}

LIFE: list[Line] = [
    shipped("1", SHIPPED_AT, event_id="s1", ship_from="DE", ship_to="DE", ship_method="Paket"),
    tracked("1", SHIPPED_AT + HOUR, event_id="t1", tracking_number="pending", carrier="DHL"),
    tracked("1", SHIPPED_AT + 2 * HOUR, event_id="t2", tracking_number=OTHER_NUMBER, carrier="DHL"),
    tracked("1", SHIPPED_AT + 3 * HOUR, event_id="t3", tracking_number=None),
    tracked("1", SHIPPED_AT + 30 * HOUR, event_id="t4", tracking_number=NUMBER, carrier="DHL"),
    tracked("1", SHIPPED_AT + 30 * HOUR, event_id="t4", tracking_number=NUMBER, carrier="DHL"),
    shipped("1", SHIPPED_AT + 31 * HOUR, event_id="s2", shipped_at=SHIPPED_AT, ship_from="DE", ship_to="DE"),
    to_json(
        type="tracking-scanned",
        event_id="d1",
        event_time=SHIPPED_AT + 40 * HOUR,
        seller_id="A",
        shipment_id="1",
        milestone="delivered",
        scanned_at=SHIPPED_AT + 29 * HOUR,
    ),
    shipped("2", SHIPPED_AT + 50 * HOUR, event_id="s3"),
    tracked("2", SHIPPED_AT + 51 * HOUR, event_id="t5", tracking_number=NUMBER.lower()),
    shipped("9", SHIPPED_AT + 52 * HOUR, **ELSEWHERE),
]
"""Corrected, taken back, late, delivered and reused; and another seller's."""


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return written(tmp_path / "history.ndjson", LIFE)


def written(file: Path, lines: Sequence[Line]) -> Path:
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["explain", *map(str, arguments)])


def vtr(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def document(*arguments: object) -> dict[str, object]:
    found: dict[str, object] = json.loads(vtr(*arguments, "--json"))
    return found


def error(*arguments: object) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, CommandError)
    return str(result.exception)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_timeline_tells_each_change_with_its_event(history: Path) -> None:
    timeline = document("A", "1", history)["timeline"]
    assert isinstance(timeline, list)
    told = [
        (change["at"], change["event_id"], change["shipment_id"], change["after"]["outcome"], change["after"]["reason"])
        for change in timeline
    ]
    assert told == [
        ("2026-11-01T11:58:00Z", "s1", "1", "pending", "no_tracking"),
        ("2026-11-01T12:58:00Z", "t1", "1", "defect", "placeholder_number"),
        ("2026-11-01T13:58:00Z", "t2", "1", "valid", None),
        ("2026-11-01T14:58:00Z", "t3", "1", "pending", "no_tracking"),
        ("2026-11-02T12:00:00Z", None, "1", "defect", "no_tracking"),
        ("2026-11-02T17:58:00Z", "t4", "1", "valid", None),
        ("2026-11-02T18:58:00Z", "s2", "1", "valid", None),
        ("2026-11-03T03:58:00Z", "d1", "1", "defect", "late_tracking"),
        ("2026-11-03T14:58:00Z", "t5", "2", "defect", "late_tracking"),
    ]
    assert timeline[0]["before"]["outcome"] == "not_shipped"
    assert timeline[3]["after"]["pending_until"] == "2026-11-02T12:00:00Z"
    assert timeline[6]["text"] == "corrected: method is — instead of Paket"


def test_it_tells_the_number_the_rules_and_the_windows(history: Path) -> None:
    found = document("A", "1", history, "--as-of", "2026-11-20T10:30:00Z")
    assert found["verdict"] == {
        "outcome": "defect",
        "reason": "late_tracking",
        "carrier": "DHL",
        "pending_until": None,
        "ambiguous": False,
    }
    assert found["tracking"] == {
        "number": NUMBER,
        "carrier": "DHL",
        "first_entered_at": "2026-11-02T17:58:00Z",
        "delivered_at": "2026-11-02T16:58:00Z",
        "is_late": True,
        "reused_by": [["order-2", "2"]],
        "reused_by_count": 1,
        "is_reuse_a_defect": False,
    }
    assert found["rules"] == {
        "policy": "amazon-de-2025-01-15",
        "title": "Amazon.de (Germany)",
        "threshold": 0.95,
    }
    assert found["live"] == {
        "from": "2026-10-21T11:00:00Z",
        "to": "2026-11-20T11:00:00Z",
        "enters_at": "2026-11-01T11:00:00Z",
        "leaves_at": "2026-12-01T11:00:00Z",
        "is_in": True,
    }
    assert found["official"] == {
        "from": "2026-10-12",
        "to": "2026-11-10",
        "day": "2026-11-01",
        "enters_on": "2026-11-11",
        "leaves_on": "2026-12-11",
        "is_in": True,
    }
    assert found["scopes"] == [["A", None, None], ["A", "DE", None], ["A", "DE", "Home"]]
    assert found["unchanged_events"] == 1
    checks = found["checks"]
    assert isinstance(checks, list)
    assert [check["check"] for check in checks if check["result"] == "failed"] == ["entered"]
    assert [check["check"] for check in checks if check["result"] == "flagged"] == ["reuse"]


def test_the_text_says_the_same(history: Path) -> None:
    text = flat(vtr("A", "1", history))
    assert "shipment 1 of seller A, as of 2026-11-03 15:58:00" in text
    assert "verdict: a defect: late_tracking (the tracking was entered after the delivery)" in text
    assert "tracking-uploaded t1: tracking number “pending” of DHL" in text
    assert "→ pending until 2026-11-02 12:00, then a defect: no_tracking" in text
    assert "2026-11-02 12:00:00 only time passed: the grace period is over → a defect: no_tracking" in text
    assert "tracking-uploaded t5: shipment 2 of another order has the same number 1 more event" in text
    assert "tracking-scanned d1: delivered 2026-11-02 16:58:00 → a defect: late_tracking" in text
    assert f"{NUMBER} (DHL), first entered 2026-11-02 17:58:00" in text
    assert "late: entered after the delivery at 2026-11-02 16:58:00" in text
    assert "reused, no defect by these rules, only mentioned: also on 2 (order order-2)" in text
    assert "amazon-de-2025-01-15" in text
    assert "1 more event of it said nothing new" in text
    assert "counted as a defect, until it leaves at 2026-12-01 11:00" in text
    assert "not in it yet, from 2026-11-11 on" in text
    assert "in the numbers of A, A DE, A DE Home" in text


def test_rules_can_make_reuse_a_defect(history: Path, tmp_path: Path) -> None:
    file = tmp_path / "strict.toml"
    file.write_text(rules("strict", ["DE"], 'reuse = { treatment = "defect", grade = "D", source = ["ours"] }\n'))
    text = flat(vtr("A", "2", history, "--policy", file))
    assert "verdict: a defect: reused_number" in text
    assert "reused, a defect by these rules: also on 1 (order order-1)" in text
    # The others go at some time, and with them the reuse.
    document_ = document("A", "2", history, "--policy", file, "--as-of", "2027-03-01")
    timeline = document_["timeline"]
    assert isinstance(timeline, list)
    assert (timeline[-1]["cause"], timeline[-1]["at"]) == ("reuse_over", "2026-12-13T03:00:00Z")
    assert document_["verdict_text"] == "valid"


def test_settings_decide(history: Path) -> None:
    longer = document("A", "1", history, "--as-of", "2026-11-02T12:30:00", "--grace-hours", "25", "--lag-days", "0")
    assert str(longer["verdict_text"]).startswith("pending until 2026-11-02 13:00")
    assert isinstance(longer["official"], dict)
    assert longer["official"]["is_in"] is True
    by_scan = document("A", "2", history, "--valid-when", "scan", "--threshold", "0.9")
    assert str(by_scan["verdict_text"]).startswith("pending until 2026-11-06 14:00, then a defect: no_scan")
    assert isinstance(by_scan["rules"], dict)
    assert by_scan["rules"]["threshold"] == 0.9


def test_any_order_and_any_split_gives_the_same_bytes(history: Path, tmp_path: Path) -> None:
    lines = list(LIFE)
    random.Random(7).shuffle(lines)  # noqa: S311 - an order, not a secret
    halves = [written(tmp_path / "a.ndjson", lines[:4]), written(tmp_path / "b.ndjson", lines[4:])]
    for arguments in (["A", "1"], ["A", "1", "--json"], ["A", "2"]):
        assert vtr(*arguments, history) == vtr(*arguments, *halves)


def test_a_shipment_that_is_not_known_as_shipped(tmp_path: Path) -> None:
    file = written(tmp_path / "lost.ndjson", [tracked("7", SHIPPED_AT)])
    text = flat(vtr("A", "7", file))
    assert "verdict: not counted: no order-shipped event of it is known" in text
    assert "tracking-uploaded 1: tracking number" in text
    found = document("A", "7", file)
    assert (found["rules"], found["live"], found["official"], found["checks"]) == (None, None, None, [])


def test_what_is_rejected_is_said_too(tmp_path: Path) -> None:
    file = written(tmp_path / "bad.ndjson", [LIFE[0], b"{broken"])
    result = run("A", "1", file)
    assert result.exit_code == 0
    assert f"rejected  {file}:2: malformed_json" in result.stderr
    assert "no order" not in result.stderr


@pytest.mark.parametrize(
    ("seller", "shipment", "said"),
    [
        ("C", "1", "there is no seller C in {file}"),
        ("a", "1", "there is no seller a in {file}; did you mean A?"),
        ("A", "order-2", "the seller A has no shipment order-2 in {file}; the order order-2 has the shipment 2"),
        ("A", "9", "the seller A has no shipment 9 in {file}; the seller B has one of that id"),
        ("A", "zzz", "the seller A has no shipment zzz in {file}"),
    ],
)
def test_what_is_not_there_is_one_line(history: Path, seller: str, shipment: str, said: str) -> None:
    assert error(seller, shipment, history) == said.format(file=history)


def test_an_order_with_several_shipments_names_them(tmp_path: Path) -> None:
    lines = [shipped(f"028-1-{n}", SHIPPED_AT + HOUR * (n == 3), order_id="028-1", event_id=str(n)) for n in (2, 1, 3)]
    file = written(tmp_path / "order.ndjson", lines)
    assert error("A", "028-1", file).endswith("the order 028-1 has the shipments 028-1-1, 028-1-2, 028-1-3")
    assert error("A", "028-1-4", file).endswith("; did you mean 028-1-1, 028-1-2, 028-1-3?")
    earlier = error("A", "028-1-3", file, "--as-of", SHIPPED_AT.isoformat())
    assert "(later events left out: 1)" in earlier
    assert error("A", "1", file, "--as-of", "2020-01-01").startswith("there are no events in")


def test_a_carrier_counts_though_no_number_comes_with_it(tmp_path: Path) -> None:
    file = tmp_path / "strict.toml"
    file.write_text(rules("strict", ["DE"], "").replace('treatment = "counted"', 'treatment = "left_out"', 1))
    lines = [
        shipped("1", SHIPPED_AT, carrier=None),
        tracked("1", SHIPPED_AT + HOUR, tracking_number=None, carrier="DHL"),
        tracked("1", SHIPPED_AT + 2 * HOUR, tracking_number=None, carrier="Made Up Post"),
    ]
    timeline = document("A", "1", written(tmp_path / "carrier.ndjson", lines), "--policy", file)["timeline"]
    assert isinstance(timeline, list)
    assert [(change["text"], change["after"]["reason"]) for change in timeline[1:]] == [
        ("tracking without a number", "no_tracking"),
        ("carrier of the tracking Made Up Post instead of DHL", "carrier_not_integrated"),
    ]
