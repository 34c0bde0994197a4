"""One order's packages and everything that is reported of them: shipped, uploaded, scanned."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, auto
from random import Random
from typing import TypeVar

import msgspec

from stream.events import Milestone, Money, OrderShipped, TrackingScanned, TrackingUploaded, encode
from stream.simulator.carriers import LETTERS, Carrier
from stream.simulator.incidents import Incident
from stream.simulator.marketplaces import Marketplace
from stream.simulator.pace import Pace
from stream.simulator.record import Fact
from stream.simulator.sellers import Listing, Seller
from stream.simulator.tracking_numbers import SERIALS
from stream.simulator.weighted import Weighted

T = TypeVar("T")

_DAY = 86_400
"""Seconds."""


class Fate(Enum):
    """What becomes of a package's tracking."""

    TRACKED = auto()
    LATE = auto()
    CORRECTED = auto()
    NEVER = auto()
    PLACEHOLDER = auto()
    NO_CARRIER = auto()
    TYPO = auto()
    REMOVED = auto()


_GOOD_FATES = Weighted((Fate.TRACKED, Fate.CORRECTED, Fate.LATE), (97.7, 1.5, 0.8))
_BAD_FATES = Weighted((Fate.NEVER, Fate.PLACEHOLDER, Fate.NO_CARRIER, Fate.REMOVED, Fate.TYPO), (30, 30, 18, 10, 12))
_INCIDENT_FATES = Weighted((Fate.PLACEHOLDER, Fate.NO_CARRIER), (70, 30))

_SCANNED_FATES = frozenset({Fate.TRACKED, Fate.LATE, Fate.CORRECTED})
"""The others gave no number that a scan could be found by."""

_PLACEHOLDERS = ("N/A", "n/a", "none", "NA", "0000000000", "TBD", "pending", "-")
_OWN_ORDER_ID = 0.2
"""Share of the placeholders that are the order's own id."""

_REMOVALS = (None, "NULL")
"""How the marketplace's feed removes a number."""

_LOST_IN_COPYING = 2
"""Characters missing at the start of a mistyped number. At its end they would make numbers equal."""

_SERIAL_STRIDE = 6_180_339
"""Makes running numbers look drawn, as carriers' do; prime to the number of serials, so none comes twice."""

_PACKAGES = Weighted((1, 2, 3), (90, 8, 2))

_NET_PRICES = (3.2, 0.8)
"""Log-normal: half of the orders are below EUR 24.53, one in ten above EUR 68."""

_PRICE_ENDINGS = ("99", "90", "95", "49", "50", "00")

_LETTER_BELOW = 20.0
"""EUR: what costs more is not sent as a letter."""

_LETTER_EXEMPT_ORIGINS = frozenset({"DE", "FR", "IT", "ES", "NL", "PL"})
"""Cross-border letters from here below EUR 20 count under no policy."""

_CROSS_BORDER = 0.04
"""Share of a store's orders that leave its country."""

_PROMISED_DAYS = (2, 3, 3, 4, 4, 5, 6, 8)

_JOURNEY: tuple[tuple[Milestone, float, float], ...] = (
    ("carrier_received", 0.0, 1.0),
    ("arrived_at_facility", 0.2, 0.6),
    ("in_transit", 0.5, 0.4),
    ("out_for_delivery", 0.93, 0.7),
    ("delivery_attempted", 0.96, 0.04),
    ("delivered", 1.0, 0.97),
)
"""Milestone, at which part of the transit, and which share of the packages it is reported of."""


class _Order(msgspec.Struct):
    seller: Seller
    order_id: str
    listing: Listing
    shipped_at: float
    promised_at: float
    ship_to: str
    amount: Decimal
    carrier: Carrier
    by_marketplace: bool
    tracked: bool


class _Package(msgspec.Struct):
    order: _Order
    shipment_id: str
    number: str


