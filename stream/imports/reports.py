"""The rows of the flat files as facts: the orders' reports, the fulfilment feed, categories."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from stream.imports import cells
from stream.imports.cells import DayOrder
from stream.imports.facts import Confirmed, Extract, Facts, Place, Price, PricedRow, Reject, Value
from stream.imports.fields import Report, columns_of
from stream.imports.flat_file import FlatFile, Row, rows
from stream.imports.row_reader import BadCellError, RowReader
from stream.shipment import EPOCH

END_OF_DAY = timedelta(days=1, seconds=-1)
"""A delivery promised for a date alone is promised until that day is over."""

OTHER_CARRIER = "other"
"""The carrier code that says: see the carrier's name."""

_REMOVED = "NULL"


class Source(NamedTuple):
    """A file to read: its name, how it writes dates, and when it was uploaded, where that is known."""

    file: str
    day_order: DayOrder | None = None
    uploaded_at: datetime | None = None


def read_flat_file(source: Source, flat: FlatFile, extract: Extract) -> int:
    """Take in a flat file. Returns the number of its rows. What cannot be used is added to the extract's rejects."""
    count = 0
    columns = columns_of(flat.report)
    for row in rows(source.file, flat, extract.rejects):
        count += 1
        reader, place = RowReader(row.cells, columns, source.day_order), Place(source.file, row.line)
        try:
            if flat.report == "categories":
                _read_category(reader, extract)
            elif flat.report == "fulfilment_feed":
                _read_confirmation(reader, source.uploaded_at, place, extract)
            elif not _is_continuation(flat.report, row):
                _read_order(flat.report, reader, place, extract)
        except BadCellError as error:
            extract.rejects.append(Reject(place._replace(column=error.column), error.reason, row.text))
    return count


def _is_continuation(report: Report, row: Row) -> bool:
    """Where an item has several promotions, the order report has further rows that are blank but for these."""
    return report == "order_report" and not {"order_id", "item_id", "item_price"} & row.cells.keys()


def _read_category(reader: RowReader, extract: Extract) -> None:
    sku, category = reader.required("sku", str), reader.required("category", str)
    extract.categories[sku] = min(category, extract.categories.get(sku, category))


def _read_order(report: Report, reader: RowReader, place: Place, extract: Extract) -> None:
    order_id, item_id = reader.order_id(), reader.item_id()
    version = reader.time("updated_at") or EPOCH
    quantity = reader.read("quantity", cells.quantity)
    sku = reader.text("sku")
    steady: dict[str, Value | None] = {
        "marketplace": reader.read("marketplace", cells.marketplace),
        "fulfilled_by": reader.read("fulfilled_by", cells.fulfilled_by),
        "promised_delivery_by": reader.time("promised_delivery_by", END_OF_DAY),
        "ship_to": reader.read("ship_to", cells.country),
    }
    changing: dict[str, Value | None] = {
        "order_status": reader.read("order_status", cells.status),
        "updated_at": version if report == "all_orders" and version != EPOCH else None,
    }
    price = _price(reader)
    # From here on nothing fails, so that a bad row says nothing at all.
    order = extract.order(order_id)
    order.places.add(place)
    order.facts.learn(report, version, _given(steady))
    order.facts.latest(report, version, _given(changing))
    if item_id is not None:
        item = order.items.setdefault(item_id, Facts())
        item.learn(report, version, _given({"quantity": quantity, "sku": sku}))
    order.rows.add(PricedRow(report, version, item_id or "", sku or "", quantity, price))


def _price(reader: RowReader) -> Price | None:
    item, currency = reader.read("item_price", cells.amount), reader.read("currency", cells.currency)
    names = ("item_tax", "shipping_price", "shipping_tax", "item_discount", "shipping_discount")
    item_tax, shipping, shipping_tax, *discounts = (reader.read(name, cells.amount) or cells.NOTHING for name in names)
    if item is None or currency is None:
        return None
    return Price(currency, item, item_tax, shipping, shipping_tax, sum(map(abs, discounts), cells.NOTHING))


def _read_confirmation(reader: RowReader, uploaded_at: datetime | None, place: Place, extract: Extract) -> None:
    order_id, item_id = reader.order_id(), reader.item_id()
    shipped_at = reader.required_time("shipped_at")
    code, name = reader.text("carrier"), reader.text("carrier_name")
    number = reader.text("tracking_number")
    units = reader.read("package_quantity", cells.quantity)
    confirmed = Confirmed(
        at=uploaded_at or shipped_at,
        is_assumed=uploaded_at is None,
        shipped_at=shipped_at,
        items=() if item_id is None else ((item_id, units),),
        carrier=name if code is None or (code.lower() == OTHER_CARRIER and name) else code,
        number=None if number == _REMOVED else number,
        removes=number == _REMOVED,
        ship_method=reader.text("ship_method"),
        ship_from=reader.read("ship_from", cells.country),
    )
    extract.confirm(order_id, confirmed, place)


def _given(values: Mapping[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if value is not None}
