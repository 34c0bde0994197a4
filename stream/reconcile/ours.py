"""Our number for any days of promised delivery: a seller's shipments, judged by the engine's rules as of an instant."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from stream.engine.numbers import use_of
from stream.engine.scope import rate
from stream.events import Event, OrderShipped, encode
from stream.explain.numbers import Numbers
from stream.explain.standing import Standing, standing_of
from stream.policy import RulesPolicy
from stream.settings import Settings
from stream.shipment import EPOCH, Shipment, hour_of
from stream.span import keep_until

EDGE = timedelta(hours=14)
"""A store's day and UTC's differ by at most this much, and it is not public by which one the marketplace cuts."""

LONGEST_TRANSIT = timedelta(days=30)
"""Deliveries are promised within a month of shipping."""


class Judged(NamedTuple):
    """A shipment with its verdict, and with the one that holds where a carrier's scan is asked for."""

    shipped: OrderShipped
    standing: Standing
    by_scan: Standing
    has_number: bool

    @property
    def promised(self) -> datetime:
        """When its delivery was promised for."""
        return self.shipped.promised_delivery_by or self.shipped.shipped_at

    @property
    def is_counted(self) -> bool:
        """Whether it is in the denominator."""
        return self.standing.outcome in ("valid", "defect")

    @property
    def is_promise_unknown(self) -> bool:
        """Whether nothing told the promise, so that the ship time stands for it."""
        return self.promised == self.shipped.shipped_at


class Ours(Struct, frozen=True, kw_only=True):
    """Our number. ``vtr`` is None where nothing is counted; the reasons are those of defects, pending and exempt.

    ``ambiguous`` of the counted ones the published rules leave open, and of ``unscanned`` of the valid ones no scan is
    known that the marketplace asks for. ``promise_unknown``: of the counted ones, those whose promise nothing tells.
    """

    shipments: int
    counted: int
    valid: int
    defects: int
    pending: int
    exempt: int
    vtr: float | None
    reasons: dict[str, dict[str, int]]
    ambiguous: int
    unscanned: int
    promise_unknown: int


class Window(NamedTuple):
    """UTC days of promised delivery, both included."""

    from_: date
    to: date

    def has(self, at: datetime) -> bool:
        """Whether an instant is in it."""
        return self.start <= at < self.end

    @property
    def start(self) -> datetime:
        """Its first instant."""
        return EPOCH + timedelta(days=self.from_.toordinal() - EPOCH.toordinal())

    @property
    def end(self) -> datetime:
        """The first instant after it."""
        return EPOCH + timedelta(days=self.to.toordinal() - EPOCH.toordinal() + 1)


class SellersShipments:
    """All that is known of a seller's shipments from history, to be judged as of any instant."""

    def __init__(self, events: Sequence[Event], settings: Settings) -> None:
        self._events = sorted(events, key=lambda event: (event.event_time, event.event_id, encode(event)))
        self._lag_days = settings.lag_days
        self._policy = RulesPolicy.of(settings)
        self._by_scan = RulesPolicy.of(replace(settings, valid_when="scan"))
        self._judged: dict[datetime, list[Judged]] = {}

    def judged(self, as_of: datetime) -> list[Judged]:
        """Every shipment as of an instant, by the facts known then: what a replay counts that ends then."""
        if as_of not in self._judged:
            self._judged[as_of] = list(self._judge(as_of))
        return self._judged[as_of]

    def _judge(self, as_of: datetime) -> Iterable[Judged]:
        shipments: dict[str, Shipment] = {}
        numbers = Numbers()
        for event in self._events:
            if event.event_time > as_of:
                break
            shipment = shipments.get(event.shipment_id)
            # What is too old for any window is forgotten, as in an engine.
            if shipment is None or keep_until(shipment, self._lag_days) <= hour_of(event.event_time):
                shipment = shipments[event.shipment_id] = Shipment()
            if shipment.merge(event):
                numbers.put(event.shipment_id, use_of(shipment), keep_until(shipment, self._lag_days))
        hour = hour_of(as_of)
        for shipment_id, shipment in shipments.items():
            if shipment.shipped is not None:
                is_reused = numbers.is_reused(shipment_id, hour)
                tracking = shipment.tracking
                yield Judged(
                    shipment.shipped,
                    standing_of(self._policy, shipment, hour, is_reused=is_reused),
                    standing_of(self._by_scan, shipment, hour, is_reused=is_reused),
                    tracking is not None and tracking.tracking_number is not None,
                )


def counts(shipments: Iterable[Judged]) -> Ours:
    """The shipments as numbers."""
    outcomes: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {"defect": Counter(), "pending": Counter(), "exempt": Counter()}
    ambiguous = unscanned = promise_unknown = 0
    for each in shipments:
        outcomes[each.standing.outcome] += 1
        if each.standing.reason is not None:
            reasons[each.standing.outcome][each.standing.reason] += 1
        ambiguous += each.standing.ambiguous and each.is_counted
        unscanned += is_unscanned(each)
        promise_unknown += each.is_promise_unknown and each.is_counted
    valid, defects = outcomes["valid"], outcomes["defect"]
    counted = valid + defects
    return Ours(
        shipments=outcomes.total(),
        counted=counted,
        valid=valid,
        defects=defects,
        pending=outcomes["pending"],
        exempt=outcomes["exempt"],
        vtr=rate(valid, counted),
        reasons={outcome: dict(sorted(found.items())) for outcome, found in reasons.items()},
        ambiguous=ambiguous,
        unscanned=unscanned,
        promise_unknown=promise_unknown,
    )


def is_unscanned(each: Judged) -> bool:
    """Whether it is valid here, and no scan is known that the marketplace asks for."""
    return each.standing.outcome == "valid" and each.by_scan.outcome != "valid"
