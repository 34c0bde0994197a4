"""Exact amounts: dated reference rates, and bounds on a value that hold across currencies."""

import csv
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from math import ceil, floor
from pathlib import Path
from typing import Literal, NamedTuple

from stream.events import MAX_AMOUNT_DECIMALS, Money
from stream.policy.error import PolicyError

BASE = "EUR"
"""The currency that rates are against, as the European Central Bank publishes them."""

SHIPPED_RATES = Path(__file__).with_name("rates.csv")

_NO_RATE = ("", "N/A")
"""How the European Central Bank's file says that a currency has no rate on a day."""


class Rates:
    """Units of a currency for 1 EUR, by the day from which they hold (:meth:`datetime.date.toordinal`)."""

    def __init__(self, rates: Iterable[tuple[date, str, Decimal]]) -> None:
        by_currency: dict[str, dict[int, Decimal]] = {BASE: {1: Decimal(1)}}
        for day, currency, rate in rates:
            by_currency.setdefault(currency, {})[day.toordinal()] = rate
        self._days = {currency: sorted(dated) for currency, dated in by_currency.items()}
        self._rates = {
            currency: [dated[day] for day in self._days[currency]] for currency, dated in by_currency.items()
        }
        self._changes = sorted({day for days in self._days.values() for day in days})

    @classmethod
    def load(cls, file: Path | None = None) -> "Rates":
        """The rates of a file in the form of the European Central Bank's ``eurofxref-hist.csv``, ``#`` lines aside.

        Without a file: those that come with the product. Raises :class:`PolicyError`.
        """
        path = file or SHIPPED_RATES
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise PolicyError(f"cannot read rates file {path}: {reason}") from None
        return cls(_read(path.name, text))

    @property
    def currencies(self) -> frozenset[str]:
        """Every currency that has a rate on some day."""
        return frozenset(self._rates)

    def on(self, currency: str, day: int) -> Decimal | None:
        """The latest rate not after a day; None where there is none."""
        days = self._days.get(currency)
        if days is None:
            return None
        index = bisect_right(days, day)
        return self._rates[currency][index - 1] if index else None

    def convert(self, amount: Decimal, currency: str, to: str, day: int) -> Fraction | None:
        """The amount in another currency, exactly, at the rates of a day; None where a currency has none."""
        if currency == to:
            return Fraction(amount)
        from_rate, to_rate = self.on(currency, day), self.on(to, day)
        if from_rate is None or to_rate is None:
            return None
        return Fraction(amount) * Fraction(to_rate) / Fraction(from_rate)

    def period(self, day: int) -> int:
        """A number that is the same for days on which all rates are the same."""
        return bisect_right(self._changes, day)


def _read(name: str, text: str) -> Iterator[tuple[date, str, Decimal]]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line[0] != "#"]
    if not lines:
        raise PolicyError(f"{name}: there are no rates in it")
    header, *rows = csv.reader(line for _, line in lines)
    if header[0] != "Date" or len(set(header)) != len(header):
        raise PolicyError(f"{name}: the first line must be `Date` and then each currency once")
    for currency in header[1:]:
        # The bank's file ends its lines with a comma.
        if currency and not re.fullmatch("[A-Z]{3}", currency):
            raise PolicyError(f"{name}: `{currency}` is not an ISO 4217 code such as USD")
    seen: set[str] = set()
    for (number, _), row in zip(lines[1:], rows, strict=True):
        try:
            day = date.fromisoformat(row[0])
        except ValueError:
            raise PolicyError(f"{name}, line {number}: `{row[0]}` is not a date such as 2026-11-01") from None
        if row[0] in seen or len(row) > len(header):
            raise PolicyError(f"{name}, line {number}: `{row[0]}` {'comes twice' if row[0] in seen else 'is too long'}")
        seen.add(row[0])
        for currency, cell in zip(header[1:], row[1:], strict=False):
            if currency and cell.strip() not in _NO_RATE:
                yield day, currency, _rate(name, number, currency, cell.strip())


def _rate(name: str, number: int, currency: str, cell: str) -> Decimal:
    try:
        rate = Decimal(cell)
    except InvalidOperation:
        rate = Decimal(0)
    if not rate.is_finite() or rate <= 0:
        raise PolicyError(f"{name}, line {number}: `{cell}` is not a rate of {currency}")
    return rate


_BOUND = re.compile(r"(<=?) *(\d{1,12}(?:\.\d{1,6})?) *([A-Z]{3})", re.ASCII)


class Bound(NamedTuple):
    """A value that a package is worth less than, or at most."""

    sign: Literal["<", "<="]
    amount: Decimal
    currency: str

    @classmethod
    @cache
    def parse(cls, text: str) -> "Bound | None":
        """``< 20 EUR`` or ``<= 15.00 EUR``; None for anything else."""
        match = _BOUND.fullmatch(text.strip())
        return None if match is None else cls("<" if match[1] == "<" else "<=", Decimal(match[2]), match[3])

    def holds(self, value: Money, day: int, rates: Rates) -> bool | None:
        """Whether the value keeps to the bound at the rates of a day; None where its currency has no rate."""
        converted = self._in(value.currency, day, rates)
        if converted is None:
            return None
        return value.amount < converted if self.sign == "<" else value.amount <= converted

    def limit(self, currency: str | None, day: int, rates: Rates) -> Decimal | None:
        """The amount that is just too much, in another currency: what keeps to the bound is less, exactly.

        Amounts have at most six decimals, so this is the next such amount. None where a currency has no rate.
        """
        converted = None if currency is None else self._in(currency, day, rates)
        if converted is None:
            return None
        steps = converted * 10**MAX_AMOUNT_DECIMALS
        first_too_much = ceil(steps) if self.sign == "<" else floor(steps) + 1
        return Decimal(f"{first_too_much}E-{MAX_AMOUNT_DECIMALS}")  # arithmetic would round to the context's digits

    def _in(self, currency: str, day: int, rates: Rates) -> Fraction | None:
        return rates.convert(self.amount, self.currency, currency, day)

    def __str__(self) -> str:
        return f"{'less than' if self.sign == '<' else 'at most'} {self.currency} {self.amount}"
