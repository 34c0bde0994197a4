"""An explanation never disagrees with the verdict, and tells what the rules are from."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.events import Milestone, Money, OrderShipped, TrackingScanned, TrackingUploaded
from stream.places import MARKETPLACE_CODES
from stream.policy import Outcome, RulesPolicy, Step, explain
from stream.policy.load import known_sources
from stream.settings import Settings
from tests.policy.facts import BY_SCAN, NUMBER, POLICY, at, order, rules, scan, upload
from tests.test_engine_properties import examples

COUNTRIES = ["DE", "FR", "GB", "BE", "IE", "US", "CN", "IN", "CA", "JP", "AU", "AE", "BR", "PR", "HK"]
CARRIERS = ["UPS", "usps", " Royal Mail", "Deutsche Post", "Canada Post", "Australia Post", "Made Up Post", " ", ""]
METHODS = [
    "Großbrief",
    "Letter",
    "2nd Class Large Letter",
    "First-Class Mail Envelope",
    "Standard",
    "Digital",
    "Easy Ship",
]
NUMBERS = [NUMBER, "N/A", "1Z5R89390357567128", "028-1234567-7654321", "RR123456785DE"]
TURNS = [
    at(day)
    for day in ("2015-11-01", "2016-10-12", "2021-04-19", "2021-07-15", "2022-08-23", "2023-03-31", "2025-01-15")
]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> RulesPolicy:
    """Rules with all that the product's own do not use."""
    file = tmp_path_factory.mktemp("rules") / "strict.toml"
    file.write_text(
        rules(
            "strict",
            ["DE", "MX"],
            'reuse = { treatment = "defect", grade = "D", source = ["ours"] }\n',
            "from = 2024-01-01\n"
            'reuse = { treatment = "flagged", grade = "D", source = ["ours"] }\n'
            '[[strict.rules.exempt]]\nreason = "low_value"\nvalue = "<= 7.5 USD"\nnot_ship_to = ["DE"]\n'
            'grade = "D"\nsource = ["ours"]\n'
            '[[strict.rules.ambiguous]]\nopen = "?"\nservices = ["tracked"]\nvalue = "< 1000 JPY"\n'
            'grade = "D"\nsource = ["ours"]\n'
            '[[strict.rules.scans]]\nvalue = "< 8 EUR"\nneeds = ["delivery"]\ngrade = "D"\nsource = ["ours"]\n',
        ).replace('treatment = "counted"', 'treatment = "invalid", open = "?"', 1)
    )
    return RulesPolicy.of(Settings(policy_file=str(file), valid_when="scan", grace_hours=3))


def maybe(*values: str) -> st.SearchStrategy[str | None]:
    return st.none() | st.sampled_from(values)


def amounts() -> st.SearchStrategy[Decimal]:
    """Around the rules' bounds, and anywhere."""
    edges = [Decimal(n) for n in (0, 5, 10, 15, 20, 30, 50, 1000, 2000)]
    near = st.builds(
        lambda edge, cents: max(Decimal(0), edge + Decimal(cents) / 100), st.sampled_from(edges), st.integers(-2, 2)
    )
    return near | st.decimals(0, 10**6, places=6)


def instants() -> st.SearchStrategy[datetime]:
    near = st.builds(lambda turn, hours: turn + timedelta(hours=hours), st.sampled_from(TURNS), st.integers(-40, 40))
    anywhere = st.integers(0, 13 * 365 * 24 * 60).map(lambda minutes: at("2014-01-01") + timedelta(minutes=minutes))
    zones = st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-8))])
    return st.builds(lambda instant, zone: instant.astimezone(zone), near | anywhere, zones)


@st.composite
def facts(
    draw: st.DrawFn,
) -> tuple[OrderShipped, TrackingUploaded | None, list[TrackingScanned], datetime | None, bool]:
    shipped_at = draw(instants())
    money = st.builds(Money, amounts(), st.sampled_from(["EUR", "USD", "GBP", "JPY", "AUD", "PLN", "EGP", "XXX"]))
    shipped = OrderShipped(
        event_id="e1",
        event_time=shipped_at,
        seller_id="A1",
        order_id="028-1234567-7654321",
        shipment_id="s1",
        marketplace=draw(st.sampled_from([*sorted(MARKETPLACE_CODES), "BR-INTERNATIONAL", "Shop"])),
        shipped_at=shipped_at,
        fulfilled_by=draw(st.sampled_from(["merchant"] * 9 + ["marketplace"])),
        carrier=draw(maybe(*CARRIERS)),
        ship_method=draw(maybe(*METHODS)),
        order_value=draw(st.none() | money),
        ship_from=draw(maybe(*COUNTRIES)),
        ship_to=draw(maybe(*COUNTRIES)),
        promised_delivery_by=draw(st.none() | st.just(shipped_at + timedelta(days=draw(st.integers(0, 5))))),
    )
    tracking = None
    if draw(st.integers(0, 5)):
        tracking = upload(shipped, draw(maybe(*NUMBERS)), draw(maybe(*CARRIERS)))
    milestones = draw(st.lists(st.sampled_from(get_args(Milestone)), unique=True, max_size=4))
    scans = []
    for milestone in milestones:
        found = scan(milestone, "2024-01-01", draw(maybe(*NUMBERS)))
        found.event_time = shipped_at + timedelta(hours=draw(st.integers(-3, 3)))
        found.scanned_at = draw(st.none() | st.just(found.event_time))
        scans.append(found)
    entered_at = draw(st.none() | st.just(shipped_at + timedelta(hours=draw(st.integers(-3, 3)))))
    return shipped, tracking, scans, entered_at, draw(st.booleans())


