"""Orders and packages, joined into events that are the same whatever the order and the cut of the files."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Literal, cast

from msgspec import Struct, field
from msgspec.structs import replace

from stream.events import Event, OrderShipped, Rejection, TrackingScanned, TrackingUploaded, decode, encode
from stream.imports.cells import NO_MARKETPLACE
from stream.imports.facts import Confirmed, Extract, Order, Place, Reject
from stream.imports.packages import Package, entries_of, packages_of, scans_of
from stream.imports.values import package_value
from stream.shipment import EPOCH

Left = Literal["cancelled", "not shipped", "not of the marketplace"]


class Assumptions(Struct, frozen=True, kw_only=True):
    """What to take where no file tells it; see ``fields.toml``."""

    marketplace: str | None = None
    ship_from: str | None = None
    delivery_days: int | None = None
    blank_removes: bool = True


class Joined(Struct):
    """The events in the order of their versions, the rejected, and the orders that give no event, by the reason."""

    events: list[Event] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    shipments: int = 0
    left: dict[Left, int] = field(default_factory=dict)


def join(extract: Extract, seller_id: str, assumed: Assumptions) -> Joined:
    """The events of a seller."""
    joined = Joined()
    for order_id in sorted(extract.orders.keys() | extract.packages.keys()):
        _Joiner(extract, seller_id, assumed, order_id, joined).run()
    joined.events.sort(key=lambda event: (event.event_time, event.event_id))
    joined.rejects.sort()
    return joined


class _Joiner:
    """The join of one order."""

    def __init__(self, extract: Extract, seller_id: str, assumed: Assumptions, order_id: str, joined: Joined) -> None:
        self._categories = extract.categories
        self._order = extract.orders.get(order_id) or Order()
        self._said = extract.packages.get(order_id, {})
        self._seller_id = seller_id
        self._assumed = assumed
        self._order_id = order_id
        self._joined = joined

    def run(self) -> None:
        order = self._order
        marketplace = order.facts.text("marketplace")
        if marketplace is None:
            marketplace = self._assumed.marketplace
        if marketplace == NO_MARKETPLACE:
            self._leave("not of the marketplace")
        elif order.facts.text("fulfilled_by") == "marketplace":
            self._marketplace_fulfilled(marketplace)
        elif order.status == "cancelled":
            self._reject_all("the order was cancelled: it counts nowhere")
            self._leave("cancelled")
        elif not self._said:
            self._without_packages()
        elif marketplace is None:
            self._reject(self._said.values(), "no file tells the order's marketplace: give --marketplace")
        else:
            self._merchant_fulfilled(marketplace)

    def _without_packages(self) -> None:
        if self._order.status in ("shipped", "partly_shipped"):
            reason = "the order was shipped, but no file tells when and with which tracking: neither a feed nor the API"
            self._reject(self._order.places, reason)
        else:
            self._leave("not shipped")

    def _merchant_fulfilled(self, marketplace: str) -> None:
        ordered = {item_id: item.number("quantity") for item_id, item in self._order.items.items()}
        packages, rejects = packages_of(self._said, ordered)
        self._joined.rejects += rejects
        for shipment_id, package in _named(self._order_id, packages):
            self._package(shipment_id, package, marketplace)
        if not packages and not rejects:
            self._without_packages()

    # --- Events ------------------------------------------------------------------------------------------------------

    def _package(self, shipment_id: str, package: Package, marketplace: str) -> None:
        latest = _latest(package)
        entries = entries_of(package, blank_removes=self._assumed.blank_removes)
        first = min(said.created_at or said.at for said, _ in package.said)
        value = package_value(self._order, package.items, marketplace)
        event = OrderShipped(
            event_id="",
            event_time=first,
            seller_id=self._seller_id,
            order_id=self._order_id,
            shipment_id=shipment_id,
            marketplace=marketplace,
            category=self._category(package.items),
            carrier=latest.carrier,
            ship_method=latest.ship_method,
            order_value=value,
            ship_from=latest.ship_from or self._assumed.ship_from,
            ship_to=self._order.facts.text("ship_to"),
            shipped_at=latest.shipped_at,
            promised_delivery_by=self._promised(latest.shipped_at),
        )
        events: list[Event] = [self._versioned(event, package)]
        for entered in entries:
            uploaded = TrackingUploaded(
                event_id="",
                event_time=entered.at,
                seller_id=self._seller_id,
                order_id=self._order_id,
                shipment_id=shipment_id,
                carrier=entered.carrier,
                tracking_number=entered.number,
                uploaded_at=entered.at,
            )
            events.append(_with_id(uploaded))
        for milestone, at in scans_of(package).items():
            scanned = TrackingScanned(
                event_id="",
                event_time=at,
                seller_id=self._seller_id,
                order_id=self._order_id,
                shipment_id=shipment_id,
                milestone=milestone,
                scanned_at=at,
            )
            events.append(_with_id(scanned))
        self._take(events, min(place for _, place in package.said))

    def _marketplace_fulfilled(self, marketplace: str | None) -> None:
        shipped_at = self._order.facts.time("updated_at")
        if self._order.status != "shipped" or shipped_at is None:
            self._leave("cancelled" if self._order.status == "cancelled" else "not shipped")
            return
        if marketplace is None:
            self._reject(self._order.places, "no file tells the order's marketplace: give --marketplace")
            return
        event = OrderShipped(
            event_id="",
            event_time=shipped_at,
            seller_id=self._seller_id,
            order_id=self._order_id,
            shipment_id=self._order_id,
            marketplace=marketplace,
            category=self._category({}),
            fulfilled_by="marketplace",
            order_value=package_value(self._order, {}, marketplace),
            ship_to=self._order.facts.text("ship_to"),
            shipped_at=shipped_at,
            promised_delivery_by=self._promised(shipped_at),
        )
        self._take([self._versioned(event, None)], min(self._order.places))

    def _take(self, events: list[Event], place: Place) -> None:
        """Add the events of a shipment, if a replay can use all of them."""
        for event in events:
            decoded = decode(encode(event))
            if isinstance(decoded, Rejection):
                self._joined.rejects.append(Reject(place, f"{event.__struct_config__.tag}: {decoded.message}", ""))
                return
        self._joined.events += events
        self._joined.shipments += 1

    def _versioned(self, event: OrderShipped, package: Package | None) -> OrderShipped:
        """The event under an id that is higher the later the facts in it are, and the more there are of them.

        So what is imported again with reports that know more wins over what was imported before.
        """
        facts = self._order.facts
        newest = max(
            [known.version for known in facts.known.values()]
            + ([said.at for said, _ in package.said if not said.is_assumed] if package is not None else []),
            default=EPOCH,
        )
        known = sum(
            value is not None
            for value in (event.order_value, event.ship_from, event.ship_to, event.promised_delivery_by, event.carrier)
        ) + (event.category != "unknown")
        return cast("OrderShipped", _with_id(event, f"{newest:%Y%m%dT%H%M%SZ}-{known}-"))

    def _category(self, items: Mapping[str, int | None]) -> str:
        known = self._order.items
        skus = {known[item_id].text("sku") for item_id in items or known if item_id in known}
        if not items:
            skus |= {row.sku for row in self._order.rows}
        found = (self._categories.get(sku) for sku in skus if sku is not None)
        return min((category for category in found if category is not None), default="unknown")

    def _promised(self, shipped_at: datetime) -> datetime | None:
        promised = self._order.facts.time("promised_delivery_by")
        if promised is None and self._assumed.delivery_days is not None:
            return shipped_at + timedelta(days=self._assumed.delivery_days)
        return promised

    # --- What gives no event -----------------------------------------------------------------------------------------

    def _leave(self, reason: Left) -> None:
        self._joined.left[reason] = self._joined.left.get(reason, 0) + 1

    def _reject(self, places: Iterable[Place], reason: str) -> None:
        """One reject for the order, at its first place."""
        self._joined.rejects.append(Reject(min(places), reason, self._order_id))

    def _reject_all(self, reason: str) -> None:
        for place in sorted({place for said, place in self._said.items() if not said.is_void}):
            self._joined.rejects.append(Reject(place, reason, self._order_id))


def _named(order_id: str, packages: list[Package]) -> Iterator[tuple[str, Package]]:
    """The packages with their shipment ids, which more files to import do not change as long as items stay together."""
    taken: dict[str, int] = {}
    for package in packages:
        is_whole = any(not said.items for said, _ in package.said)
        name = order_id if is_whole else f"{order_id}-{min(package.items)}"
        taken[name] = taken.get(name, 0) + 1
        yield (name if taken[name] == 1 else f"{name}-{taken[name]}"), package


def _latest(package: Package) -> Confirmed:
    """What was said last; of the carrier, method and origin the last that was given, and the API's ship time."""
    said = sorted((each for each, _ in package.said), key=lambda each: (each.at, each.number is None, each.content))
    latest = said[-1]
    for each in reversed(said):
        latest = latest._replace(
            carrier=latest.carrier or each.carrier,
            ship_method=latest.ship_method or each.ship_method,
            ship_from=latest.ship_from or each.ship_from,
        )
    exact = [each for each in said if each.reference is not None]
    return latest._replace(shipped_at=(exact or said)[-1].shipped_at)


def _with_id(event: Event, prefix: str = "") -> Event:
    """The event under an id that its content gives it, so that the same facts are the same event."""
    digest = blake2b(encode(replace(event, event_id="")), digest_size=12).hexdigest()
    return replace(event, event_id=f"{prefix}{digest}")
