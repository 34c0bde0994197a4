"""What the files say, each row for itself: of orders and items by field, and of packages as they were confirmed.

Nothing hangs on the order of rows or files: of two values for a field the better source holds, then the later one.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, cast

from msgspec import Struct, field

from stream.events import Milestone
from stream.imports.cells import Status
from stream.imports.fields import Report, ranks_of

Value = str | int | datetime


class Place(NamedTuple):
    """Where something stands. Lines count from 1; ``column`` is a header's name or a path in JSON."""

    file: str
    line: int
    column: str = ""


class Reject(NamedTuple):
    """What could not be used: where it stands, why, and the row as it is."""

    place: Place
    reason: str
    row: str


class Known(NamedTuple):
    """A value with what ranks it: the lowest rank of its source, then the latest version, then the value itself."""

    rank: int
    version: datetime
    value: Value

    @property
    def order(self) -> tuple[int, datetime, str, str]:
        """Greater holds."""
        return -self.rank, self.version, type(self.value).__name__, str(self.value)


class Facts(Struct):
    """The best known value of each field of an order, or of an item."""

    known: dict[str, Known] = field(default_factory=dict)

    def learn(self, report: Report, version: datetime, values: Mapping[str, Value]) -> None:
        """Take in what a row of a report says, as of a version of the order."""
        for name, value in values.items():
            new = Known(ranks_of(name)[report], version, value)
            old = self.known.get(name)
            if old is None or new.order > old.order:
                self.known[name] = new

    def latest(self, report: Report, version: datetime, values: Mapping[str, Value]) -> None:
        """As :meth:`learn`, but the later version holds whatever its source: for what changes with time."""
        for name, value in values.items():
            new = Known(ranks_of(name)[report], version, value)
            old = self.known.get(name)
            if old is None or (new.version, new.order) > (old.version, old.order):
                self.known[name] = new

    def text(self, name: str) -> str | None:
        """A field that is text, or an amount or a code as text."""
        known = self.known.get(name)
        return None if known is None else str(known.value)

    def time(self, name: str) -> datetime | None:
        """A field that is an instant."""
        known = self.known.get(name)
        return known.value if known is not None and isinstance(known.value, datetime) else None

    def number(self, name: str) -> int | None:
        """A field that is a number of units."""
        known = self.known.get(name)
        return known.value if known is not None and isinstance(known.value, int) else None


class Price(NamedTuple):
    """What one row says that all units of an item cost: exact amounts, the discount without a sign."""

    currency: str
    item: Decimal
    item_tax: Decimal
    shipping: Decimal
    shipping_tax: Decimal
    discount: Decimal


class PricedRow(NamedTuple):
    """A price in a report, of an item (empty where the report has no item ids) as of a version of the order."""

    report: Report
    version: datetime
    item_id: str
    sku: str
    quantity: int | None
    price: Price | None


class Order(Struct):
    """All that the files say of one order, apart from its packages."""

    facts: Facts = field(default_factory=Facts)
    items: dict[str, Facts] = field(default_factory=dict)
    rows: set[PricedRow] = field(default_factory=set)
    places: set[Place] = field(default_factory=set)

    @property
    def status(self) -> Status | None:
        """The latest that is known."""
        return cast("Status | None", self.facts.text("order_status"))


class Confirmed(NamedTuple):
    """A package as one row of a feed, or one snapshot of the Orders API, has it.

    ``items`` are pairs of item id and units (None: all of them); none means the whole order. ``at`` is when it was
    said; where that ``is_assumed``, nothing tells it. ``reference`` is the API's own id of the package, and
    ``created_at``, ``is_void`` (cancelled, or not shipped yet) and ``scan`` are of the API alone. A ``number`` that is
    None was not given; ``removes`` says that one is taken back.
    """

    at: datetime
    is_assumed: bool
    shipped_at: datetime
    items: tuple[tuple[str, int | None], ...]
    carrier: str | None
    number: str | None
    removes: bool
    ship_method: str | None
    ship_from: str | None
    reference: str | None = None
    created_at: datetime | None = None
    is_void: bool = False
    scan: Milestone | None = None

    @property
    def content(self) -> tuple[str, ...]:
        """Puts equal times into an order that does not hang on the files'."""
        return tuple(map(str, self))


class Extract(Struct):
    """What all files say together. ``packages`` are by order and carry where they stand."""

    orders: dict[str, Order] = field(default_factory=dict)
    packages: dict[str, dict[Confirmed, Place]] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    def order(self, order_id: str) -> Order:
        """The order, which is known from now on."""
        return self.orders.setdefault(order_id, Order())

    def confirm(self, order_id: str, confirmed: Confirmed, place: Place) -> None:
        """Take in a package; of equal ones the first place in the files is kept."""
        packages = self.packages.setdefault(order_id, {})
        packages[confirmed] = min(packages.get(confirmed, place), place)
