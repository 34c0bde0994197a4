"""CSV that runs nothing when it is opened, and gives a CSV reader the values back."""

import csv
import io
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.engine.scope import counts
from stream.events import Money
from stream.report.defects import Defect, DefectReport
from stream.report.spreadsheet import COLUMNS, csv_of, safe
from tests.test_engine_properties import examples

AT = datetime(2026, 11, 1, tzinfo=UTC)


def a_report(*defects: Defect) -> DefectReport:
    return DefectReport(
        seller_id="A",
        marketplace=None,
        category=None,
        carrier=None,
        window="live",
        from_=AT,
        to=AT,
        as_of=AT,
        counts=counts((0, len(defects), 0, 0, 0)),
        defects=list(defects),
    )


def defect(text: str | None) -> Defect:
    return Defect(
        order_id=text or "1",
        shipment_id=text or "1",
        marketplace=text or "DE",
        category=text or "Home",
        carrier=text,
        tracking_number=text,
        ship_from="DE",
        ship_method=text,
        order_value=Money(Decimal("1E+3"), "EUR") if text else None,
        shipped_at=AT,
        promised_delivery_by=AT,
        reason="no_scan",
        ambiguous=True,
        what_to_do="Ask.",
    )


def read(data: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter, strict=delimiter == ","))


def test_all_of_it_comes_back() -> None:
    header, first, second = read(csv_of(a_report(defect('Büro, "x"; y\nz'), defect(None))))
    assert tuple(header) == COLUMNS
    assert first[COLUMNS.index("category")] == 'Büro, "x"; y\nz'
    assert dict(zip(header, second, strict=True)) == {
        "order_id": "1",
        "shipment_id": "1",
        "marketplace": "DE",
        "category": "Home",
        "carrier": "",
        "tracking_number": "",
        "ship_from": "DE",
        "ship_method": "",
        "order_value": "",
        "currency": "",
        "shipped_at": "2026-11-01T00:00:00Z",
        "promised_delivery_by": "2026-11-01T00:00:00Z",
        "reason": "no_scan",
        "ambiguous": "true",
        "what_to_do": "Ask.",
    }
    assert first[COLUMNS.index("order_value")] == "1000"
    assert csv_of(a_report()).count(b"\r\n") == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-", "'-"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        ("  =1", "  '=1"),
        ("\t=1", "'\t'=1"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ('"=1"', '"\'=1"'),
        ("a;=1", "a;'=1"),
        ('a;"=1"', 'a;"\'=1"'),
        ("a\n=1", "a\n'=1"),
        ("Garden - DIY", "Garden - DIY"),
        ("028-1234567-7654321", "028-1234567-7654321"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_what_is_made_safe(value: str, expected: str) -> None:
    assert safe(value) == expected


AWKWARD = st.text(st.sampled_from("=+-@＝\t\r\n;, \"'a1|\x0b\x00ä")) | st.text()
STARTS_A_FORMULA = re.compile(r"[\s\"'\x00-\x1f]*[=+\-@＝＋－＠]")


@given(AWKWARD)
@examples(150)
def test_no_cell_is_a_formula_wherever_lines_are_cut(text: str) -> None:
    data = csv_of(a_report(defect(text)))
    for cell in (cell for row in read(data)[1:] for cell in row):
        assert not is_formula(cell), cell
        assert not cell.startswith(("\t", "\r", "\n")), cell
    # As a spreadsheet does whose lists are cut at semicolons, with and without regard to quotes.
    for delimiter in (";", "\t"):
        for cell in (cell for row in read(data.replace(b"\x00", b""), delimiter) for cell in row):
            assert not is_formula(cell), cell
    for cell in re.split(r"[;\t\r\n]", data.decode()):
        assert not is_formula(cell), cell


def is_formula(cell: str) -> bool:
    """A cell that begins so, unless an apostrophe is there."""
    found = STARTS_A_FORMULA.match(cell)
    return found is not None and "'" not in found[0]


@given(AWKWARD)
@examples(100)
def test_without_the_apostrophes_the_value_is_whole(text: str) -> None:
    row = read(csv_of(a_report(defect(text or "1"))))[1]
    cell = row[COLUMNS.index("category")]
    assert cell.replace("'", "") == (text or "1").replace("'", "")
