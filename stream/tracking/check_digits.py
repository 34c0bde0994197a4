"""Check digits: one function per algorithm, from the text that is protected to the character that protects it.

The texts are compact and of ASCII digits and capitals only, as a format's pattern has it; an algorithm for digits must
not be given letters.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

Weights = tuple[int, ...]
"""From the right: the first is that of the last character. They repeat as often as the text is long."""

CheckDigit = Callable[[str], str]
"""From the protected text to its check character."""

_VALUES: Final = bytes(
    code - 48 if 48 <= code <= 57 else (code - 63) % 10 if 65 <= code <= 90 else 0 for code in range(256)
)  # UPS counts letters on from A = 2, modulo 10.

_ALPHANUMERIC: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def mod10(weights: Weights) -> CheckDigit:
    """What fills the weighted sum of the digits up to a multiple of ten. Letters count as UPS counts them."""
    if len(weights) == 2:
        last, second = weights

        def alternating(text: str) -> str:
            values = text.encode().translate(_VALUES)
            return "0987654321"[(last * sum(values[::-2]) + second * sum(values[-2::-2])) % 10]

        return alternating

    step = -len(weights)

    def check(text: str) -> str:
        values = text.encode().translate(_VALUES)
        total = sum(weight * sum(values[-1 - place :: step]) for place, weight in enumerate(weights))
        return "0987654321"[total % 10]

    return check


def luhn(text: str) -> str:
    """ISO/IEC 7812-1: every second digit doubled, from the last on, and the digits of the products added up."""
    values = text.encode().translate(_VALUES)
    doubled = text[::-2].encode().translate(b"0246813579".rjust(58, b"0").ljust(256, b"0")).translate(_VALUES)
    return "0987654321"[(sum(doubled) + sum(values[-2::-2])) % 10]


def s10(text: str) -> str:
    """UPU S10: eight digits, weighted, modulo 11. Ten becomes 0 and eleven becomes 5."""
    a, b, c, d, e, f, g, h = text.encode()
    # The digits' codes serve as well as the digits: 48 times all weights is a multiple of 11.
    return "50987654321"[(8 * a + 6 * b + 4 * c + 2 * d + 3 * e + 5 * f + 9 * g + 7 * h) % 11]


def fedex(text: str) -> str:
    """FedEx Express: weights 1, 3, 7 from the right, modulo 11; ten becomes 0."""
    values = text.encode().translate(_VALUES)
    return "01234567890"[(sum(values[::-3]) + 3 * sum(values[-2::-3]) + 7 * sum(values[-3::-3])) % 11]


def mod7(text: str) -> str:
    """The remainder of the whole number by seven, as air waybills have it (IATA Resolution 600a)."""
    return "0123456"[int(text) % 7]


def iso7064_mod37_36(text: str) -> str:
    """ISO/IEC 7064 MOD 37,36 over digits and letters."""
    product = 36
    for character in text:
        product = ((product + _ALPHANUMERIC.index(character)) % 36 or 36) * 2 % 37
    return _ALPHANUMERIC[(37 - product) % 36]


class Algorithm(NamedTuple):
    """How a carrier's file names it, and where in a number it finds its text when the file does not say.

    ``end`` is where the check character stands and the text stops. ``weights`` is whether it takes weights.
    """

    make: Callable[[Weights], CheckDigit]
    weights: bool = False
    start: int = 0
    end: int = -1


ALGORITHMS: dict[str, Algorithm] = {
    "mod10": Algorithm(mod10, weights=True),
    # GS1 General Specifications, section 7.9: SSCC, GTIN and all that is built like them.
    "gs1": Algorithm(lambda _: mod10((3, 1))),
    # Between 1Z and the check digit.
    "ups": Algorithm(lambda _: mod10((1, 2)), start=2),
    "luhn": Algorithm(lambda _: luhn),
    "s10": Algorithm(lambda _: s10, start=2, end=10),
    "fedex": Algorithm(lambda _: fedex),
    "mod7": Algorithm(lambda _: mod7),
    "iso7064_mod37_36": Algorithm(lambda _: iso7064_mod37_36),
}
