"""The report as CSV that can be opened in a spreadsheet without running what a seller's data says.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and one that cuts lines at
semicolons or tabs finds such beginnings inside a value too. An apostrophe is put before each of them, which makes it
text; all cells are quoted, and nothing else is changed, so a CSV reader gets every value whole.
https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
import io
import re
from collections.abc import Iterator

from stream.report.defects import Defect, DefectReport

COLUMNS = (
    "order_id",
    "shipment_id",
    "marketplace",
    "category",
    "carrier",
    "tracking_number",
    "ship_from",
    "ship_method",
    "order_value",
    "currency",
    "shipped_at",
    "promised_delivery_by",
    "reason",
    "ambiguous",
    "what_to_do",
)

_FORMULA = re.compile(r"(^|[;\t\r\n])(['\"\s\x00-\x1f]*)(?=[=+\-@＝＋－＠])")
"""Where a cell begins or could be taken to begin, then what a spreadsheet may drop, then what makes it a formula (also
in the wide forms of East Asian input, which some take for the plain ones)."""

_CONTROL = re.compile(r"^(?=[\t\r\n])")
"""These too can make the rest of a cell a formula."""


def csv_of(report: DefectReport) -> bytes:
    """The defects as CSV in UTF-8 (RFC 4180), with a header line."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for defect in report.defects:
        writer.writerow([safe(value) for value in _values(defect)])
    return text.getvalue().encode()


def safe(value: str) -> str:
    """The value with an apostrophe before whatever a spreadsheet could take for a formula."""
    return _CONTROL.sub("'", _FORMULA.sub(r"\1\2'", value))


def _values(defect: Defect) -> Iterator[str]:
    value = defect.order_value
    yield defect.order_id
    yield defect.shipment_id
    yield defect.marketplace
    yield defect.category
    yield defect.carrier or ""
    yield defect.tracking_number or ""
    yield defect.ship_from or ""
    yield defect.ship_method or ""
    yield "" if value is None else f"{value.amount:f}"
    yield "" if value is None else value.currency
    yield f"{defect.shipped_at:%Y-%m-%dT%H:%M:%SZ}"
    yield f"{defect.promised_delivery_by:%Y-%m-%dT%H:%M:%SZ}"
    yield defect.reason
    yield "true" if defect.ambiguous else "false"
    yield defect.what_to_do
