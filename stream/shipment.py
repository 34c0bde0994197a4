"""One shipment: what is known of it, and how versions of a fact merge.

Every event is a fact with a version ``(event_time, event_id)``. Per shipment and kind of fact (a scan's kind is its
milestone) the highest version wins, so duplicates, re-deliveries and any order of arrival end in the same state.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import msgspec
from mypy_extensions import mypyc_attr

from stream.events import Event, OrderShipped, TrackingScanned, TrackingUploaded
from stream.tracking import resolve_carrier
from stream.tracking.numbers import compact

if TYPE_CHECKING:
    from stream.engine.window import Counted
    from stream.policy.verdict import Rules

HOUR: Final = 3600
"""Seconds."""
DAY: Final = 86_400
"""Seconds."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAYS: Final = EPOCH.toordinal()

# Compiled code has its own module's names at hand, and looks up those of others each time.
_SHIPPED: Final = OrderShipped
_UPLOADED: Final = TrackingUploaded
_resolve_carrier: Final = resolve_carrier
_compact: Final = compact

MAX_ENTRIES: Final = 16
"""Numbers of one shipment whose first entry is remembered. Sellers correct a number once or twice."""

ShipmentId = tuple[str, str]
"""Seller id and shipment id."""


class Entry(NamedTuple):
    """A tracking number, and when it was first entered with that carrier."""

    at: datetime
    number: str
    carrier: str


@mypyc_attr(acyclic=True)
class Shipment:
    """All that is known of one shipment. ``scans`` holds the latest event per milestone, in order of the milestones'
    names, so that equal states have equal bytes.

    ``entries`` holds when each number was first entered, and is empty where ``tracking`` alone says so. ``latest`` is
    the highest time of any fact. ``counted`` is the engine's: as what the shipment is counted now; so are ``rules``,
    which it falls under by ``shipped``. ``key`` is that of the shipment's row and ``packed`` is ``shipped`` as the row
    has it, once they were needed.
    """

    __slots__ = ("counted", "entries", "key", "latest", "packed", "rules", "scans", "shipped", "tracking")

    def __init__(
        self,
        shipped: OrderShipped | None = None,
        tracking: TrackingUploaded | None = None,
        scans: tuple[TrackingScanned, ...] = (),
        entries: tuple[Entry, ...] = (),
        latest: datetime = EPOCH,
    ) -> None:
        self.shipped = shipped
        self.tracking = tracking
        self.scans = scans
        self.entries = entries
        self.latest = latest
        self.counted: Counted | None = None
        self.rules: Rules | None = None
        self.key: bytes | None = None
        self.packed: bytes | None = None

    def merge(self, event: Event) -> bool:
        """Take what the event says that is news. Returns whether anything changed."""
        kind = event.__class__
        if kind is _SHIPPED:
            if self.shipped is not None and not _is_news(event, self.shipped):
                return False
            self.shipped = cast("OrderShipped", event)
            self.rules = self.packed = None
        elif kind is _UPLOADED:
            if self.tracking is None:
                self.tracking = cast("TrackingUploaded", event)
            elif not self._merge_tracking(cast("TrackingUploaded", event), self.tracking):
                return False
        elif not self.scans:
            self.scans = (cast("TrackingScanned", event),)
        elif not self._merge_scan(cast("TrackingScanned", event)):
            return False
        if event.event_time > self.latest:
            self.latest = event.event_time
        return True

    def clear(self) -> None:
        """Know nothing any more."""
        self.shipped = self.tracking = self.counted = self.rules = self.packed = None
        self.scans = self.entries = ()
        self.latest = EPOCH

    def _merge_tracking(self, event: TrackingUploaded, known: TrackingUploaded) -> bool:
        # An older fact that arrives late may still show that a number was entered earlier than was known.
        first: dict[tuple[str, str], datetime] = {}
        for at, number, carrier in (*(self.entries or _entries_of(known)), *_entries_of(event)):
            first[number, carrier] = min(at, first.get((number, carrier), at))
        is_news = _is_news(event, known)
        if is_news:
            self.tracking = known = event
        # Keeping the earliest few does not depend on the order in which they came: none of them can get later.
        entries = tuple(sorted(Entry(at, *entered) for entered, at in first.items())[:MAX_ENTRIES])
        if entries == _entries_of(known):
            entries = ()
        changed = is_news or entries != self.entries
        self.entries = entries
        return changed

    def _merge_scan(self, event: TrackingScanned) -> bool:
        scans, milestone = self.scans, event.milestone
        place = 0
        for known in scans:
            if known.milestone == milestone:
                if not _is_news(event, known):
                    return False
                self.scans = (*scans[:place], event, *scans[place + 1 :])
                return True
            if known.milestone > milestone:
                break
            place += 1
        self.scans = (*scans[:place], event, *scans[place:])
        return True

    def entered_at(self) -> datetime | None:
        """When the present tracking number was first entered with the present carrier; None without a number."""
        tracking = self.tracking
        if tracking is None or tracking.tracking_number is None:
            return None
        if self.entries:
            entered = self._entered(tracking.tracking_number, tracking.carrier or "")
            for at, number, carrier in self.entries:
                if self._entered(number, carrier) == entered:
                    return at
        return tracking.uploaded_at or tracking.event_time

    def _entered(self, number: str, carrier: str) -> tuple[str, object]:
        """What an entry says, however it is spelt; without a carrier of its own it is by that of the order."""
        shipped = self.shipped
        given = carrier.strip() or (shipped.carrier or "" if shipped is not None else "").strip()
        return _compact(number), _resolve_carrier(given) or given


