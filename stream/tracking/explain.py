"""Why a tracking number is or is not valid, in plain sentences for the seller who has to mend it."""

import re
from collections.abc import Iterator

from msgspec import Struct

from stream.tracking.carriers import Carrier, Format, known_carriers
from stream.tracking.numbers import (
    LONGEST,
    SHORTEST,
    Certainty,
    Finding,
    Problem,
    certainty,
    compact,
    fits,
    judge,
    misread,
    number_problem,
)
from stream.tracking.placeholders import is_placeholder

_LONGEST_TEXT = 500
"""Characters. A longer text is not searched for a number inside it."""

_MOST_LOST_ZEROS = 4

_ROUNDED = re.compile(r"[0-9][.,]?[0-9]*E\+?[0-9]{2}", re.IGNORECASE)
"""How a spreadsheet writes a number of more than 15 digits."""


class NumberReport(Struct, frozen=True, kw_only=True):
    """All there is to say about one tracking number.

    ``format`` is the format that it has, or has but for its check digit; ``certainty`` is what the verdict rests on;
    ``suggestion`` is the number that was probably meant; ``looks_like`` names other known carriers with such numbers.
    """

    number: str
    compact: str
    carrier: str | None
    problem: Problem | None
    sentence: str
    certainty: Certainty
    format: str | None = None
    check_digit_expected: str | None = None
    check_digit_found: str | None = None
    probable_error: str | None = None
    suggestion: str | None = None
    looks_like: tuple[str, ...] = ()


def explain_number(number: str, carrier: Carrier | None, order_id: str) -> NumberReport:
    """The same verdict as :func:`stream.tracking.number_problem`, and the reasons for it. Never raises."""
    plain = compact(number)
    if is_placeholder(number, order_id) or (plain.isascii() and is_placeholder(plain, order_id)):
        finding = Finding("placeholder_number", None, "plausible")
        sentence = "This stands where a tracking number should be, and is none."
        error = suggestion = None
    else:
        finding = judge(plain, carrier)
        sentence = _sentence(plain, carrier, finding)
        suggestion, error = _probable_error(number, plain, carrier, order_id, finding)
    check = finding.format.check if finding.format is not None else None
    return NumberReport(
        number=number,
        compact=plain,
        carrier=carrier.name if carrier is not None else None,
        problem=finding.problem,
        sentence=sentence,
        certainty=finding.certainty,
        format=finding.format.name if finding.format is not None else None,
        check_digit_expected=check.expected(plain) if check is not None else None,
        check_digit_found=check.found(plain) if check is not None else None,
        probable_error=error,
        suggestion=suggestion,
        looks_like=() if finding.problem == "placeholder_number" else _looks_like(plain, carrier),
    )


def _sentence(number: str, carrier: Carrier | None, finding: Finding) -> str:
    if finding.problem is None:
        return _praise(carrier, finding)
    if finding.certainty == "plausible":
        return f"No tracking number has this form: {_implausible(number)}."
    assert carrier is not None  # noqa: S101  # an unknown one is only ever held to plausibility
    form = finding.format
    if form is None or form.check is None:
        return f"None of the forms that {carrier.name} prints fits."
    expected, found = form.check.expected(number), form.check.found(number)
    return f"{_form(form)} would have the check digit {expected}, not {found}."


def _praise(carrier: Carrier | None, finding: Finding) -> str:
    if carrier is None:
        return "The carrier is not known, so that the number is only plausible."
    if finding.format is None or not finding.format.settled:
        return f"Plausible: no published form of {carrier.name} says more."
    if finding.format.check is None:
        return f"{_form(finding.format)}, which has no check digit that is known."
    return f"{_form(finding.format)}, and its check digit is right."


def _form(form: Format) -> str:
    return f"A number of {form.carrier} ({form.name})"


def _implausible(number: str) -> str:
    if len(number) < SHORTEST:
        return f"it has {len(number)} characters, fewer than {SHORTEST}"
    if len(number) > LONGEST:
        return f"it has {len(number)} characters, more than {LONGEST}"
    if not (number.isascii() and number.isalnum()):
        return "it has characters that are neither letters A to Z nor digits"
    return "it has no digit" if not any(map(str.isdigit, number)) else "a letter stands for a digit"


def _probable_error(
    number: str, plain: str, carrier: Carrier | None, order_id: str, finding: Finding
) -> tuple[str | None, str | None]:
    """What was probably meant, and what went wrong on the way; of several the simplest."""
    if carrier is None or (finding.problem is None and finding.certainty != "plausible"):
        return None, None
    if _ROUNDED.fullmatch(number.strip()):
        return None, "A spreadsheet has rounded the number: format the column as text."
    for candidate, form in misread(plain, carrier):
        if certainty(form) != "plausible":
            return candidate, _look_alike(plain, candidate)
    for candidate in _with_zeros(plain):
        best, _ = fits(candidate, carrier)
        if best is not None and certainty(best) == "check digit":
            return candidate, "Zeros are missing at the start, as when a spreadsheet takes the number for an amount."
    if finding.problem is not None and len(number) <= _LONGEST_TEXT:
        inside = {compact(part) for part in re.split(r"[^A-Za-z0-9]+", number)} - {plain}
        found = [part for part in inside if part and _is_sure(part, carrier, order_id)]
        if len(found) == 1:
            return found[0], "There is other text around the number."
        if found:
            return None, "There are several numbers in the place of one."
    return None, None


def _look_alike(plain: str, candidate: str) -> str:
    letters = sorted({f"{a} for {b}" for a, b in zip(plain, candidate, strict=True) if a != b})
    return f"A letter stands in the place of a digit: {', '.join(letters)}."


def _with_zeros(plain: str) -> Iterator[str]:
    if plain.isdigit():
        yield from ("0" * count + plain for count in range(1, _MOST_LOST_ZEROS + 1))


def _is_sure(part: str, carrier: Carrier, order_id: str) -> bool:
    best, _ = fits(part, carrier)
    return best is not None and certainty(best) != "plausible" and number_problem(part, carrier, order_id) is None


def _looks_like(plain: str, carrier: Carrier | None) -> tuple[str, ...]:
    """Other carriers with a format that the number has: those whose check digit it has, or else the others."""
    found: dict[Certainty, list[str]] = {"check digit": [], "format": [], "plausible": []}
    for other in known_carriers().carriers.values():
        if carrier is None or other.name != carrier.name:
            best, _ = fits(plain, other)
            if best is not None and best.carrier == other.name:
                found[certainty(best)].append(other.name)
    return tuple(sorted(found["check digit"] or found["format"]))
