"""What a package is worth to the rules: without tax and with shipping."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Final

from stream.events import Money
from stream.imports.facts import Order, Price, PricedRow
from stream.imports.fields import Report, ranks_of

TAX_APART: Final = frozenset({"US", "CA"})
"""Marketplaces whose prices are shown without tax. Elsewhere they contain it: the item tax is a part of the item price
(https://developer-docs.amazon.com/sp-api/docs/option-1-allow-amazon-to-create-invoices-for-you)."""

_CENT = Decimal("0.01")

_PER_ITEM: Final[tuple[Report, ...]] = ("orders_api", "order_report")
"""The reports that tell prices by item id."""


def package_value(order: Order, items: Mapping[str, int | None], marketplace: str) -> Money | None:
    """The value of the package with these items (none: the whole order); None where it is not known.

    Where the prices of its items are not known, it is that of the whole order: rather too high than too low, because a
    low value can exempt.
    """
    if items and not items.keys() >= order.items.keys():
        for report in _PER_ITEM:
            rows = _latest(order.rows, report)
            if items.keys() <= {row.item_id for row in rows}:
                return _sum((row for row in rows if row.item_id in items), marketplace, items)
    for report in ranks_of("item_price"):
        value = _sum(_latest(order.rows, report), marketplace, {})
        if value is not None:
            return value
    return None


def _latest(rows: Iterable[PricedRow], report: Report) -> list[PricedRow]:
    """The rows of a report as of its latest version of the order; one for each item where it has item ids."""
    own = [row for row in rows if row.report == report]
    version = max((row.version for row in own), default=None)
    # Rows that continue an item have no price.
    latest = sorted((row for row in own if row.version == version), key=lambda row: (row.price is not None, str(row)))
    if report not in _PER_ITEM:
        return latest
    return list({row.item_id: row for row in latest}.values())


def _sum(rows: Iterable[PricedRow], marketplace: str, items: Mapping[str, int | None]) -> Money | None:
    total = Fraction(0)
    currencies = set()
    for row in rows:
        if row.price is None:
            if row.quantity == 0:
                continue  # an item that was cancelled
            return None
        currencies.add(row.price.currency)
        units = items.get(row.item_id)
        share = Fraction(min(units, row.quantity), row.quantity) if units and row.quantity else Fraction(1)
        total += Fraction(_without_tax(row.price, marketplace)) * share
    if len(currencies) != 1:
        return None
    (currency,) = currencies
    cents = Decimal(-(-total.numerator * 100 // total.denominator)) * _CENT if total > 0 else Decimal(0)
    return Money(cents.quantize(_CENT, ROUND_CEILING), currency)


def _without_tax(price: Price, marketplace: str) -> Decimal:
    tax = Decimal(0) if marketplace in TAX_APART else price.item_tax + price.shipping_tax
    return price.item + price.shipping - price.discount - tax
