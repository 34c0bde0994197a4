"""``vtr what-if``, as a shell sees it: examples small enough to count, and what is wrong on one line."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stream.settings import Settings, SettingsError
from stream.what_if import Variant
from tests.command import Done, vtr
from tests.policy.facts import at, rules
from tests.test_engine_properties import Line, shipped, to_json, tracked

NOON = at("2026-11-01T12:00:00")
HOUR = timedelta(hours=1)

LETTER: dict[str, object] = {
    "ship_from": "DE",
    "ship_to": "FR",
    "ship_method": "Brief",
    "carrier": "Deutsche Post",
    "order_value": {"amount": "9.90", "currency": "EUR"},
}


def scanned(shipment_id: str, at_hour: int) -> Line:
    return to_json(
        type="tracking-scanned",
        event_id="1",
        event_time=NOON + at_hour * HOUR,
        seller_id="A",
        shipment_id=shipment_id,
        milestone="in_transit",
    )


def parcels(count: int, untracked: int) -> list[Line]:
    """Parcels of one hour, the last of them without tracking."""
    lines = [shipped(str(n), NOON) for n in range(count)]
    return lines + [tracked(str(n), NOON + HOUR) for n in range(count - untracked)]


def later(hours: int) -> Line:
    """Time passes by another seller's parcel."""
    return shipped("z", NOON + hours * HOUR, seller_id="B", fulfilled_by="marketplace")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.ndjson"


def run(file: Path, lines: Sequence[Line], *arguments: object) -> Done:
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return vtr("what-if", str(file), *map(str, arguments))


def text(file: Path, lines: Sequence[Line], *arguments: object) -> str:
    done = run(file, lines, *arguments)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.decode().split())


