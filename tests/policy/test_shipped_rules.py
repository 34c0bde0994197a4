"""The rules that come with the product: complete, dated and sourced."""

from datetime import date
from pathlib import Path

import pytest

from stream.policy.load import known_sources
from stream.policy.model import Entry, Grade
from tests.policy.facts import POLICY

ENTRIES = [(name, entry) for name, family in POLICY.families.items() for entry in family.rules]
IDS = [POLICY.families[name].policy_name(entry) for name, entry in ENTRIES]

DATES = {
    "US": ["2015-11-01", "2016-10-12", "2025-01-15"],
    "UK": ["2021-04-19", "2023-03-31", "2025-01-15"],
    "DE": ["2021-04-19", "2025-01-15"],
    **{code: ["2021-07-15", "2025-01-15"] for code in ("FR", "IT", "ES", "NL", "PL", "SE")},
    "CA": ["2021-01-01"],
    "JP": [None, "2022-08-23"],
    "AU": ["2021-04-15"],
    **{code: [None] for code in ("IN", "BR", "BR-INTERNATIONAL", "AE", "SA")},
}


def test_the_marketplaces_with_rules_and_their_dates() -> None:
    dates = {
        code: [None if entry.from_ is None else entry.from_.isoformat() for entry in family.rules]
        for family in POLICY.families.values()
        for code in family.marketplaces
    }
    assert dates == DATES


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=IDS)
def test_every_rule_has_known_sources_and_a_fitting_grade(name: str, entry: Entry) -> None:
    graded: list[tuple[tuple[str, ...], Grade]] = [
        (each.source, each.grade) for each in (entry.threshold, entry.grace, entry.validity, entry.unknown_carrier)
    ]
    graded += [(rule.source, rule.grade) for rule in (*entry.exempt, *entry.ambiguous, *entry.scans)]
    for sources, grade in graded:
        assert set(sources) <= known_sources().keys(), name
        if grade == "A":
            assert any(source.startswith("S") for source in sources), "the marketplace's own page is among them"
        if grade == "R":
            assert any(source.startswith(("N", "S")) for source in sources)


def test_every_source_is_used() -> None:
    used = {
        source
        for _, entry in ENTRIES
        for each in (entry.threshold, entry.grace, entry.validity, entry.unknown_carrier)
        for source in each.source
    }
    used |= {s for _, entry in ENTRIES for rule in (*entry.exempt, *entry.ambiguous, *entry.scans) for s in rule.source}
    assert used | {"S1", "S3"} == known_sources().keys()
    assert all(address.startswith("http") for address in known_sources().values())


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=IDS)
def test_nothing_is_left_out_on_the_word_of_third_parties(name: str, entry: Entry) -> None:
    assert {rule.grade for rule in entry.exempt} <= {"A", "R"}, name


def test_no_entry_begins_in_the_future() -> None:
    assert max(entry.from_ for _, entry in ENTRIES if entry.from_) <= date(2026, 11, 1)


def test_scans_are_not_asked_for_by_default() -> None:
    assert {entry.validity.when for _, entry in ENTRIES} == {"tracking"}


def test_rates_say_what_they_are() -> None:
    text = (Path(__file__).parents[2] / "stream/policy/rates.csv").read_text(encoding="utf-8")
    head = text.partition("Date,")[0]
    for said in ("European Central Bank", "World Bank", "last working day", "pegged"):
        assert said in head
