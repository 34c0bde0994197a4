"""A flat file's form: which report it is, and its rows as cells by name.

Flat files are separated by tabs. The marketplace writes quotes as they are; spreadsheets put a cell with quotes in it
into quotes and double them. A row is a line: of one that a spreadsheet broke over two, what the first has is read.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stream.imports.facts import Place, Reject
from stream.imports.fields import Report, columns_of, load_fields

HEADER_WITHIN = 4
"""The template has a line about itself and one with local names above the header."""


class FlatFile(NamedTuple):
    """A recognised file. ``columns`` are the places of the cells by name, ``first`` is the number of its first row."""

    report: Report
    columns: Mapping[str, int]
    width: int
    lines: list[str]
    first: int


class Row(NamedTuple):
    """A row's cells that are not blank, by the name of what is read from them; ``given`` also has the blank ones."""

    line: int
    cells: dict[str, str]
    given: frozenset[str]
    text: str


def recognise(text: str) -> FlatFile | None:
    """The flat file of a text, by its header; None where no report has such a header."""
    # Not splitlines: what a marketplace's product names contain may look like the end of a line to it.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    fields = load_fields()
    for number, line in enumerate(lines[:HEADER_WITHIN]):
        header = [_name(cell) for cell in _cells(line)]
        for report, form in fields.reports.items():
            if form.header and set(form.header) <= set(header):
                columns = {
                    name: header.index(column) for name, column in columns_of(report).items() if column in header
                }
                return FlatFile(report, columns, len(header), lines[number + 1 :], number + 2)
    return None


def rows(file: str, flat: FlatFile, rejects: list[Reject]) -> Iterator[Row]:
    """The rows of a flat file; what has more cells than the header is added to ``rejects``."""
    for number, line in enumerate(flat.lines, flat.first):
        if not line.strip():
            continue
        cells = _cells(line)
        if len(cells) > flat.width and any(cells[flat.width :]):
            reason = f"it has {len(cells)} cells, and the header {flat.width}"
            rejects.append(Reject(Place(file, number), reason, line))
            continue
        named = {name: cells[index] for name, index in flat.columns.items() if index < len(cells)}
        yield Row(number, {name: cell for name, cell in named.items() if cell}, frozenset(named), line)


def _name(cell: str) -> str:
    """A column's name as ``fields.toml`` writes it: templates write ship_date and help pages merchant order-id."""
    return cell.lower().replace("_", "-").replace(" ", "-")


def _cells(line: str) -> list[str]:
    return [_unquoted(cell.strip()) for cell in line.split("\t")]


def _unquoted(cell: str) -> str:
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell
