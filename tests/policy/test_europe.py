"""Amazon's stores in Europe, by worked examples."""

import pytest

from stream.policy import Outcome
from tests.policy.facts import Fields, fate, judge, order

NINE = ["DE", "FR", "IT", "ES", "NL", "PT", "PL", "AT", "SE"]
LETTER: Fields = {"carrier": "Deutsche Post", "ship_method": "Großbrief"}
BRITISH_LETTER: Fields = {"carrier": "Royal Mail", "ship_method": "2nd Class Letter"}


# --- Letters and cheap parcels across a border, since 2025-01-15 -----------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("19.99 EUR", "low_value_letter"),
        ("19.999999 EUR", "low_value_letter"),
        ("20.00 EUR", "counted"),
        ("20.01 EUR", "counted"),
        (None, "counted"),
        ("1 XXX", "counted"),
    ],
)
@pytest.mark.parametrize(("marketplace", "origin"), [("DE", "DE"), ("FR", "FR"), ("UK", "GB")])
def test_letters_across_a_border(marketplace: str, origin: str, value: str | None, expected: str) -> None:
    shipped = order(marketplace, "2025-01-15", value, ship_from=origin, ship_to="ES", **LETTER)
    assert fate(shipped) == expected


@pytest.mark.parametrize("country", NINE)
def test_the_nine_countries_of_the_notice(country: str) -> None:
    def cheap(marketplace: str, origin: str, destination: str) -> str:
        return fate(order(marketplace, "2025-06-01", "9 EUR", ship_from=origin, ship_to=destination, **LETTER))

    assert cheap("UK", "GB", country) == "low_value_letter"
    assert cheap("UK", country, "GB") == "low_value_letter"
    assert cheap("FR", "BE", country) == "ambiguous", "a later wording names Belgium"
    assert cheap("DE", "GB", country) == "ambiguous", "a later wording does not name the UK"
    if country != "DE":
        assert cheap("DE", "DE", country) == "low_value_letter"
        assert cheap("DE", country, "DE") == "low_value_letter"


@pytest.mark.parametrize("marketplace", ["UK", "DE", "FR"])
@pytest.mark.parametrize(
    ("origin", "destination", "value", "expected"),
    [
        ("DE", "FR", "19.99 EUR", "ambiguous"),
        ("DE", "FR", "20.00 EUR", "counted"),
        ("DE", "GB", "20.00 EUR", "counted"),
        ("DE", "BE", "80 EUR", "ambiguous"),
        ("IE", "GB", "80 EUR", "ambiguous"),
        ("DE", "US", "80 EUR", "ambiguous"),
        ("CN", "DE", "80 EUR", "counted"),
        ("DE", None, "80 EUR", "counted"),
        (None, "FR", "1 EUR", "counted"),
    ],
)
def test_parcels_across_a_border(
    marketplace: str, origin: str | None, destination: str | None, value: str, expected: str
) -> None:
    assert fate(order(marketplace, "2025-06-01", value, ship_from=origin, ship_to=destination)) == expected


def test_the_limit_converts_at_the_latest_rate_not_after_shipping() -> None:
    # The row of 2025-01-01 has GBP 0.82918 for EUR 1, so that EUR 20 are GBP 16.5836; that of 2025-02-01 has 0.83608,
    # so that they are GBP 16.7216.
    def pounds(on: str, amount: str) -> str:
        return fate(order("UK", on, f"{amount} GBP", ship_from="GB", ship_to="FR", **BRITISH_LETTER))

    assert pounds("2025-01-31T23:59:59", "16.58") == "low_value_letter"
    assert pounds("2025-01-31T23:59:59", "16.59") == "counted"
    assert pounds("2025-02-01T00:00:00", "16.72") == "low_value_letter"
    assert pounds("2025-02-01T00:00:00", "16.73") == "counted"


