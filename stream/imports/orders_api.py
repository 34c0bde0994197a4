"""The JSON of the Orders API 2026-01-01 as facts: one order, a page of them, or several in a list or one per line."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from stream.events import Milestone
from stream.imports import cells
from stream.imports.facts import Confirmed, Extract, Facts, Place, Price, PricedRow, Reject, Value
from stream.imports.fields import columns_of
from stream.imports.reports import Source
from stream.imports.row_reader import BadCellError, RowReader

Json = Mapping[str, object]

SCANS: Final[dict[str, Milestone]] = {
    "PICKED_UP": "carrier_received",
    "DROPPED_OFF": "carrier_received",
    "AT_ORIGIN_FC": "arrived_at_facility",
    "AT_DESTINATION_FC": "arrived_at_facility",
    "IN_TRANSIT": "in_transit",
    "OUT_FOR_DELIVERY": "out_for_delivery",
    "REJECTED_BY_BUYER": "delivery_attempted",
    "DELIVERED": "delivered",
    "RETURNING_TO_SELLER": "returned",
    "RETURNED_TO_SELLER": "returned",
}
"""The statuses of a package that only a carrier's scan can lead to. A parcel that is LOST, DAMAGED or UNDELIVERABLE may
have been scanned or not, and SHIPPED is what the seller says."""


_BREAKDOWNS = "orderItems[].proceeds.breakdowns[].subtotal"


class NoOrdersError(ValueError):
    """JSON that is not the Orders API's. The message is one clause that does not name the file."""


class _Entry(NamedTuple):
    order: Json
    path: str


def read_orders(source: Source, text: str, extract: Extract) -> int:
    """Take in the orders of a file. Returns how many there are. Raises :class:`NoOrdersError`."""
    entries = list(_entries(_documents(text)))
    lines = _Lines(text)
    for entry in entries:
        place = Place(source.file, lines.of(entry.order))
        try:
            _read_order(entry.order, source, place, extract)
        except BadCellError as error:
            row = _whole(json.dumps(entry.order, ensure_ascii=False, separators=(",", ":"), default=str))
            column = f"{entry.path}.{error.column}".lstrip(".")
            extract.rejects.append(Reject(place._replace(column=column), error.reason, row))
    return len(entries)


class _Lines:
    """The lines on which orders begin to speak of themselves, asked for in the order of the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def of(self, order: Json) -> int:
        """The line with the order's id; that of the order before where it cannot be found."""
        order_id = order.get("orderId")
        found = self._text.find(f'"{order_id}"', self._at) if isinstance(order_id, str) else -1
        if found >= 0:
            self._line += self._text.count("\n", self._at, found)
            self._at = found + 1
        return self._line


def _documents(text: str) -> list[object]:
    try:
        return [json.loads(text, parse_float=Decimal)]
    except RecursionError:
        raise NoOrdersError("it is nested too deep") from None
    except (ValueError, ArithmeticError) as error:  # numbers beyond all bounds are not even decoded
        whole = f"it is no JSON: {error}"
    try:
        return [json.loads(line, parse_float=Decimal) for line in text.split("\n") if line.strip()]
    except (ValueError, ArithmeticError, RecursionError):
        raise NoOrdersError(whole) from None


def _entries(documents: list[object]) -> Iterator[_Entry]:
    for number, document in enumerate(documents):
        at = f"[{number}]" if len(documents) > 1 else ""
        yield from _orders_in(document, at)


def _orders_in(document: object, path: str) -> Iterator[_Entry]:
    if isinstance(document, list):
        for number, part in enumerate(document):
            yield from _orders_in(part, f"{path}[{number}]")
    elif isinstance(document, dict) and "orders" in document:
        yield from _orders_in(document["orders"], f"{path}.orders".lstrip("."))
    elif isinstance(document, dict) and isinstance(document.get("order"), dict):
        yield _Entry(document["order"], f"{path}.order".lstrip("."))
    elif isinstance(document, dict) and "orderId" in document:
        yield _Entry(document, path)
    elif isinstance(document, dict) and {"AmazonOrderId", "payload"} & document.keys():
        raise NoOrdersError("it is of the Orders API v0, which has no packages: save the orders with 2026-01-01")
    elif isinstance(document, dict) and "performanceMetrics" in document:
        raise NoOrdersError("it is an account-health report: `vtr reconcile` reads those")
    else:
        raise NoOrdersError("it is not what the Orders API 2026-01-01 answers")


# --- One order -------------------------------------------------------------------------------------------------------


