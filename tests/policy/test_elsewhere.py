"""Amazon's stores beyond Europe and the US, and marketplaces without rules of their own, by worked examples."""

from fractions import Fraction

import pytest

from stream.policy import Outcome
from tests.policy.facts import POLICY, Fields, at, fate, judge, order


def hour(day: str) -> int:
    return int(at(day).timestamp()) // 3600


# --- Japan -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("promised", "value", "expected"),
    [
        ("2022-08-22", "1999 JPY", "low_value"),
        ("2022-08-22", "2000 JPY", "counted"),
        ("2022-08-23", "999 JPY", "low_value"),
        ("2022-08-23", "999.99 JPY", "low_value"),
        ("2022-08-23", "1000 JPY", "counted"),
        ("2022-08-23", None, "counted"),
    ],
)
def test_japans_floors_by_the_promised_delivery(promised: str, value: str | None, expected: str) -> None:
    shipped = order("JP", "2022-08-20", value, ship_from="JP", ship_to="JP", promised_delivery_by=at(promised))
    assert fate(shipped) == expected


def test_without_a_promise_japans_floor_is_by_the_ship_time() -> None:
    assert fate(order("JP", "2022-08-22", "1500 JPY", promised_delivery_by=None)) == "low_value"
    assert fate(order("JP", "2022-08-23", "1500 JPY", promised_delivery_by=None)) == "counted"


def test_japans_floor_for_sellers_abroad_is_open() -> None:
    abroad: Fields = {"ship_from": "CN", "ship_to": "JP"}
    assert fate(order("JP", "2023-01-01", "999 JPY", **abroad)) == "low_value", "below either floor"
    assert fate(order("JP", "2023-01-01", "1500 JPY", **abroad)) == "ambiguous"
    assert fate(order("JP", "2023-01-01", "2000 JPY", **abroad)) == "counted"


# --- Canada, Australia, India, Brazil, the Gulf ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"carrier": "Canada Post", "ship_method": "Lettermail"}, "untracked_service"),
        ({"carrier": "Canada Post", "ship_method": "Expedited Parcel"}, "counted"),
        ({"carrier": "UPS", "ship_method": "Lettermail"}, "counted"),
        ({"ship_from": "CN"}, "ambiguous"),
        ({"ship_to": "US"}, "ambiguous"),
    ],
)
def test_canada(fields: Fields, expected: str) -> None:
    route: Fields = {"ship_from": "CA", "ship_to": "CA"}
    assert fate(order("CA", "2025-06-01", "80 CAD", **route | fields)) == expected


@pytest.mark.parametrize(
    ("value", "fields", "expected"),
    [
        ("29.99 AUD", {"carrier": "Australia Post", "ship_method": "Regular Letter"}, "low_value_letter"),
        ("30.00 AUD", {"carrier": "Australia Post", "ship_method": "Regular Letter"}, "counted"),
        ("29.99 AUD", {"carrier": "Australia Post", "ship_method": "Express Post"}, "counted"),
        ("29.99 AUD", {"carrier": "Australia Post", "ship_method": "Untracked"}, "ambiguous"),
        ("30.00 AUD", {"carrier": "Australia Post", "ship_method": "Untracked"}, "counted"),
        ("49.99 AUD", {"carrier": "Made Up Post", "ship_from": "NZ"}, "low_value"),
        ("50.00 AUD", {"carrier": "Made Up Post", "ship_from": "NZ"}, "counted"),
        ("49.99 AUD", {"carrier": "Made Up Post"}, "counted"),
        ("49.99 AUD", {"carrier": None, "ship_from": "NZ"}, "counted"),
        ("49.99 AUD", {"ship_from": "NZ"}, "counted"),
    ],
)
def test_australia(value: str, fields: Fields, expected: str) -> None:
    route: Fields = {"ship_from": "AU", "ship_to": "AU"}
    assert fate(order("AU", "2021-04-15", value, **route | fields)) == expected


def test_india() -> None:
    assert fate(order("IN", "2024-01-01")) == "counted"
    assert fate(order("IN", "2024-01-01", ship_method="Amazon Easy Ship")) == "ambiguous"
    assert fate(order("IN", "2024-01-01", carrier="Made Up Post")) == "ambiguous"


def test_brazils_international_orders_have_a_rate_of_their_own() -> None:
    assert POLICY.standard("BR", hour("2026-01-01")) == (Fraction(95, 100), "amazon-br")
    assert POLICY.standard("BR-INTERNATIONAL", hour("2026-01-01")) == (Fraction(85, 100), "amazon-br-international")
    assert (
        fate(order("BR-INTERNATIONAL", "2026-01-01", ship_from="CN", ship_to="BR", carrier="Made Up Post")) == "counted"
    )
    assert fate(order("BR", "2026-01-01", ship_from="CN", ship_to="BR")) == "ambiguous"
    assert fate(order("BR", "2026-01-01", ship_from="BR", ship_to="BR")) == "counted"
    assert fate(order("BR", "2026-01-01", carrier="Made Up Post")) == "carrier_not_integrated"


@pytest.mark.parametrize("marketplace", ["AE", "SA"])
def test_the_gulf_counts_what_crosses_a_border(marketplace: str) -> None:
    assert fate(order(marketplace, "2026-01-01", ship_from=marketplace, ship_to=marketplace)) == "origin_not_covered"
    assert fate(order(marketplace, "2026-01-01", ship_from="US", ship_to=marketplace)) == "counted"
    assert fate(order(marketplace, "2026-01-01", ship_to=marketplace)) == "counted"
    assert fate(order(marketplace, "2026-01-01", ship_from="US", ship_to=marketplace, carrier="Made Up")) == "ambiguous"


# --- No rules of their own -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marketplace", ["MX", "BE", "IE", "My own shop"])
def test_without_rules_all_that_the_merchant_fulfils_counts_flagged(marketplace: str) -> None:
    assert POLICY.standard(marketplace, hour("2026-01-01")) == (Fraction(95, 100), "default")
    assert fate(order(marketplace, "2026-01-01", "0.01 EUR", ship_from="CN", carrier="Made Up")) == "ambiguous"
    assert fate(order(marketplace, "2026-01-01", fulfilled_by="marketplace")) == "marketplace_fulfilled"
    assert judge(order(marketplace, "2026-01-01"), None) == (Outcome.AWAITING, "no_tracking", "UPS", 24, True)


def test_before_its_first_rules_a_marketplace_has_the_default() -> None:
    assert POLICY.standard("DE", hour("2021-04-18")).policy == "default"
    assert POLICY.standard("DE", hour("2021-04-19")).policy == "amazon-de-2021-04-19"
    assert fate(order("DE", "2021-04-18")) == "ambiguous"
    assert fate(order("DE", "2021-04-19")) == "counted"


def test_a_seller_over_all_marketplaces_is_held_to_the_default() -> None:
    assert POLICY.standard(None, hour("2026-01-01")) == (Fraction(95, 100), "default")
