"""Files as sellers have them, from rows that say only what a test is about; and their import."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from stream.events import OrderShipped, TrackingScanned, TrackingUploaded
from stream.imports import Assumptions, Imported, import_files
from stream.imports.cells import DayOrder

SELLER = "A1EXAMPLE"
ORDER = "028-1234567-7654321"
ITEM, OTHER_ITEM = "55500000000011", "55500000000022"
NUMBER, OTHER_NUMBER = "00340434161094042557", "00340434211748528828"

SAMPLES = Path(__file__).parent / "samples"
SAMPLE_FILES = [
    "all-orders.txt",
    "order-report.txt",
    "feed-2026-10-06.txt@2026-10-06T18:00:00Z",
    "feed-2026-10-08.txt@2026-10-08T09:00:00Z",
    "orders-2026-10-08.json",
    "orders-2026-10-12.json",
    "categories.txt",
]

Row = Mapping[str, object]


def feed_row(**cells: object) -> Row:
    """A row of the fulfilment feed: a DHL parcel with a number."""
    given = {"order_id": ORDER, "ship_date": "2026-11-03", "carrier_code": "DHL", "tracking_number": NUMBER}
    return {name.replace("_", "-"): cell for name, cell in (given | cells).items()}


def order_row(**cells: object) -> Row:
    """A row of the order report: a German order of one item."""
    given = {
        "order_id": ORDER,
        "order_item_id": ITEM,
        "purchase_date": "2026-11-02T10:00:00+00:00",
        "sku": "SKU-1",
        "quantity_purchased": 1,
        "currency": "EUR",
        "item_price": "49.90",
        "ship_country": "DE",
        "sales_channel": "Amazon.de",
        "latest_delivery_date": "2026-11-06T22:59:59+00:00",
    }
    return {name.replace("_", "-"): cell for name, cell in (given | cells).items()}


def all_orders_row(**cells: object) -> Row:
    """A row of the report of all orders: a German order that was shipped."""
    given = {
        "amazon_order_id": ORDER,
        "purchase_date": "2026-11-02T10:00:00+00:00",
        "last_updated_date": "2026-11-03T16:00:00+00:00",
        "order_status": "Shipped",
        "fulfillment_channel": "Merchant",
        "sales_channel": "Amazon.de",
        "sku": "SKU-1",
        "quantity": 1,
        "currency": "EUR",
        "item_price": "49.90",
        "ship_country": "DE",
    }
    return {name.replace("_", "-"): cell for name, cell in (given | cells).items()}


def flat(rows: Sequence[Row]) -> str:
    """A flat file."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["\t".join(names), *("\t".join(str(row.get(name, "")) for name in names) for row in rows)]
    return "".join(line + "\r\n" for line in lines)


class Package(TypedDict, total=False):
    """A package of the Orders API."""

    packageReferenceId: str
    createdTime: str
    shipTime: str
    packageStatus: dict[str, str]
    carrier: str
    shippingService: str
    trackingNumber: str
    shipFromAddress: dict[str, str]
    packageItems: list[dict[str, object]]


def package(
    reference: str = "1", number: str | None = NUMBER, item: str = ITEM, units: int = 1, **more: str
) -> Package:
    """A DHL parcel of one item; ``status`` is the detailed one."""
    status = more.get("status", "PICKED_UP")
    made = Package(
        packageReferenceId=reference,
        createdTime=more.get("created", "2026-11-03T09:00:00Z"),
        shipTime=more.get("shipped", "2026-11-03T15:00:00Z"),
        packageStatus={"status": "IN_TRANSIT", "detailedStatus": status},
        carrier="DHL",
        packageItems=[{"orderItemId": item, "quantity": units}],
    )
    if number is not None:
        made["trackingNumber"] = number
    return made


def api_order(*packages: Package, updated: str = "2026-11-04T10:00:00Z", units: int = 1, **more: object) -> Row:
    """A British order of one item."""
    return {
        "orderId": ORDER,
        "createdTime": "2026-11-02T10:00:00Z",
        "lastUpdatedTime": updated,
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": "A1F83G8C2ARO7P"},
        "recipient": {"deliveryAddress": {"countryCode": "GB"}},
        "fulfillment": {
            "fulfillmentStatus": "SHIPPED",
            "fulfilledBy": "MERCHANT",
            "deliverByWindow": {"latestDateTime": "2026-11-06T23:59:59Z"},
        },
        "orderItems": [{"orderItemId": ITEM, "quantityOrdered": units, "product": {"sellerSku": "SKU-1"}}],
        "packages": list(packages),
    } | more


def api(*orders: Row) -> str:
    """A page of orders."""
    return json.dumps({"orders": orders}, indent=1)


class Imports:
    """Imports texts as files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *texts: str | tuple[str, str], day_order: DayOrder | None = None, **assumed: object) -> Imported:
        """Import the texts; one with a time was uploaded then."""
        names = []
        for number, given in enumerate(texts):
            text, time = given if isinstance(given, tuple) else (given, "")
            file = self._folder / f"{number}.txt"
            file.write_bytes(text.encode())
            names.append(f"{file}@{time}" if time else str(file))
        return import_files(names, SELLER, Assumptions(**assumed), day_order)  # type: ignore[arg-type]


def shipped(imported: Imported) -> list[OrderShipped]:
    """The order-shipped events."""
    return [event for event in imported.events if isinstance(event, OrderShipped)]


def uploads(imported: Imported) -> list[tuple[str, str, str | None]]:
    """The tracking that was uploaded: when, of which shipment, which number."""
    return [
        (f"{event.event_time:%m-%d %H:%M}", event.shipment_id, event.tracking_number)
        for event in imported.events
        if isinstance(event, TrackingUploaded)
    ]


def scans(imported: Imported) -> list[tuple[str, str]]:
    """The scans: when, and which milestone."""
    return [
        (f"{event.event_time:%m-%d %H:%M}", event.milestone)
        for event in imported.events
        if isinstance(event, TrackingScanned)
    ]


def reasons(imported: Imported) -> list[tuple[int, str, str]]:
    """What was rejected: line, column, and why."""
    return [(reject.place.line, reject.place.column, reject.reason) for reject in imported.rejects]