def _read_order(whole: Json, source: Source, place: Place, extract: Extract) -> None:
    reader = _reader(whole, "", source)
    order_id, version = reader.order_id(), reader.required_time("updated_at")
    steady: dict[str, Value | None] = {
        "marketplace": reader.read("marketplace", cells.marketplace),
        "fulfilled_by": reader.read("fulfilled_by", cells.fulfilled_by),
        "promised_delivery_by": reader.time("promised_delivery_by"),
        "ship_to": reader.read("ship_to", cells.country),
    }
    channel = whole.get("salesChannel")
    if isinstance(channel, dict) and channel.get("channelName") == "NON_AMAZON":
        steady["marketplace"] = cells.NO_MARKETPLACE
    changing: dict[str, Value | None] = {
        "order_status": reader.read("order_status", cells.status),
        "updated_at": version,
    }
    rows, items = [], {}
    for item in _objects(whole, "orderItems"):
        item_reader = _reader(item, "orderItems[].", source)
        item_id = item_reader.required("item_id", str)
        units, sku = item_reader.read("quantity", cells.quantity), item_reader.text("sku")
        items[item_id] = {"quantity": units, "sku": sku}
        rows.append(PricedRow("orders_api", version, item_id, sku or "", units, _price(item)))
    packages = [_package(package, version, source) for package in _objects(whole, "packages")]
    # From here on nothing fails, so that a bad order says nothing at all.
    order = extract.order(order_id)
    order.places.add(place)
    order.facts.learn("orders_api", version, _given(steady))
    order.facts.latest("orders_api", version, _given(changing))
    order.rows.update(rows)
    for item_id, values in items.items():
        order.items.setdefault(item_id, Facts()).learn("orders_api", version, _given(values))
    for package in packages:
        extract.confirm(order_id, package, place)


def _package(package: Json, version: datetime, source: Source) -> Confirmed:
    reader = _reader(package, "packages[].", source)
    reference = reader.required("package_reference", str)
    created_at = reader.time("uploaded_at")
    shipped_at = reader.time("shipped_at") or created_at
    if shipped_at is None:
        raise BadCellError("packages[].shipTime", "it is blank, and so is createdTime")
    items = []
    for item in _objects(package, "packageItems"):
        item_reader = _reader(item, "packages[].packageItems[].", source)
        item_id = item_reader.item_id()
        if item_id is not None:
            items.append((item_id, item_reader.read("package_quantity", cells.quantity)))
    number = reader.text("tracking_number")
    status = package.get("packageStatus")
    states = [status.get("detailedStatus"), status.get("status")] if isinstance(status, dict) else []
    return Confirmed(
        at=version,
        is_assumed=False,
        shipped_at=shipped_at,
        items=tuple(sorted(items, key=str)),
        carrier=reader.text("carrier"),
        number=number,
        removes=number is None,
        ship_method=reader.text("ship_method"),
        ship_from=reader.read("ship_from", cells.country),
        reference=reference,
        created_at=created_at or shipped_at,
        is_void=bool({"CANCELLED", "LABEL_CANCELLED"} & {*map(str, states)})
        or ("PENDING" in states and reader.time("shipped_at") is None),
        scan=next((SCANS[state] for state in states if isinstance(state, str) and state in SCANS), None),
    )


def _price(item: Json) -> Price | None:
    """What the breakdowns of an item's proceeds say: they name the tax beside the price, so this is without it."""
    sums = dict.fromkeys(("ITEM", "SHIPPING", "DISCOUNT"), cells.NOTHING)
    currencies = set()
    proceeds = item.get("proceeds")
    for part in _objects(proceeds, "breakdowns") if isinstance(proceeds, dict) else ():
        kind, subtotal = part.get("type"), part.get("subtotal")
        if isinstance(kind, str) and kind in sums and isinstance(subtotal, dict):
            reader = RowReader(
                {"item_price": str(subtotal.get("amount")), "currency": str(subtotal.get("currencyCode"))},
                {"item_price": f"{_BREAKDOWNS}.amount", "currency": f"{_BREAKDOWNS}.currencyCode"},
                None,
            )
            sums[kind] += reader.read("item_price", cells.amount) or cells.NOTHING
            currencies.add(reader.read("currency", cells.currency))
    if len(currencies) != 1:
        return None
    (currency,) = currencies
    none = cells.NOTHING
    return Price(str(currency), sums["ITEM"], none, sums["SHIPPING"], none, abs(sums["DISCOUNT"]))


# --- JSON ------------------------------------------------------------------------------------------------------------


def _reader(of: Json, under: str, source: Source) -> RowReader:
    """The values of an object, which stands ``under`` a path of an order."""
    columns = columns_of("orders_api", under)
    found = {}
    for name, column in columns.items():
        value = _at(of, column.removeprefix(under))
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool) and str(value).strip():
            found[name] = _whole(str(value).strip())
    return RowReader(found, columns, source.day_order)


def _whole(text: str) -> str:
    """Text with a question mark for each half of a character, which JSON can have where something cut it off."""
    return text.encode(errors="replace").decode()


def _at(of: object, path: str) -> object:
    for part in path.split("."):
        of = of.get(part) if isinstance(of, dict) else None
    return of


def _objects(of: Json, name: str) -> list[Json]:
    parts = of.get(name)
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _given(values: Mapping[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if value is not None}
