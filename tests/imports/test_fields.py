"""``fields.toml`` says where everything comes from: nothing is left out, and its columns are the reports' own."""

import msgspec
import pytest

from stream.events import OrderShipped, TrackingScanned, TrackingUploaded
from stream.imports.fields import Report, columns_of, load_fields
from tests.imports.files import SAMPLES

NOT_IMPORTED = {"tracking-scanned": {"tracking_number", "carrier"}}
"""The API shows a package's status, and not of which number it is."""

SAMPLE_OF: dict[Report, str] = {
    "order_report": "order-report.txt",
    "all_orders": "all-orders.txt",
    "fulfilment_feed": "feed-2026-10-06.txt",
    "categories": "categories.txt",
}


@pytest.mark.parametrize("kind", [OrderShipped, TrackingUploaded, TrackingScanned])
def test_every_field_of_the_events_is_explained(kind: type[msgspec.Struct]) -> None:
    event = str(kind.__struct_config__.tag)
    explained = {
        name
        for field in load_fields().fields
        if event in field.event.split(", ") or field.event == "all events"
        for name in field.field.split(", ")
    }
    assert set(kind.__struct_fields__) - NOT_IMPORTED.get(event, set()) <= explained


@pytest.mark.parametrize("report", SAMPLE_OF)
def test_columns_are_those_of_the_report(report: Report) -> None:
    lines = (SAMPLES / SAMPLE_OF[report]).read_bytes().decode("latin-1").removeprefix("ï»¿").splitlines()
    header = lines[1] if lines[0].startswith("TemplateType") else lines[0]
    columns = set(header.replace("_", "-").split("\t"))
    # What the template and the shipping report do not have, but the order report may be given.
    optional = {"item-promotion-discount", "ship-promotion-discount"} if report == "order_report" else set()
    assert set(columns_of(report).values()) - columns == optional
    assert set(load_fields().reports[report].header) <= columns


def test_every_source_is_a_report() -> None:
    fields = load_fields()
    assert {report for field in fields.fields for report, _ in field.sources} == set(fields.reports)
    assert len({field.name for field in fields.fields}) == len(fields.fields)
