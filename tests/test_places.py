"""Countries and marketplaces mean what a seller means."""

import pytest

from stream.places import MARKETPLACE_CODES, canonical_country, canonical_marketplace, marketplace_country


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("DE", "DE"),
        ("de", "DE"),
        (" DE ", "DE"),
        ("UK", "UK"),
        ("GB", "UK"),
        ("gb", "UK"),
        ("A1PA6795UKMFR9", "DE"),
        ("A1F83G8C2ARO7P", "UK"),
        ("ATVPDKIKX0DER", "US"),
        (" atvpdkikx0der ", "US"),
        ("A1PA6795UKMFR8", "A1PA6795UKMFR8"),
        ("My shop ", "My shop"),
        ("BR-INTERNATIONAL", "BR-INTERNATIONAL"),
        (" ", ""),
    ],
)
def test_marketplaces(given: str, code: str) -> None:
    assert canonical_marketplace(given) == code
    assert canonical_marketplace(code) == code, "what is canonical stays"


def test_amazons_23_marketplaces_are_countries() -> None:
    assert len(MARKETPLACE_CODES) == 23
    assert all(marketplace_country(code) for code in MARKETPLACE_CODES)
    assert marketplace_country("UK") == "GB"


@pytest.mark.parametrize(("given", "code"), [("GB", "GB"), ("uk", "GB"), (" de", "DE"), ("EU", None), ("", None)])
def test_countries(given: str, code: str | None) -> None:
    assert canonical_country(given) == code
