"""Is this tracking number valid for that carrier: the same rules for the hot path and for explaining."""

import re
import unicodedata
from itertools import combinations
from typing import Literal, NamedTuple

from stream.tracking.carriers import Carrier, Format
from stream.tracking.placeholders import is_compact_placeholder, is_placeholder

Problem = Literal["placeholder_number", "malformed_number"]
Certainty = Literal["check digit", "format", "plausible"]
"""What a verdict rests on. "plausible": no settled format of the carrier says more."""

LONGEST = 40
"""Characters of a compact number: piece identifiers have up to 35 (ISO/IEC 15459), DHL eCommerce's up to 39."""

_PLAUSIBLE = re.compile(rf"(?=.*[0-9])[A-Z0-9]{{6,{LONGEST}}}").fullmatch
# The shortest numbers that carriers print have seven or eight characters; six leaves room. All carriers use digits.

_IGNORED = str.maketrans("", "", " \t\r\n-./'\"()_")
# How numbers are grouped in print, what spreadsheets put around text, and the parentheses of GS1 identifiers.

_IGNORED_CATEGORIES = frozenset({"Zs", "Zl", "Zp", "Pd", "Cf", "Cc"})
"""Spaces, dashes and invisible characters of Unicode."""

_LOOK_ALIKES = {"O": "0", "I": "1", "L": "1"}

_MOST_LOOK_ALIKES = 6
"""Positions to try: more of them are words, and all their combinations too many."""


class Finding(NamedTuple):
    """The verdict on a compact number: the format that it fits or nearly fits, and what the verdict rests on."""

    problem: Problem | None
    format: Format | None
    certainty: Certainty


def number_problem(number: str, carrier: Carrier | None, order_id: str) -> Problem | None:
    """What is wrong with a tracking number, if anything. ``carrier`` None: one that is not known.

    Spaces, dashes, dots, slashes and case do not matter. Never raises, whatever the texts.
    """
    if carrier is not None:
        match = carrier.match(number)
        if match is not None:
            check = carrier.formats[match.lastindex - 1].check  # type: ignore[operator]  # one group always matches
            if check is None or check.passes(number):
                return "placeholder_number" if is_compact_placeholder(number, order_id) else None
    if is_placeholder(number, order_id):
        return "placeholder_number"
    return judge(compact(number), carrier).problem


def compact(number: str) -> str:
    """The number in capitals without what only groups it."""
    if not number.isascii():
        number = unicodedata.normalize("NFKC", number)
        number = "".join(c for c in number if unicodedata.category(c) not in _IGNORED_CATEGORIES)
    return number.upper().translate(_IGNORED)


def judge(number: str, carrier: Carrier | None) -> Finding:
    """The verdict on a compact number that is no placeholder."""
    if carrier is None:
        return _plausibility(number, None)
    best, near = fits(number, carrier)
    if best is not None:
        return Finding(None, best, certainty(best))
    if near is not None and near.settled:
        return Finding("malformed_number", near, "check digit")
    if near is None and carrier.complete:
        return Finding("malformed_number", None, "format")
    if repaired(number, carrier) is not None:
        return Finding("malformed_number", None, "check digit")
    return _plausibility(number, near)


def fits(number: str, carrier: Carrier) -> tuple[Format | None, Format | None]:
    """The format with the highest certainty that the number has, and one that only its check digit keeps it from."""
    best: Format | None = None
    near: Format | None = None
    for it in carrier.formats:
        if it.pattern.fullmatch(number) is None:
            continue
        if it.check is not None and not it.check.passes(number):
            if near is None or (it.settled and not near.settled):
                near = it
        elif best is None or _rank(it) > _rank(best):
            best = it
    return best, near


def certainty(fitting: Format) -> Certainty:
    """What a number of that format is known by."""
    if not fitting.settled:
        return "plausible"
    return "format" if fitting.check is None else "check digit"


def repaired(number: str, carrier: Carrier) -> str | None:
    """The number with as few letters O, I and L as possible read as digits, so that a check digit confirms it."""
    places = [place for place, character in enumerate(number) if character in _LOOK_ALIKES]
    if not 0 < len(places) <= _MOST_LOOK_ALIKES or len(number) > LONGEST:
        return None
    for count in range(1, len(places) + 1):
        for chosen in combinations(places, count):
            candidate = "".join(_LOOK_ALIKES[c] if place in chosen else c for place, c in enumerate(number))
            best, _ = fits(candidate, carrier)
            if best is not None and certainty(best) == "check digit":
                return candidate
    return None


def _rank(fitting: Format) -> tuple[bool, bool]:
    return fitting.settled, fitting.check is not None


def _plausibility(number: str, near: Format | None) -> Finding:
    return Finding(None if _PLAUSIBLE(number) else "malformed_number", near, "plausible")
