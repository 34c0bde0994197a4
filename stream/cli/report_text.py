"""How people read a defect report on a terminal: by reason, most frequent first, with what to do about it."""

import textwrap
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from itertools import groupby

import click

from stream.cli.format import printable, rate_text, shortened
from stream.explain.standing import REASONS
from stream.report.defects import Defect, DefectReport

WIDTH = 110

_LONGEST_CELL = 36
"""Characters of a value in the table; JSON and CSV have the whole of it."""

_HEADINGS = (
    "promised",
    "order",
    "shipment",
    "carrier",
    "tracking number",
    "from",
    "method",
    "value",
    "marketplace",
    "category",
)


def report_lines(report: DefectReport) -> Iterator[str]:
    """The report line by line."""
    yield from _head(report)
    shared = _shared(report)
    hidden = shared.keys() | {"marketplace", "category"} - _unselected(report)
    if shared:
        yield f"all defects: {', '.join(f'{label} {printable(value)}' for label, value in shared.items())}"
    by_reason = sorted(report.defects, key=lambda defect: defect.reason)
    groups = [list(group) for _, group in groupby(by_reason, key=lambda defect: defect.reason)]
    for group in sorted(groups, key=lambda group: (-len(group), group[0].reason)):
        reason = group[0].reason
        yield ""
        yield f"{click.style(f'{reason} ×{len(group):,}', fg='red', bold=True)}  {REASONS[reason]}"
        yield from textwrap.wrap(group[0].what_to_do, WIDTH, initial_indent="  → ", subsequent_indent="    ")
        yield from _table(group, hidden)


def _head(report: DefectReport) -> Iterator[str]:
    counts = report.counts
    chosen = [("marketplace", report.marketplace), ("category", report.category), ("carrier", report.carrier)]
    only = "".join(f", {label} {printable(value)}" for label, value in chosen if value is not None)
    yield click.style(f"defects of seller {printable(report.seller_id)}{only}", bold=True)
    if report.window == "live":
        window = f"live window: shipped from {report.from_:%Y-%m-%d %H:%M} to before {report.to:%Y-%m-%d %H:%M}"
    else:
        last = report.to - timedelta(days=1)
        window = f"official window: delivery promised from {report.from_:%Y-%m-%d} to {last:%Y-%m-%d}"
    yield f"{window}, as of {report.as_of:%Y-%m-%d %H:%M}; all times are UTC"
    if not counts.counted:
        yield f"nothing is counted; {counts.pending:,} pending, {counts.exempt:,} exempt"
        return
    noun = "defect" if counts.defects == 1 else "defects"
    number = f"{counts.defects:,}" if counts.defects else "no"
    yield (
        f"VTR {rate_text(counts.vtr)}: {number} {noun} among {counts.counted:,} counted; "
        f"{counts.pending:,} pending, {counts.exempt:,} exempt"
    )


def _shared(report: DefectReport) -> dict[str, str]:
    """What is the same in several defects and was not asked for: said once, it needs no column."""
    values = {label: {getattr(defect, label) for defect in report.defects} for label in sorted(_unselected(report))}
    return {label: min(found) for label, found in values.items() if len(found) == 1 < len(report.defects)}


def _unselected(report: DefectReport) -> set[str]:
    chosen = {"marketplace": report.marketplace, "category": report.category}
    return {label for label, value in chosen.items() if value is None}


def _table(defects: Sequence[Defect], hidden: AbstractSet[str]) -> Iterator[str]:
    rows = [_cells(defect) for defect in defects]
    shown = [
        place for place, heading in enumerate(_HEADINGS) if heading not in hidden and any(row[place] for row in rows)
    ]
    widths = {place: max(len(_HEADINGS[place]), *(len(row[place]) for row in rows)) for place in shown}
    heading = "  ".join(_HEADINGS[place].ljust(widths[place]) for place in shown)
    yield click.style(f"  {heading}".rstrip(), dim=True)
    for row in rows:
        yield "  " + "  ".join((row[place] or "—").ljust(widths[place]) for place in shown).rstrip()


def _cells(defect: Defect) -> tuple[str, ...]:
    value = defect.order_value
    cells = (
        f"{defect.promised_delivery_by:%Y-%m-%d}",
        defect.order_id,
        _shipment(defect),
        defect.carrier,
        defect.tracking_number,
        defect.ship_from,
        defect.ship_method,
        None if value is None else f"{value.currency} {value.amount}",
        defect.marketplace,
        defect.category,
    )
    return tuple("" if cell is None else shortened(printable(cell), _LONGEST_CELL) for cell in cells)


def _shipment(defect: Defect) -> str | None:
    """The shipment's id, or how it goes on after the order's; nothing where it is the order's."""
    if defect.shipment_id == defect.order_id:
        return None
    rest = defect.shipment_id.removeprefix(defect.order_id)
    return defect.shipment_id if rest == defect.shipment_id else f"…{rest}"
