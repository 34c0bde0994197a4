"""Whether tracking is valid: the checks in their order, under the rules and with settings over them."""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from stream.engine.settings import EngineSettings
from stream.engine.status import Levels
from stream.policy import Outcome, Policy, RulesPolicy, Verdict
from stream.settings import Settings
from tests.policy.facts import BY_SCAN, NUMBER, POLICY, at, judge, order, rules, scan, upload

PARCEL = order("DE", "2026-03-01", ship_from="DE", ship_to="DE")
NOON = at("2026-03-01")


def verdict(
    number: str | None = NUMBER,
    carrier: str | None = "UPS",
    entered_at: datetime | None = NOON,
    delivered: str | None = None,
    reused: bool = False,
    policy: RulesPolicy = POLICY,
) -> Verdict:
    shipped = order("DE", "2026-03-01", ship_from="DE", ship_to="DE", carrier=carrier)
    scans = [scan("delivered", delivered)] if delivered else []
    return policy.rules_for(shipped).judge(shipped, upload(shipped, number), scans, entered_at, reused)


def test_valid() -> None:
    assert verdict() == Verdict(Outcome.VALID)


@pytest.mark.parametrize(("carrier", "named"), [("ups", "UPS"), (" Made Up ", "Made Up"), (" ", None), (None, None)])
def test_without_a_number_it_is_awaited_for_24_hours(carrier: str | None, named: str | None) -> None:
    awaited = Verdict(Outcome.AWAITING, "no_tracking", named, 24)
    assert verdict(None, carrier) == awaited
    shipped = order("DE", "2026-03-01", ship_from="DE", ship_to="DE", carrier=carrier)
    assert POLICY.rules_for(shipped).judge(shipped, None, (), None, False) == awaited


def test_defects_come_in_the_order_of_their_repair() -> None:
    late, delivered = at("2026-03-05"), "2026-03-04"
    assert verdict("N/A", None, late, delivered) == Verdict(Outcome.DEFECT, "no_carrier")
    assert verdict("N/A", "UPS", late, delivered) == Verdict(Outcome.DEFECT, "placeholder_number", "UPS")
    assert verdict("1Z5R89390357567128", "UPS", late, delivered) == Verdict(Outcome.DEFECT, "malformed_number", "UPS")
    assert verdict(NUMBER, "UPS", late, delivered) == Verdict(Outcome.DEFECT, "late_tracking", "UPS")


def test_the_carrier_of_the_upload_comes_first() -> None:
    shipped = order("DE", "2026-03-01", carrier="Made Up")

    def carrier(given: str | None) -> str | None:
        return POLICY.rules_for(shipped).judge(shipped, upload(shipped, "N/A", given), (), None, False).carrier

    assert carrier("united parcel service") == "UPS"
    assert carrier(None) == carrier(" ") == "Made Up"


@pytest.mark.parametrize(
    ("entered", "reason"),
    [
        ("2026-03-04T09:59:59", None),
        ("2026-03-04T10:00:00", None),
        ("2026-03-04T10:00:00.000001", "late_tracking"),
        ("2026-03-04T11:00:01+01:00", "late_tracking"),
    ],
)
def test_late_is_after_the_delivery(entered: str, reason: str | None) -> None:
    assert verdict(entered_at=at(entered), delivered="2026-03-04T10:00:00").reason == reason


def test_what_is_not_known_makes_nothing_late() -> None:
    assert verdict(entered_at=None, delivered="2026-03-02").outcome is Outcome.VALID
    shipped = PARCEL
    early = [scan("out_for_delivery", "2026-03-01T00:00"), scan("delivery_attempted", "2026-03-01T00:00")]
    assert judge(shipped, scans=early).outcome is Outcome.VALID


def test_the_time_of_a_scan_is_when_it_was_made() -> None:
    delivered = scan("delivered", "2026-03-09")
    delivered.scanned_at = at("2026-03-01T12:30")
    assert judge(PARCEL, scans=[delivered]).reason == "late_tracking", "entered at 13:00, reported days later"


def test_reuse_is_a_defect_only_where_a_rule_says_so(tmp_path: Path) -> None:
    shipped_with_the_product: Policy = POLICY
    assert not shipped_with_the_product.judges_reuse
    assert verdict(reused=True).outcome is Outcome.VALID
    file = tmp_path / "reuse.toml"
    file.write_text(rules("strict", ["DE"], 'reuse = { treatment = "defect", grade = "D", source = ["ours"] }'))
    policy = RulesPolicy.of(Settings(policy_file=str(file)))
    assert policy.judges_reuse
    assert verdict(reused=True, policy=policy)[:3] == (Outcome.DEFECT, "reused_number", "UPS")
    assert verdict(reused=False, policy=policy).outcome is Outcome.VALID


