"""Which sellers get series of their own."""

import pytest

from stream.monitoring.sellers import MOST, Rated, SellerChoice
from stream.settings import SettingsError, load_settings

SELLERS = [
    Rated(0.5, -10, "A-small", 0, "ok"),
    Rated(0.9, -100, "B-bad", 0, "breached"),
    Rated(0.9, -500, "C-bad-and-large", 0, "breached"),
    Rated(0.95, -100, "D-on-the-threshold", 0, "at_risk"),
    Rated(1.0, -100, "E-good", 5, "ok"),
]


def chosen(value: str) -> list[str]:
    return [each.seller for each in SellerChoice.parse(value).of(SELLERS, 20)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        (" , ", []),
        ("E-good", ["E-good"]),
        ("E-good, A-small ,nobody,E-good", ["A-small", "E-good"]),
        ("worst:1", ["C-bad-and-large"]),
        ("worst:3", ["C-bad-and-large", "B-bad", "D-on-the-threshold"]),
        ("worst:100", ["C-bad-and-large", "B-bad", "D-on-the-threshold", "E-good"]),
    ],
)
def test_sellers_are_chosen_by_name_or_as_the_worst(value: str, expected: list[str]) -> None:
    assert chosen(value) == expected
    assert bool(SellerChoice.parse(value)) is bool(value.strip(" ,"))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        *((f"worst:{number}", "Expected worst:N with N from 1 to 100") for number in ("0", "101", "", "many", "-1")),
        (",".join(map(str, range(MOST + 1))), "Expected 100 sellers at most, got 101"),
    ],
)
def test_there_are_not_many(value: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"metrics_sellers": value}, environ={})
    assert words in str(caught.value)
    assert "metrics_sellers" in str(caught.value)
    assert len(SellerChoice.parse(",".join(map(str, range(MOST)))).names) == MOST


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", {}),
        ("A,C,nobody", {"A": 0, "C": 20}),
        ("worst:1", {"C": 20}),
        ("worst:3", {"C": 20, "D": 7, "B": 2}),
        ("worst:100", {"C": 20, "D": 7, "B": 2}),
    ],
)
def test_who_is_silent_is_named_too(value: str, expected: dict[str, int]) -> None:
    silences = {"A": 0, "B": 2, "C": 20, "D": 7, "E": 0}
    assert SellerChoice.parse(value).silent(silences) == expected