class Shipments:
    """Draws orders. ``first_serial`` starts every seller's tracking numbers, so two runs need not share any."""

    def __init__(self, random: Random, scanned: float, pace: Pace, first_serial: int) -> None:
        self._random = random
        self._draw = random.random
        self._scanned = scanned
        self._pace = pace
        self._first_serial = first_serial
        self._serials: dict[str, int] = {}

    def order(self, seller: Seller, shipped_at: float, incidents: Mapping[str, Incident]) -> list[Fact]:
        """The facts of an order's packages, package by package. ``incidents`` are the active ones by subject."""
        order = self._order(seller, shipped_at)
        incident = incidents.get(seller.seller_id) or incidents.get(order.carrier.label) if incidents else None
        facts: list[Fact] = []
        for position in range(1, _PACKAGES.pick(self._draw()) + 1):
            package = _Package(order, f"{order.order_id}-{position}", self._next_number(seller, order.carrier))
            fate, spoiled_by = self._fate(seller, incident) if order.tracked else (Fate.NEVER, None)
            facts.append(self._shipped(package, None if fate is Fate.NO_CARRIER else order.carrier.name))
            facts.extend(self._uploads(package, fate, spoiled_by))
            if fate in _SCANNED_FATES and self._draw() < self._scanned:
                facts.extend(self._scans(package))
        return facts

    def _order(self, seller: Seller, shipped_at: float) -> _Order:
        draw = self._draw
        listing = seller.listings.pick(draw())
        store = listing.marketplace
        ship_to = self._one_of(store.neighbours) if draw() < _CROSS_BORDER else store.country
        price = self._random.lognormvariate(*_NET_PRICES)
        letter = price < _LETTER_BELOW and draw() < seller.letter_share
        by_marketplace = draw() < seller.marketplace_fulfilled_share
        number = int(draw() * 1e14)
        return _Order(
            seller=seller,
            order_id=f"{store.order_prefix}-{number // 10**7:07d}-{number % 10**7:07d}",
            listing=listing,
            shipped_at=shipped_at,
            promised_at=self._promised_at(shipped_at, store),
            ship_to=ship_to,
            amount=Decimal(f"{int(price * store.price_level)}.{self._one_of(_PRICE_ENDINGS)}"),
            carrier=LETTERS[listing.origin] if letter else listing.carriers.pick(draw()),
            by_marketplace=by_marketplace,
            tracked=not by_marketplace and not (letter and _is_exempt_route(listing, ship_to)),
        )

    def _next_number(self, seller: Seller, carrier: Carrier) -> str:
        serial = self._serials.get(seller.seller_id, self._first_serial)
        self._serials[seller.seller_id] = serial + 1
        return carrier.number(seller.account, serial * _SERIAL_STRIDE % SERIALS)

    def _fate(self, seller: Seller, incident: Incident | None) -> tuple[Fate, Incident | None]:
        """The package's fate, and the incident that is to blame for it."""
        draw = self._draw
        if incident is not None and draw() < incident.severity:
            return (Fate.NEVER if draw() < incident.silent else _INCIDENT_FATES.pick(draw())), incident
        return (_BAD_FATES if draw() < seller.defect_rate else _GOOD_FATES).pick(draw()), None

    def _promised_at(self, shipped_at: float, store: Marketplace) -> float:
        """The last second of a day in the store's own time."""
        offset = store.utc_offset * 3600
        day = int(shipped_at + offset) // _DAY
        return (day + self._one_of(_PROMISED_DAYS) + 1) * _DAY - 1 - offset

    def _shipped(self, package: _Package, carrier: str | None) -> Fact:
        order = package.order
        listing = order.listing
        at = order.shipped_at + self._between(self._pace.confirmed)
        event = OrderShipped(
            event_id=self._event_id(),
            event_time=_utc(at),
            seller_id=order.seller.seller_id,
            order_id=order.order_id,
            shipment_id=package.shipment_id,
            marketplace=listing.marketplace.code,
            category=listing.category,
            fulfilled_by="marketplace" if order.by_marketplace else "merchant",
            carrier=carrier,
            ship_method=order.carrier.method,
            order_value=Money(order.amount, listing.marketplace.currency),
            ship_from=listing.origin,
            ship_to=order.ship_to,
            shipped_at=_utc(order.shipped_at),
            promised_delivery_by=_utc(order.promised_at),
        )
        return Fact(at, "order-shipped", encode(event))

    def _uploads(self, package: _Package, fate: Fate, spoiled_by: Incident | None) -> Iterator[Fact]:
        pace, name, number = self._pace, package.order.carrier.name, package.number
        at = package.order.shipped_at
        if fate is Fate.LATE:
            at += self._between(pace.late)
        elif self._draw() < pace.slow_share:
            at += self._between(pace.slow)
        else:
            at += self._between(pace.prompt)

        if fate in (Fate.TRACKED, Fate.LATE, Fate.REMOVED):
            yield self._uploaded(package, at, name, number)
        elif fate in (Fate.PLACEHOLDER, Fate.CORRECTED):
            yield self._uploaded(package, at, name, self._placeholder(package))
        elif fate is Fate.NO_CARRIER:
            yield self._uploaded(package, at, None, number)
        elif fate is Fate.TYPO:
            yield self._uploaded(package, at, name, number[_LOST_IN_COPYING:])

        if fate is Fate.CORRECTED:
            yield self._uploaded(package, at + self._between(pace.amended), name, number)
        elif fate is Fate.REMOVED:
            yield self._uploaded(package, at + self._between(pace.amended), name, self._one_of(_REMOVALS))
        elif spoiled_by is not None and spoiled_by.repaired_within is not None:
            repaired_at = max(at, spoiled_by.end) + self._between((0, spoiled_by.repaired_within))
            yield self._uploaded(package, repaired_at, name, number)

    def _placeholder(self, package: _Package) -> str:
        return package.order.order_id if self._draw() < _OWN_ORDER_ID else self._one_of(_PLACEHOLDERS)

    def _uploaded(self, package: _Package, at: float, carrier: str | None, number: str | None) -> Fact:
        event = TrackingUploaded(
            event_id=self._event_id(),
            event_time=_utc(at),
            seller_id=package.order.seller.seller_id,
            order_id=package.order.order_id,
            shipment_id=package.shipment_id,
            carrier=carrier,
            tracking_number=number,
            uploaded_at=_utc(at),
        )
        return Fact(at, "tracking-uploaded", encode(event))

    def _scans(self, package: _Package) -> Iterator[Fact]:
        collected = package.order.shipped_at + self._between(self._pace.collected)
        transit = self._between(self._pace.transit)
        for milestone, part, share in _JOURNEY:
            if self._draw() < share:
                yield self._scan(package, collected + part * transit, milestone)

    def _scan(self, package: _Package, at: float, milestone: Milestone) -> Fact:
        event = TrackingScanned(
            event_id=self._event_id(),
            event_time=_utc(at),
            seller_id=package.order.seller.seller_id,
            shipment_id=package.shipment_id,
            tracking_number=package.number,
            carrier=package.order.carrier.name,
            milestone=milestone,
            scanned_at=_utc(at),
        )
        return Fact(at, "tracking-scanned", encode(event))

    def _event_id(self) -> str:
        return f"{self._random.getrandbits(64):016x}"

    def _one_of(self, options: Sequence[T]) -> T:
        return options[int(self._draw() * len(options))]

    def _between(self, span: tuple[float, float]) -> float:
        earliest, latest = span
        return earliest + (latest - earliest) * self._draw()


def _is_exempt_route(listing: Listing, ship_to: str) -> bool:
    """Whether a cheap letter is exempt there, so that its seller saves the tracking. Routes that only some
    policies exempt are left out: their sellers would look worse than their profile."""
    return (
        ship_to != listing.origin and listing.origin in _LETTER_EXEMPT_ORIGINS and listing.marketplace.currency == "EUR"
    )


def _utc(seconds: float) -> datetime:
    """Whole seconds, cut off, so that a time never lies ahead of the moment it is of."""
    return datetime.fromtimestamp(int(seconds), UTC)