# --- Scans -----------------------------------------------------------------------------------------------------------


def test_scans_are_not_asked_for_unless_set() -> None:
    assert judge(PARCEL).outcome is Outcome.VALID
    assert judge(PARCEL, policy=BY_SCAN) == Verdict(Outcome.AWAITING, "no_scan", "UPS", 72)


@pytest.mark.parametrize(
    "milestone",
    [
        "carrier_received",
        "arrived_at_facility",
        "in_transit",
        "out_for_delivery",
        "delivery_attempted",
        "delivered",
        "returned",
    ],
)
def test_any_milestone_is_a_physical_scan(milestone: str) -> None:
    found = scan("delivered", "2026-03-02")
    found.milestone = milestone  # type: ignore[assignment]
    assert judge(PARCEL, scans=[found], policy=BY_SCAN).outcome is Outcome.VALID


def test_a_second_scan_may_take_20_days() -> None:
    shipped = order("US", "2026-03-01", ship_from="CN", ship_to="US")
    found = judge(shipped, scans=[scan("arrived_at_facility", "2026-03-02")], policy=BY_SCAN)
    assert found == Verdict(Outcome.AWAITING, "second_scan_missing", "UPS", 480)


def test_what_is_wrong_with_the_number_comes_before_scans() -> None:
    assert judge(PARCEL, "N/A", policy=BY_SCAN).reason == "placeholder_number"
    assert judge(PARCEL, None, policy=BY_SCAN).reason == "no_tracking"


# --- Settings over the rules -----------------------------------------------------------------------------------------


def test_settings_go_over_the_rules_of_all_marketplaces() -> None:
    policy = RulesPolicy.of(Settings(threshold=Decimal("0.9"), grace_hours=7, valid_when="scan"))
    for marketplace in ("DE", "BR-INTERNATIONAL", "MX", None):
        assert policy.standard(marketplace, 500_000).threshold == Fraction(9, 10)
    for marketplace in ("DE", "US", "MX"):
        assert judge(order(marketplace, "2026-03-01"), None, policy=policy).grace_hours == 7
        assert judge(order(marketplace, "2026-03-01"), policy=policy).reason == "no_scan"


# --- The example of the help pages -----------------------------------------------------------------------------------


def test_200_shipments_and_190_valid_make_95_per_cent() -> None:
    shipments = [
        order("DE", "2026-03-01", ship_from="DE", ship_to="FR", fulfilled_by="marketplace" if n < 40 else "merchant")
        for n in range(240)
    ]
    verdicts = [judge(shipped, "N/A" if n < 50 else NUMBER) for n, shipped in enumerate(shipments)]
    valid = sum(each.outcome is Outcome.VALID for each in verdicts)
    counted = sum(each.outcome is not Outcome.EXEMPT for each in verdicts)
    assert (valid, counted) == (190, 200)
    standard = POLICY.standard("DE", int((NOON + timedelta(days=3)).timestamp()) // 3600)
    assert standard == (Fraction(valid, counted), "amazon-de-2025-01-15")
    levels = Levels(standard, EngineSettings.of(Settings()))
    assert levels.status("ok", valid, counted) == "at_risk", "95 % passes"
    assert levels.status("ok", valid - 1, counted) == "breached"


# --- What is remembered ----------------------------------------------------------------------------------------------


def test_what_is_remembered_is_bounded_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.policy.judge._MOST_KINDS", 3)
    monkeypatch.setattr("stream.policy.judge._MOST_DECISIONS", 3)
    monkeypatch.setattr("stream.policy.judge._MOST_DAYS", 3)
    policy = RulesPolicy.of(Settings())
    days = [f"2025-01-{day:02}" for day in range(1, 29)]
    for on in [*days, *reversed(days)]:
        for carrier in ("UPS", "Made Up", f"Post of {on}"):
            shipped = order("DE", on, "9 EUR", ship_from="DE", ship_to="FR", carrier=carrier)
            assert judge(shipped, None, policy=policy) == judge(shipped, None)
    assert len(policy._kinds) <= 3
    assert len(policy._decisions) <= 3
