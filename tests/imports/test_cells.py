"""What stands in one cell, in the ways in which stores and spreadsheets write it."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from stream.imports import cells
from stream.imports.cells import CellError, DayOrder


@pytest.mark.parametrize(
    ("cell", "day_order", "expected"),
    [
        ("2026-11-03T18:00:00+00:00", None, "2026-11-03T18:00:00+00:00"),
        ("2026-11-03T10:00:00-08:00", None, "2026-11-03T18:00:00+00:00"),
        ("2026-11-03T18:00:00Z", None, "2026-11-03T18:00:00+00:00"),
        ("2026-11-03T18:00:00.123Z", None, "2026-11-03T18:00:00.123000+00:00"),
        ("2026-11-03T18:00:00+ 00 :00", None, "2026-11-03T18:00:00+00:00"),
        ("2026-11-03 18:00", None, "2026-11-03T18:00:00+00:00"),
        ("2026-11-03", None, "2026-11-03T12:00:00+00:00"),
        ("2026/11/03", None, "2026-11-03T12:00:00+00:00"),
        ("14-07-2026T18:53:56+00:00", None, "2026-07-14T18:53:56+00:00"),
        ("05-17-2026", None, "2026-05-17T12:00:00+00:00"),
        ("7/14/2026", None, "2026-07-14T12:00:00+00:00"),
        ("7/14/2026 9:05", None, "2026-07-14T09:05:00+00:00"),
        ("03.04.2026", None, "2026-04-03T12:00:00+00:00"),
        ("03.04.2026", "month-first", "2026-04-03T12:00:00+00:00"),
        ("04-04-2026", None, "2026-04-04T12:00:00+00:00"),
        ("03-04-2026", "day-first", "2026-04-03T12:00:00+00:00"),
        ("03-04-2026", "month-first", "2026-03-04T12:00:00+00:00"),
    ],
)
def test_dates(cell: str, day_order: DayOrder | None, expected: str) -> None:
    assert cells.instant(cell, day_order).isoformat() == expected


def test_a_date_alone_is_as_late_on_its_day_as_is_asked_for() -> None:
    at = cells.instant("2026-11-03", None, without_time=timedelta(days=1, seconds=-1))
    assert at.isoformat() == "2026-11-03T23:59:59+00:00"


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "soon",
        "2026-02-30",
        "2026-11-03 25:00",
        "2026-11-03x",
        "31.02.2026",
        "13-13-2026",
        "9999-12-31T23:00:00-05:00",
        "1899-12-30",
        "45964",
    ],
)
def test_no_dates(cell: str) -> None:
    with pytest.raises(CellError, match="is not a date"):
        cells.instant(cell, "day-first")


def test_a_date_that_may_be_either_is_not_guessed() -> None:
    with pytest.raises(CellError, match="--dates day-first or --dates month-first"):
        cells.instant("03-04-2026", None)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("24.90", "24.90"),
        ("-6.5", "-6.5"),
        ("1500", "1500"),
        ("1,234.50", "1234.50"),
        ("24,90", "24.90"),
        ("1.234,50", "1234.50"),
        ("1,234", "1234"),
        ("1.234", "1.234"),
    ],
)
def test_amounts(cell: str, expected: str) -> None:
    assert cells.amount(cell) == Decimal(expected)


@pytest.mark.parametrize("cell", ["EUR 5", "1.2.3", "NaN", "1e5", "", "٣", "1,23,4", "9" * 13])
def test_no_amounts(cell: str) -> None:
    with pytest.raises(CellError):
        cells.amount(cell)


@pytest.mark.parametrize(
    ("parse", "cell", "expected"),
    [
        (cells.marketplace, "Amazon.co.uk", "UK"),
        (cells.marketplace, "amazon.com.be", "BE"),
        (cells.marketplace, "A1PA6795UKMFR9", "DE"),
        (cells.marketplace, "Non-Amazon DE", cells.NO_MARKETPLACE),
        (cells.fulfilled_by, "Merchant", "merchant"),
        (cells.fulfilled_by, "AFN", "marketplace"),
        (cells.status, "Shipped - Delivered to Buyer", "shipped"),
        (cells.status, "PARTIALLY_SHIPPED", "partly_shipped"),
        (cells.status, "Canceled", "cancelled"),
        (cells.country, "UK", "GB"),
        (cells.currency, "eur", "EUR"),
        (cells.quantity, "3", 3),
    ],
)
def test_codes(parse: Callable[[str], object], cell: str, expected: object) -> None:
    assert parse(cell) == expected


@pytest.mark.parametrize(
    ("parse", "cell"),
    [
        (cells.marketplace, "Amazon.xx"),
        (cells.fulfilled_by, "somebody"),
        (cells.status, "gone"),
        (cells.country, "Germany"),
        (cells.currency, "€"),
        (cells.quantity, "-1"),
    ],
)
def test_no_codes(parse: Callable[[str], object], cell: str) -> None:
    with pytest.raises(CellError, match=cell):
        parse(cell)