def _entries_of(event: TrackingUploaded) -> tuple[Entry, ...]:
    if event.tracking_number is None:
        return ()
    return (Entry(event.uploaded_at or event.event_time, event.tracking_number, event.carrier or ""),)


def _is_news(event: Event, known: Event) -> bool:
    if event.event_time != known.event_time:
        return event.event_time > known.event_time
    if event.event_id != known.event_id:
        return event.event_id > known.event_id
    # A producer has used an id twice. Either may win, but the same one in every order of arrival.
    return _encode(_fact_of(event)) > _encode(_fact_of(known))


_encode: Final = msgspec.msgpack.Encoder().encode

Fact = tuple[object, ...]


def _fact_of(event: Event) -> Fact:
    """What the event says of its shipment, in a form that can be compared; without the shipment's own ids."""
    kind = event.__class__
    if kind is _SHIPPED:
        shipped = cast("OrderShipped", event)
        value = shipped.order_value
        return (
            shipped.event_time,
            shipped.event_id,
            shipped.order_id,
            shipped.marketplace,
            shipped.category,
            shipped.fulfilled_by == "marketplace",
            shipped.carrier,
            shipped.ship_method,
            None if value is None else str(value.amount),
            None if value is None else value.currency,
            shipped.ship_from,
            shipped.ship_to,
            shipped.shipped_at,
            shipped.promised_delivery_by,
        )
    if kind is _UPLOADED:
        tracking = cast("TrackingUploaded", event)
        return tracking.event_time, tracking.event_id, tracking.carrier, tracking.tracking_number, tracking.uploaded_at
    scan = cast("TrackingScanned", event)
    return (
        scan.event_time,
        scan.event_id,
        scan.milestone,
        scan.carrier,
        scan.tracking_number,
        scan.scanned_at,
    )


def hour_of(instant: datetime) -> int:
    """The hour since 1970 UTC. The instant must be in UTC, as those of decoded events are."""
    return (instant.toordinal() - _EPOCH_DAYS) * 24 + instant.hour


def day_of(instant: datetime) -> int:
    """The day since 1970 UTC. The instant must be in UTC, as those of decoded events are."""
    return instant.toordinal() - _EPOCH_DAYS


def promised_day(shipped: OrderShipped) -> int:
    """The day since 1970 UTC that delivery was promised for; that of shipping where none was."""
    promised = shipped.promised_delivery_by
    return day_of(shipped.shipped_at if promised is None else promised)
