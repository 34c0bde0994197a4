"""Is this tracking number valid for that carrier."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import combinations
from typing import Final, Literal, NamedTuple

from stream.tracking.carriers import Carrier, Format
from stream.tracking.placeholders import is_compact_placeholder, is_placeholder

Problem = Literal["placeholder_number", "malformed_number"]
Certainty = Literal["check digit", "format", "plausible"]
"""What a verdict rests on. "plausible": no settled format of the carrier says more."""

SHORTEST: Final = 6
"""Characters of a compact number. Carriers print seven or more (DHL Global Forwarding's are of seven digits)."""
LONGEST: Final = 40
"""Characters of a compact number: piece identifiers have up to 35 (ISO/IEC 15459), DHL eCommerce's up to 39."""

# Every carrier's numbers have digits, if only one: GLS's have eight letters or digits.
_is_plausible: Final = re.compile(rf"(?=.*[0-9])[A-Z0-9]{{{SHORTEST},{LONGEST}}}").fullmatch

_IGNORED: Final = str.maketrans("", "", " \t\r\n-./'\"()_")
# How numbers are grouped in print, what spreadsheets put around text, and the parentheses of GS1 identifiers.
_IGNORED_CATEGORIES: Final = frozenset({"Zs", "Zl", "Zp", "Pd", "Cf", "Cc"})
"""Spaces, dashes and invisible characters of Unicode."""

_LOOK_ALIKES: Final = {"O": "0", "I": "1", "L": "1"}
_MOST_LOOK_ALIKES: Final = 6
"""Places to try: where more letters look like digits, they are words."""


class Finding(NamedTuple):
    """The verdict on a compact number: the format that it has, but for a check digit perhaps, and what it rests on."""

    problem: Problem | None
    format: Format | None
    certainty: Certainty


def number_problem(number: str, carrier: Carrier | None, order_id: str) -> Problem | None:
    """What is wrong with a tracking number, if anything. ``carrier`` None: one that is not known.

    Spaces, dashes, dots, slashes and case do not matter. Never raises, whatever the texts.
    """
    # A number as its carrier prints it passes here, without being taken apart.
    if carrier is None:
        passes = _is_plausible(number) is not None
    elif (match := carrier.match(number)) is None:
        passes = False
    elif (check := carrier.checks[match.lastindex or 0]) is None:
        passes = True
    else:
        compute, protected, place = check
        passes = compute(number[protected]) == number[place]
    if passes:
        return "placeholder_number" if is_compact_placeholder(number, order_id) else None
    if is_placeholder(number, order_id):
        return "placeholder_number"
    plain = compact(number)
    if plain != number and plain.isascii():
        return number_problem(plain, carrier, order_id)
    return judge(plain, carrier).problem


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
    if best is not None and best.is_sure:
        return Finding(None, best, certainty(best))
    if best is None and near is not None and near.settled:
        return Finding("malformed_number", near, "check digit")
    if best is None and near is None and carrier.complete:
        return Finding("malformed_number", None, "format")
    if any(certainty(it) == "check digit" for _, it in misread(number, carrier)):
        return Finding("malformed_number", None, "check digit")
    return Finding(None, best, "plausible") if best is not None else _plausibility(number, near)


def fits(number: str, carrier: Carrier) -> tuple[Format | None, Format | None]:
    """The format of the highest certainty that the number has, and the one that only its check digit keeps it from."""
    best: Format | None = None
    near: Format | None = None
    for it in carrier.formats:
        if it.pattern.fullmatch(number) is None:
            continue
        if it.check is not None and it.check.expected(number) != it.check.found(number):
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


def misread(number: str, carrier: Carrier) -> Iterator[tuple[str, Format]]:
    """The number with letters O, I and L read as digits, wherever that makes it one of the carrier's; fewest first."""
    if _LOOK_ALIKES.keys().isdisjoint(number):
        return
    places = [place for place, character in enumerate(number) if character in _LOOK_ALIKES]
    if len(places) > _MOST_LOOK_ALIKES or len(number) > LONGEST:
        return
    for count in range(1, len(places) + 1):
        for chosen in combinations(places, count):
            candidate = "".join(_LOOK_ALIKES[c] if place in chosen else c for place, c in enumerate(number))
            best, _ = fits(candidate, carrier)
            if best is not None:
                yield candidate, best


def _rank(fitting: Format) -> tuple[bool, bool]:
    return fitting.settled, fitting.check is not None


def _plausibility(number: str, near: Format | None) -> Finding:
    return Finding(None if _is_plausible(number) else "malformed_number", near, "plausible")
