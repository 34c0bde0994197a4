"""The facts of a shipment as its row has them: MessagePack arrays, without the shipment's own ids, and without what
another field of the row says. Arrays are decoded to tuples, because a tuple is taken apart in no time.
"""

from typing import Any

from stream.events import Instant, Milestone
from stream.shipment import Entry

Id = Any
"""An event's id: text, or bytes where it is hexadecimal digits or a UUID. A union of the two is beyond msgspec, so
whoever decodes has to look."""

Common = tuple[str, str, bool, str | None, str | None, str | None, str | None, str | None]
"""What many shipments have alike: marketplace, category, whether the marketplace fulfilled it, carrier, ship method,
currency, ship from, ship to."""

ShippedFact = tuple[Instant, Id, int | str, str | None, Instant | None, Instant | bool | None]
"""Event time, event id; the order's id, or how many characters of the shipment's id it is; amount; shipped at, None for
the event time; promised delivery by, True for shipped at."""

TrackingFact = tuple[Instant, Id, str | bool | None, str | None, Instant | bool | None]
"""Event time, event id; carrier, True for that of the shipping; tracking number; uploaded at, True for the event
time."""

ScanFact = tuple[Instant, Id, Milestone, str | bool | None, str | bool | None, Instant | bool | None]
"""Event time, event id, milestone; carrier, True for that of the shipping; tracking number, True for that of the
tracking; scanned at, True for the event time."""

More = tuple[tuple[ScanFact, ...], tuple[Entry, ...]]

Facts = tuple[ShippedFact | None, TrackingFact | None, More | None]