def variant(file: Path, lines: Sequence[Line], *arguments: object) -> dict[str, Any]:
    done = run(file, lines, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    (only,) = json.loads(done.stdout)["variants"]
    found: dict[str, Any] = only
    return found


def test_a_lower_threshold(file: Path) -> None:
    """18 of 20 are valid: below 95 %, and exactly on 90 %, which passes."""
    history = [*parcels(20, 2), later(30)]
    found = variant(file, history, "--than", "threshold=0.9")
    scopes = [(each["marketplace"], each["category"]) for each in found["statuses"]]
    assert scopes == [("DE", "Home"), ("DE", None), (None, None)]
    for each in found["statuses"]:
        assert (each["baseline"]["status"], each["variant"]["status"]) == ("breached", "at_risk")
        assert each["baseline"]["live"]["vtr"] == each["variant"]["live"]["vtr"] == 0.9
    assert sorted((each["change"], (each["baseline"] or each["variant"])["type"]) for each in found["alerts"]) == [
        *[("appears", "vtr-at-risk")] * 3,
        *[("vanishes", "vtr-breached")] * 3,
    ]
    assert found["verdicts"] == []
    said = text(file, history, "--than", "threshold=0.9")
    assert "status: 3 scopes differ at the end" in said
    assert "A DE Home breached 90.00% of 20 → at_risk 90.00% of 20" in said
    assert "alerts: 3 appear, 3 vanish, 0 come at another time" in said
    assert "vanishes 2026-11-02 13:00 vtr-breached A DE Home 90.00% of 20" in said
    assert "verdicts: 0 shipments have another" in said


def test_valid_by_scan(file: Path) -> None:
    history = [*parcels(4, 1), scanned("0", 5), later(100)]
    found = variant(file, history, "--than", "valid_when=scan")
    (group,) = found["verdicts"]
    assert (group["baseline"]["outcome"], group["baseline"]["rule"]) == ("valid", None)
    assert (group["variant"]["outcome"], group["variant"]["reason"]) == ("defect", "no_scan")
    assert group["variant"]["rule"] == {
        "policy": "amazon-de-2025-01-15",
        "check": "scans",
        "text": "what is any shipment needs any scan by the carrier, "
        "the first within 72 hours after the hour of shipping",
        "source": ["N2"],
        "grade": "R",
    }
    assert group["shipments"][0] == {
        "seller_id": "A",
        "shipment_id": "1",
        "order_id": "order-1",
        "marketplace": "DE",
        "category": "Home",
        "live": True,
        "official": False,
    }
    assert [each["shipment_id"] for each in group["shipments"]] == ["1", "2"]
    assert found["totals"]["live"]["valid"] == 1
    assert "2 valid → defect no_scan (2 in the live window)" in text(file, history, "--than", "valid_when=scan")


@pytest.mark.parametrize(
    ("hours", "outcomes"),
    [(24, None), (30, ("defect", "pending")), (72, ("defect", "pending")), (73, None)],
)
def test_a_longer_grace(file: Path, hours: int, outcomes: tuple[str, str] | None) -> None:
    """The hour of shipping ends at 13:00. The grace of 24 hours ends a day after that, the one of 72 three days."""
    found = variant(file, [*parcels(3, 1), later(hours)], "--than", "grace_hours=72")
    pairs = [(each["baseline"]["outcome"], each["variant"]["outcome"]) for each in found["verdicts"]]
    assert pairs == ([] if outcomes is None else [outcomes])
    assert found["totals"]["live"]["pending"] == (hours < 73)
    for each in found["verdicts"]:
        assert [one["shipment_id"] for one in each["shipments"]] == ["2"]
        assert "24 hours after" in each["baseline"]["rule"]["text"]
        assert "72 hours (set, instead of 24)" in each["variant"]["rule"]["text"]


def test_a_policy_file_without_an_exemption(file: Path, tmp_path: Path) -> None:
    policy = tmp_path / "no letters.toml"
    policy.write_text(rules("no-letters", ["DE"], ""))
    history = [
        *(shipped(str(n), NOON, **LETTER) for n in range(3)),
        tracked("0", NOON + HOUR, tracking_number="RR123456785DE"),
        shipped("9", NOON),
        later(30),
    ]
    than = f"no letters: policy_file='{policy}'"
    found = variant(file, history, "--than", than)
    assert (found["name"], found["settings"]) == ("no letters", {"policy_file": str(policy)})
    defects, valid = found["verdicts"]
    exemption = defects["baseline"]["rule"]
    assert exemption == valid["baseline"]["rule"]
    assert exemption["check"] == "exemption"
    assert exemption["text"].startswith("left out as low_value_letter: it is from one country to another")
    assert exemption["source"] == ["S9", "N2", "N11", "N12"]
    assert defects["baseline"]["outcome"] == valid["baseline"]["outcome"] == "exempt"
    assert (defects["variant"]["outcome"], defects["variant"]["reason"]) == ("defect", "no_tracking")
    assert defects["variant"]["rule"]["policy"] == "no-letters"
    assert [one["shipment_id"] for one in defects["shipments"]] == ["1", "2"]
    assert (valid["variant"]["outcome"], valid["variant"]["rule"]) == ("valid", None)
    assert [one["shipment_id"] for one in valid["shipments"]] == ["0"]
    said = text(file, history, "--than", than)
    assert "2 exempt low_value_letter → defect no_tracking (2 in the live window)" in said
    assert "baseline amazon-de-2025-01-15: left out as low_value_letter" in said
    assert "[R, S9, N2, N11, N12]" in said
    assert "such as A 1, A 2" in said


def test_the_baseline_is_the_settings_as_given(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = [*parcels(20, 2), later(30)]
    monkeypatch.setenv("VTR_THRESHOLD", "0.9")
    assert variant(file, history, "--than", "warn_level=0.97")["statuses"] == []
    # Put back to the rules' own.
    own = variant(file, history, "--than", "threshold=")
    assert [each["variant"]["status"] for each in own["statuses"]] == ["breached"] * 3
    flag = variant(file, history, "--threshold", "0.95", "--than", "threshold=0.9")
    assert [each["variant"]["status"] for each in flag["statuses"]] == ["at_risk"] * 3


def test_long_lists_are_cut_in_the_text_only(file: Path) -> None:
    history = [*parcels(20, 2), later(30)]
    said = text(file, history, "--than", "threshold=0.9", "--limit", 1)
    assert said.count("→") == 1
    assert said.count("and 2 more") == 3


def test_what_is_rejected_is_said_too(file: Path) -> None:
    done = run(file, [*parcels(2, 0), b"{broken"], "--than", "threshold=0.9")
    assert done.returncode == 0
    assert f"rejected  {file}:5: malformed_json" in done.stderr.decode()


# --- Variants --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name", "settings"),
    [
        ("threshold=0.9", "threshold=0.9", {"threshold": "0.9"}),
        ("loose: threshold=0.9 warn_level=0.93", "loose", {"threshold": "0.9", "warn_level": "0.93"}),
        (
            "--grace-hours=72  VALID_WHEN=scan",
            "--grace-hours=72 VALID_WHEN=scan",
            {"grace_hours": "72", "valid_when": "scan"},
        ),
        (
            "policy='a b.toml' rates=c:d.csv",
            "policy='a b.toml' rates=c:d.csv",
            {"policy_file": "a b.toml", "rates_file": "c:d.csv"},
        ),
        ("own rules:threshold=", "own rules", {"threshold": ""}),
    ],
)
def test_variants_are_understood(given: str, name: str, settings: dict[str, str]) -> None:
    assert Variant.parse(given) == Variant(name=name, settings=settings)


def test_a_variant_changes_what_it_names_and_nothing_else() -> None:
    baseline = Settings(grace_hours=30, min_counted=5, lag_days=3)
    changed = Variant.parse("grace_hours= valid_when=scan threshold=0.9").applied(baseline)
    expected = Settings(min_counted=5, lag_days=3, valid_when="scan", threshold=changed.threshold)
    assert changed == expected
    assert str(changed.threshold) == "0.9"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "there is no setting in it"),
        ("name:", "there is no setting in it"),
        ("threshold", "expected setting=value, got `threshold`"),
        ("treshold=0.9", "`treshold` is none of the settings that can differ: policy_file, rates_file, valid_when,"),
        ("broker=kafka://x", "`broker` is none of the settings that can differ"),
        ("threshold=0.9 threshold=0.8", "`threshold` is given twice"),
        ("baseline: threshold=0.9", "`baseline` cannot be its name"),
        (": threshold=0.9", "`` cannot be its name"),
        ("policy='a", "no closing quotation"),
    ],
)
def test_what_is_no_variant_is_one_line(given: str, said: str) -> None:
    with pytest.raises(SettingsError, match=r"^variant ") as error:
        Variant.parse(given)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--than", "threshold=2"], "variant `threshold=2`: Expected a share from 0 to 1, got 2 - at `threshold`"),
        (["--than", "mine: valid_when=never"], "variant `mine`: Invalid enum value 'never' - at `valid_when`"),
        (
            ["--than", "grace_hours=soon"],
            "variant `grace_hours=soon`: Expected `int | null`, got `str` - at `grace_hours`",
        ),
        (["--than", "threshold=0.98"], "got 0.97 - at `warn_level`"),
        (["--than", "lag_days="] * 2, "variant `lag_days=`: there are two of that name"),
        (["--than", "policy=/nowhere.toml"], "cannot read policy file /nowhere.toml"),
        (["--than", "rates=/nowhere.csv"], "/nowhere.csv"),
        (["--than", "lag_days=2"], "/nowhere.ndjson"),
        ([], "--than"),
    ],
)
def test_an_error_is_one_line_that_names_its_cause(arguments: list[str], said: str) -> None:
    done = vtr("what-if", "/nowhere.ndjson", *arguments)
    error = done.stderr.decode()
    assert done.returncode == (1 if arguments else 2)
    assert error.startswith("vtr: ")
    assert error.count("\n") == 1
    assert said in error