# --- The turn of 2025-01-15 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marketplace", ["UK", "DE", "FR", "IT", "ES", "NL", "PL", "SE"])
def test_carriers_before_and_after(marketplace: str) -> None:
    home = "GB" if marketplace == "UK" else marketplace
    unknown: Fields = {"carrier": "Made Up Post", "ship_from": home, "ship_to": home}
    before = judge(order(marketplace, "2025-01-14T23:59:59", **unknown))
    assert before == (Outcome.EXEMPT, "carrier_not_integrated", None, 0, False)
    assert judge(order(marketplace, "2025-01-15T00:00:00", **unknown)).outcome is Outcome.VALID
    assert judge(order(marketplace, "2025-01-15T00:30:00+01:00", **unknown)).outcome is Outcome.EXEMPT, "days are UTC's"
    without = order(marketplace, "2025-01-14", **unknown | {"carrier": " "})
    assert judge(without)[:3] == (Outcome.DEFECT, "no_carrier", None), "no carrier is not a foreign one"


def test_across_a_border_before_and_after() -> None:
    route: Fields = {"ship_from": "GB", "ship_to": "FR"}
    assert fate(order("UK", "2025-01-14", **route)) == "origin_not_covered"
    assert fate(order("UK", "2025-01-15", **route)) == "counted"
    route = {"ship_from": "DE", "ship_to": "FR"}
    for marketplace in ("DE", "FR"):
        assert fate(order(marketplace, "2025-01-14", **route)) == "ambiguous"
        assert fate(order(marketplace, "2025-01-15", **route)) == "counted"


@pytest.mark.parametrize(("marketplace", "home"), [("UK", "GB"), ("DE", "DE"), ("FR", "FR")])
def test_from_china_all_counts(marketplace: str, home: str) -> None:
    for on in ("2021-08-01", "2024-06-01", "2025-06-01"):
        assert fate(order(marketplace, on, ship_from="CN", ship_to=home)) == "counted"
    letter = order(marketplace, "2024-06-01", ship_from="CN", ship_to=home, **LETTER)
    assert fate(letter) == "ambiguous", "the exemptions for China could not be read"


# --- Within a country ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marketplace", "on", "method", "expected"),
    [
        ("UK", "2023-03-30", "2nd Class Letter", "untracked_service"),
        ("UK", "2023-03-30", "2nd Class Large Letter", "untracked_service"),
        ("UK", "2023-03-31", "2nd Class Letter", "ambiguous"),
        ("UK", "2023-03-31", "2nd Class Large Letter", "counted"),
        ("UK", "2023-03-31", "Tracked 48", "counted"),
        ("UK", "2025-01-15", "2nd Class Letter", "ambiguous"),
        ("UK", "2025-01-15", "2nd Class Large Letter", "counted"),
        ("FR", "2025-01-14", "Lettre verte", "untracked_service"),
        ("FR", "2025-01-14", "Colissimo", "counted"),
        ("FR", "2025-01-15", "Lettre verte", "ambiguous"),
        ("DE", "2025-01-14", "Großbrief", "ambiguous"),
        ("DE", "2025-01-15", "Großbrief", "counted"),
    ],
)
def test_letters_within_a_country(marketplace: str, on: str, method: str, expected: str) -> None:
    home = "GB" if marketplace == "UK" else marketplace
    carrier = {"UK": "Royal Mail", "FR": "La Poste", "DE": "Deutsche Post"}[marketplace]
    shipped = order(marketplace, on, ship_from=home, ship_to=home, carrier=carrier, ship_method=method)
    assert fate(shipped) == expected


@pytest.mark.parametrize(
    ("marketplace", "value", "expected"),
    [
        ("DE", "15.00 EUR", "low_value"),
        ("DE", "15.01 EUR", "counted"),
        ("DE", None, "counted"),
        ("PL", "60 PLN", "ambiguous"),
        ("PL", "70 PLN", "counted"),
        ("UK", "1 GBP", "counted"),
    ],
)
def test_cheap_parcels_within_a_country(marketplace: str, value: str | None, expected: str) -> None:
    home = "GB" if marketplace == "UK" else marketplace
    assert fate(order(marketplace, "2025-06-01", value, ship_from=home, ship_to=home)) == expected
