"""Each condition of a rule: when it holds, and that it does not where what it asks is not known."""

import pytest

from stream.policy.conditions import Conditions, Facts

KNOWN = Facts.of("DE", "FR", (None, "UPS"), "Express Letter Box")
NOTHING = Facts.of(None, None, (None, " "), None)

HOLD = [
    Conditions(route="cross_border"),
    Conditions(between=("DE", "FR", "IT")),
    Conditions(not_between=("DE", "IT")),
    Conditions(ship_from=("DE", "IT")),
    Conditions(not_ship_from=("FR",)),
    Conditions(ship_to=("FR",)),
    Conditions(not_ship_to=("DE",)),
    Conditions(ship_methods=("*LETTER*",)),
    Conditions(not_ship_methods=("letter", "express")),
    Conditions(carriers=("UPS", "USPS")),
    Conditions(carrier="known"),
]

DO_NOT_HOLD = [
    Conditions(route="domestic"),
    Conditions(between=("DE", "IT")),
    Conditions(not_between=("DE", "FR", "IT")),
    Conditions(ship_from=("FR",)),
    Conditions(not_ship_from=("DE",)),
    Conditions(ship_to=("DE",)),
    Conditions(not_ship_to=("FR",)),
    Conditions(services=("letter",)),
    Conditions(ship_methods=("letter", "letter*")),
    Conditions(not_ship_methods=("*letter*",)),
    Conditions(carriers=("USPS",)),
    Conditions(carrier="unknown"),
]


def name(conditions: Conditions) -> str:
    return " ".join(f"{key}={value}" for key in conditions.__struct_fields__ if (value := getattr(conditions, key)))


@pytest.mark.parametrize("conditions", HOLD, ids=name)
def test_holds(conditions: Conditions) -> None:
    assert conditions.hold(KNOWN)
    assert conditions.unmet(KNOWN) == []


@pytest.mark.parametrize("conditions", DO_NOT_HOLD, ids=name)
def test_does_not_hold(conditions: Conditions) -> None:
    assert not conditions.hold(KNOWN)
    (unmet,) = conditions.unmet(KNOWN)
    assert getattr(conditions, unmet)


@pytest.mark.parametrize("conditions", [*HOLD, *DO_NOT_HOLD], ids=name)
def test_nothing_holds_of_what_is_not_known(conditions: Conditions) -> None:
    assert not conditions.hold(NOTHING)


def test_services() -> None:
    assert Conditions(services=("untracked", "letter")).hold(Facts.of(None, None, ("Deutsche Post", None), "Brief"))
    assert Conditions(services=("tracked",)).hold(Facts.of(None, None, (None, None), "Tracked 48"))


@pytest.mark.parametrize("method", ["letter [untracked]", "letter?", "a [!b] c"])
def test_only_the_star_stands_for_other_text(method: str) -> None:
    facts = Facts.of(None, None, (None, None), method.upper())
    assert Conditions(ship_methods=(method,)).hold(facts)
    assert Conditions(ship_methods=(f"*{method[-4:]}",)).hold(facts)
    assert not Conditions(ship_methods=("letters", "letter u", "a x c", "letter?x")).hold(facts)
    assert not Conditions(ship_methods=("letter??????????", "letter [a-z]*", "?*")).hold(facts)


def test_all_must_hold() -> None:
    assert Conditions(route="cross_border", ship_from=("DE",)).hold(KNOWN)
    assert not Conditions(route="cross_border", ship_from=("FR",)).hold(KNOWN)
    assert Conditions().hold(NOTHING), "nothing is asked"


def test_a_carrier_that_is_not_known_is_one_that_is_given() -> None:
    assert Conditions(carrier="unknown").hold(Facts.of(None, None, ("Made Up", None), None))
