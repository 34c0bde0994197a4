"""Rules in plain words. They are made from the data, so that they cannot say anything else than it does."""

from collections.abc import Iterator

from stream.policy.compile import CompiledEntry
from stream.policy.conditions import Conditions
from stream.policy.load import known_sources
from stream.policy.model import Grade, ScanKind

_SERVICES = {"letter": "a letter", "untracked": "an untracked service", "tracked": "a tracked service"}
_ROUTES = {"domestic": "within one country", "cross_border": "from one country to another"}

_NEEDS: dict[ScanKind, str] = {
    "physical": "any scan by the carrier",
    "arrival": "a scan on arrival at one of the carrier's facilities",
    "delivery": "a scan of the delivery or of an attempt at it",
}

_UNKNOWN_CARRIERS = {
    "counted": "a shipment by an unknown carrier counts like any other",
    "left_out": "a shipment by a carrier that is not integrated is left out; an unknown carrier is taken for one",
    "invalid": "tracking by a carrier that is not integrated is invalid; an unknown carrier is taken for one",
}


def condition_words(rule: Conditions) -> dict[str, str]:
    """Each condition that a rule has, in words."""
    return dict(_conditions(rule))


def rule_words(rule: Conditions) -> str:
    """What a rule applies to, in words."""
    return ", ".join(condition_words(rule).values()) or "any shipment"


def _conditions(rule: Conditions) -> Iterator[tuple[str, str]]:
    if rule.route is not None:
        yield "route", _ROUTES[rule.route]
    if rule.between:
        yield "between", f"both ends among {_or(rule.between)}"
    if rule.not_between:
        yield "not_between", f"not both ends among {_or(rule.not_between)}"
    if rule.ship_from:
        yield "ship_from", f"from {_or(rule.ship_from)}"
    if rule.not_ship_from:
        yield "not_ship_from", f"from elsewhere than {_or(rule.not_ship_from)}"
    if rule.ship_to:
        yield "ship_to", f"to {_or(rule.ship_to)}"
    if rule.not_ship_to:
        yield "not_ship_to", f"to elsewhere than {_or(rule.not_ship_to)}"
    if rule.services:
        yield "services", f"sent as {_or([_SERVICES[service] for service in rule.services])}"
    if rule.ship_methods:
        yield "ship_methods", f"with the ship method {_or(rule.ship_methods)}"
    if rule.not_ship_methods:
        yield "not_ship_methods", f"with another ship method than {_or(rule.not_ship_methods)}"
    if rule.carriers:
        yield "carriers", f"by {_or(rule.carriers)}"
    if rule.carrier is not None:
        yield "carrier", f"by a carrier that is {'known' if rule.carrier == 'known' else 'not known'}"
    if rule.bound is not None:
        yield "value", f"worth {rule.bound}"


def _or(words: tuple[str, ...] | list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def needs_words(needs: tuple[ScanKind, ...]) -> str:
    """The scans that are needed, in words."""
    return " and ".join(_NEEDS[kind] for kind in needs)


def valid_words(entry: CompiledEntry) -> str:
    """What makes tracking valid, in words."""
    validity = entry.entry.validity
    text = "carrier and number are given, the number can be one of the carrier's, and it was not entered after delivery"
    if entry.valid_when == "tracking":
        return f"{text}; scans are not asked for"
    return (
        f"{text}; the first scan may be missing for {validity.scan_grace_hours} hours, all that are needed for "
        f"{validity.second_scan_grace_hours}"
    )


def unknown_carrier_words(entry: CompiledEntry) -> str:
    """What becomes of unknown carriers, in words."""
    return _UNKNOWN_CARRIERS[entry.entry.unknown_carrier.treatment]


def reuse_words(entry: CompiledEntry) -> str:
    """What a number that another shipment has means, in words."""
    return "is a defect" if entry.reuse_is_defect else "is mentioned, and changes nothing"


def dates_words(entry: CompiledEntry) -> str:
    """From when until when the rules hold, in words."""
    first, last = entry.entry.from_, entry.entry.until
    if first is None:
        return "at any time" if last is None else f"until {last}"
    return f"since {first}" if last is None else f"from {first} to {last}"


def source_words(grade: Grade, sources: tuple[str, ...]) -> str:
    """Where a rule is from, and how good that is."""
    return f"[{', '.join((grade, *sources))}]"


def source_address(source: str) -> str | None:
    """The page that a source's id stands for; None where the source is named itself."""
    return known_sources().get(source)
