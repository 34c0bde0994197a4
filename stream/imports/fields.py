"""Which report gives which field of the events, as ``fields.toml`` says it: the readers' columns, and what people are
shown."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

Report = Literal["orders_api", "order_report", "all_orders", "unshipped_orders", "fulfilment_feed", "categories"]

_FILE = Path(__file__).with_name("fields.toml")


class ReportForm(Struct, frozen=True, forbid_unknown_fields=True):
    """A report: its name, what it is for the marketplace, and the columns by which a flat file of it is recognised."""

    title: str
    is_: str = msgspec.field(name="is")
    header: tuple[str, ...] = ()


class FieldSource(Struct, frozen=True, forbid_unknown_fields=True):
    """What is read under ``name``: for which field of which event, from which columns of which reports, best first,
    and what is taken where none has it."""

    name: str
    event: str
    field: str
    sources: tuple[tuple[Report, str], ...]
    otherwise: str


class Fields(Struct, frozen=True, forbid_unknown_fields=True):
    """All of ``fields.toml``."""

    reports: Mapping[Report, ReportForm]
    fields: tuple[FieldSource, ...]


@cache
def load_fields() -> Fields:
    """The fields as they come with the product."""
    return msgspec.toml.decode(_FILE.read_bytes(), type=Fields)


@cache
def columns_of(report: Report, under: str = "") -> Mapping[str, str]:
    """The columns of a report by the name of what is read from them; in JSON those directly ``under`` a path."""
    return {
        field.name: column
        for field in load_fields().fields
        for source, column in field.sources
        if source == report and column.startswith(under) and "[" not in column[len(under) :]
    }


@cache
def ranks_of(name: str) -> Mapping[Report, int]:
    """How good each report is as a source of what is read under a name: 0 is best."""
    (field,) = (field for field in load_fields().fields if field.name == name)
    reports = dict.fromkeys(report for report, _ in field.sources)
    return {report: rank for rank, report in enumerate(reports)}