Facts = tuple[OrderShipped, TrackingUploaded | None, list[TrackingScanned], datetime | None, bool]


def agree(policy: RulesPolicy, given: Facts) -> None:
    verdict = policy.rules_for(given[0]).judge(*given)
    steps = explain(policy, *given)
    assert steps[-1].verdict == verdict
    assert policy.rules_for(given[0]).judge(*given) == verdict, "the same again"
    fresh = RulesPolicy(policy.families, policy.rates, policy.overrides)
    assert fresh.rules_for(given[0]).judge(*given) == verdict, "whatever was judged before"


@given(facts())
@examples(150)
def test_the_explanation_comes_to_the_verdict(given: Facts) -> None:
    agree(POLICY, given)


@given(facts())
@examples(200)
def test_the_explanation_comes_to_the_verdict_by_scan(given: Facts) -> None:
    agree(BY_SCAN, given)


def test_the_explanation_comes_to_the_verdict_under_other_rules(strict: RulesPolicy) -> None:
    @given(facts())
    @examples(300)
    def check(given: Facts) -> None:
        agree(strict, given)

    run: Callable[[], None] = check
    run()


# --- What it says ----------------------------------------------------------------------------------------------------


def test_an_exempt_letter() -> None:
    shipped = order(
        "DE", "2026-03-01", "19.99 EUR", ship_from="DE", ship_to="FR", carrier="Deutsche Post", ship_method="Brief"
    )
    steps = explain(POLICY, shipped, None, (), None, False)
    assert [(step.check, step.result) for step in steps] == [
        ("rules", "info"),
        ("fulfilled_by", "passed"),
        ("exemption", "applies"),
        ("verdict", "info"),
    ]
    assert "amazon-de-2025-01-15" in steps[0].text
    assert "worth less than EUR 20" in steps[2].text
    assert (steps[2].grade, steps[2].source[0]) == ("R", "S9")
    assert steps[-1].text == "left out: low_value_letter"


def exemptions(shipped: OrderShipped) -> list[Step]:
    return [step for step in explain(POLICY, shipped, None, (), None, False) if step.check == "exemption"]


def test_why_a_rule_does_not_apply() -> None:
    shipped = order("DE", "2026-03-01", "21 EUR", ship_from="DE", ship_to="FR", ship_method="Brief")
    exemption, _ = exemptions(shipped)
    assert exemption.result == "does_not_apply"
    assert exemption.text.endswith(": it is not worth less than EUR 20 (it is worth EUR 21)")
    shipped = order("DE", "2026-03-01", "21 GBP", ship_from="DE", ship_to="FR", ship_method="Brief")
    exemption, _ = exemptions(shipped)
    assert exemption.text.endswith("(it is worth GBP 21, EUR 23.9644)"), "GBP 0.8763 for EUR 1"
    shipped = order("DE", "2026-03-01", "21 XXX", ship_from="DE", ship_to="FR", ship_method="Brief")
    exemption, _ = exemptions(shipped)
    assert "there is no rate for XXX on that day" in exemption.text


def test_a_reused_number_is_mentioned() -> None:
    shipped = order("DE", "2026-03-01", ship_from="DE", ship_to="FR")
    steps = explain(POLICY, shipped, upload(shipped), (), None, True)
    (reuse,) = [step for step in steps if step.check == "reuse"]
    assert reuse.result == "flagged"
    assert steps[-1].verdict is not None
    assert steps[-1].verdict.outcome is Outcome.VALID


def test_an_open_question_is_told_with_its_source() -> None:
    shipped = order("DE", "2026-03-01", ship_from="DE", ship_to="IE")
    steps = explain(POLICY, shipped, upload(shipped), (), None, False)
    (question,) = [step for step in steps if step.check == "open_question" and step.result == "applies"]
    assert "not this one" in question.text
    assert set(question.source) <= known_sources().keys()
    assert steps[-1].text == "valid; counted although the sources leave the rule open"


def test_missing_scans_are_told() -> None:
    shipped = order("US", "2026-03-01", ship_from="CN", ship_to="US")
    steps = explain(BY_SCAN, shipped, upload(shipped), [scan("delivered", "2026-03-09")], None, False)
    (scans,) = [step for step in steps if step.check == "scans"]
    assert scans.result == "pending"
    assert "seen: delivered" in scans.text
    assert "a scan on arrival at one of the carrier's facilities may be missing for 480 hours" in scans.text
