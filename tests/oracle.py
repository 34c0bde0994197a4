"""What the engine must compute, written to be read: everything anew from the list of accepted events.

It shares nothing with the product but the event and the record types, keeps no running sums, and computes with
fractions and datetimes. What the engine does in integers, rings of hours and bytes is held to this.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from math import floor
from typing import Literal, NamedTuple, TypeVar

from stream.events import Event, OrderShipped, TrackingScanned, TrackingUploaded
from stream.records import Counts, Metric, OfficialCounts, Scope, Status

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LETTER = "Brief"
"""The one letter method of the generated histories: which methods are letters is the policy's own test."""

LETTER_COUNTRIES = {"DE", "FR", "IT", "ES", "NL", "PT", "PL", "AT", "SE"}
PLACEHOLDERS = {"na", "none", "null", "unknown", "tbd", ""}

_Fact = TypeVar("_Fact", OrderShipped, TrackingUploaded, TrackingScanned)

Outcome = Literal["valid", "defect", "pending", "exempt"]

SEVERITY: dict[Status, int] = {"ok": 0, "at_risk": 1, "breached": 2}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The settings that decide a number."""

    threshold: Fraction = Fraction(95, 100)
    warn: Fraction = Fraction(97, 100)
    recover_margin: Fraction = Fraction(5, 1000)
    at_threshold: Literal["pass", "fail"] = "pass"
    min_counted: int = 20
    grace_hours: int = 24
    lag_days: int = 10
    is_strict: bool = False
    """Whether a number that is reused, or entered after delivery, is a defect, and toys are ambiguous: rules that no
    marketplace has, to try what the engine tells a policy."""

    def is_below_threshold(self, vtr: Fraction) -> bool:
        return vtr < self.threshold or (vtr == self.threshold and self.at_threshold == "fail")


@dataclass(frozen=True)
class Shipment:
    """A shipment that was shipped, by its latest facts."""

    shipped: OrderShipped
    tracking: TrackingUploaded | None
    is_reused: bool = False
    """Whether the seller has the number on a shipment of another order too."""
    is_late: bool = False
    """Whether the number was first entered, with this carrier, after the delivery."""

    @property
    def number(self) -> str | None:
        """What of a number tells it from others."""
        number = self.tracking.tracking_number if self.tracking is not None else None
        return None if number is None else "".join(filter(str.isalnum, number.upper()))

    @property
    def scopes(self) -> tuple[Scope, Scope, Scope]:
        seller, marketplace, category = self.shipped.seller_id, self.shipped.marketplace, self.shipped.category
        return Scope(seller), Scope(seller, marketplace), Scope(seller, marketplace, category)

    @property
    def ship_hour(self) -> int:
        return hour_of(self.shipped.shipped_at)

    @property
    def promised_day(self) -> int:
        assert self.shipped.promised_delivery_by is not None, "decode() fills it in"
        return day_of(self.shipped.promised_delivery_by)

    @property
    def carrier(self) -> str | None:
        """The carrier of the tracking, or where that names none the one the order was shipped with."""
        for fact in (self.tracking, self.shipped):
            if fact is not None and fact.carrier is not None and fact.carrier.strip():
                return fact.carrier.strip()
        return None


class Change(NamedTuple):
    """A scope's status changed at an instant."""

    since: datetime
    scope: Scope
    previous: Status
    status: Status
    metric: Metric
    causes: Mapping[tuple[str, str | None], int]
    """All defects of the live window at that instant, by reason and carrier."""


def hour_of(instant: datetime) -> int:
    """The UTC hour as a number; floor division also holds before 1970."""
    return (instant - EPOCH) // HOUR


def day_of(instant: datetime) -> int:
    return (instant - EPOCH) // DAY


def date_of(day: int) -> date:
    return (EPOCH + day * DAY).date()


def shipments_of(events: Iterable[Event]) -> list[Shipment]:
    """The shipments that count anywhere: those with an order-shipped fact, by their latest facts."""
    events = list(events)
    shipped = _latest(event for event in events if isinstance(event, OrderShipped))
    tracking = _latest(event for event in events if isinstance(event, TrackingUploaded))
    delivered = _latest(e for e in events if isinstance(e, TrackingScanned) and e.milestone == "delivered")
    found = [Shipment(fact, tracking.get(key)) for key, fact in shipped.items()]
    return [
        replace(one, is_reused=_is_reused(one, found), is_late=_is_late(one, delivered.get(key), events))
        for key, one in zip(shipped, found, strict=True)
    ]


def _is_reused(shipment: Shipment, found: Iterable[Shipment]) -> bool:
    return shipment.number is not None and any(
        other.number == shipment.number
        and other.shipped.seller_id == shipment.shipped.seller_id
        and other.shipped.order_id != shipment.shipped.order_id
        for other in found
    )


def _is_late(shipment: Shipment, delivered: TrackingScanned | None, events: Iterable[Event]) -> bool:
    now = shipment.tracking
    if now is None or delivered is None:
        return False
    entered = min(
        event.uploaded_at or event.event_time
        for event in events
        if isinstance(event, TrackingUploaded)
        and (event.seller_id, event.shipment_id) == (now.seller_id, now.shipment_id)
        and event.tracking_number == now.tracking_number
        and replace(shipment, tracking=event).carrier == shipment.carrier
    )
    return entered > (delivered.scanned_at or delivered.event_time)


def _latest(events: Iterable[_Fact]) -> dict[tuple[str, str], _Fact]:
    in_order = sorted(events, key=lambda event: (event.event_time, event.event_id))
    return {(event.seller_id, event.shipment_id): event for event in in_order}


def exemption(shipped: OrderShipped) -> str | None:
    """Why the policy leaves a shipment out, or None where it counts."""
    if shipped.fulfilled_by != "merchant":
        return "marketplace_fulfilled"
    origin, destination, value = shipped.ship_from, shipped.ship_to, shipped.order_value
    if (
        origin is not None
        and destination is not None
        and origin != destination
        and not LETTER_COUNTRIES.isdisjoint({origin, destination})
        and value is not None
        and value.currency == "EUR"
        and value.amount < 20
        and shipped.ship_method == LETTER
    ):
        return "low_value_letter"
    return None


@lru_cache(maxsize=1024)
def is_placeholder(number: str, order_id: str) -> bool:
    bare = "".join(character for character in number.lower() if character.isalnum())
    return bare in PLACEHOLDERS or number == order_id or len(set(number)) == 1


def outcome(shipment: Shipment, hour: int, rules: Rules) -> tuple[Outcome, str | None]:
    """What a shipment is in the given hour, and why where there is a reason."""
    exempt = exemption(shipment.shipped)
    if exempt is not None:
        return "exempt", exempt
    number = shipment.tracking.tracking_number if shipment.tracking is not None else None
    if number is None:
        pending = hour < shipment.ship_hour + 1 + rules.grace_hours
        return "pending" if pending else "defect", "no_tracking"
    if shipment.carrier is None:
        return "defect", "no_carrier"
    if is_placeholder(number, shipment.shipped.order_id):
        return "defect", "placeholder_number"
    if rules.is_strict and shipment.is_reused:
        return "defect", "reused_number"
    if rules.is_strict and shipment.is_late:
        return "defect", "late_tracking"
    return "valid", None


def is_live(shipment: Shipment, hour: int) -> bool:
    return hour - 719 <= shipment.ship_hour <= hour


def is_official(shipment: Shipment, today: int, rules: Rules) -> bool:
    return today - rules.lag_days - 29 <= shipment.promised_day <= today - rules.lag_days


def is_in_or_ahead_of_a_window(shipment: Shipment, instant: datetime, rules: Rules) -> bool:
    hour, today = hour_of(instant), day_of(instant)
    return shipment.ship_hour > hour - 720 or shipment.promised_day > today - rules.lag_days - 30


def rate(valid: int, counted: int) -> float | None:
    """The VTR as it is published: four decimals, half up."""
    if counted == 0:
        return None
    return floor(Fraction(valid, counted) * 10_000 + Fraction(1, 2)) / 10_000


def live_counts(shipments: Iterable[Shipment], instant: datetime, rules: Rules) -> Counts:
    hour = hour_of(instant)
    return _count((shipment for shipment in shipments if is_live(shipment, hour)), hour, rules)


def official_counts(shipments: Iterable[Shipment], instant: datetime, rules: Rules) -> OfficialCounts:
    today = day_of(instant)
    inside = (shipment for shipment in shipments if is_official(shipment, today, rules))
    counts = _count(inside, hour_of(instant), rules)
    return OfficialCounts(
        from_=date_of(today - rules.lag_days - 29),
        to=date_of(today - rules.lag_days),
        counted=counts.counted,
        valid=counts.valid,
        defects=counts.defects,
        pending=counts.pending,
        exempt=counts.exempt,
        ambiguous=counts.ambiguous,
        vtr=counts.vtr,
    )


def _count(shipments: Iterable[Shipment], hour: int, rules: Rules) -> Counts:
    outcomes = [(shipment, outcome(shipment, hour, rules)[0]) for shipment in shipments]
    sums = Counter(each for _, each in outcomes)
    counted = sums["valid"] + sums["defect"]
    ambiguous = [
        shipment for shipment, each in outcomes if each in ("valid", "defect") and shipment.shipped.category == "Toys"
    ]
    return Counts(
        counted=counted,
        valid=sums["valid"],
        defects=sums["defect"],
        pending=sums["pending"],
        exempt=sums["exempt"],
        ambiguous=len(ambiguous) if rules.is_strict else 0,
        vtr=rate(sums["valid"], counted),
    )


def causes_of(shipments: Iterable[Shipment], instant: datetime, rules: Rules) -> Counter[tuple[str, str | None]]:
    """The defects of the live window by reason and carrier."""
    hour = hour_of(instant)
    causes: Counter[tuple[str, str | None]] = Counter()
    for shipment in shipments:
        kind, reason = outcome(shipment, hour, rules)
        if is_live(shipment, hour) and kind == "defect":
            assert reason is not None
            causes[reason, shipment.carrier] += 1
    return causes


def by_scope(shipments: Iterable[Shipment]) -> dict[Scope, list[Shipment]]:
    members: dict[Scope, list[Shipment]] = {}
    for shipment in shipments:
        for scope in shipment.scopes:
            members.setdefault(scope, []).append(shipment)
    return members


def allowance(valid: int, counted: int, status: Status, rules: Rules) -> int:
    """Found by trying, one more defect at a time."""
    if status == "breached" or valid == 0:
        return 0
    defects = 0
    while not rules.is_below_threshold(Fraction(valid, counted + defects + 1)):
        defects += 1
    return defects


def needed_to_recover(valid: int, counted: int, status: Status, rules: Rules) -> int:
    """Found by trying, one more valid shipment at a time. No number of them makes up for a defect where all must be
    valid; callers leave that case out."""
    if status != "breached":
        return 0
    goal = min(Fraction(1), rules.threshold + rules.recover_margin)
    assert goal < 1 or valid == counted
    more = 0
    while counted + more < max(1, rules.min_counted) or not _is_recovered(
        Fraction(valid + more, counted + more), goal, rules
    ):
        more += 1
    return more


def _is_recovered(rate: Fraction, goal: Fraction, rules: Rules) -> bool:
    """Whether a rate ends a breach: it is at the goal, and it does not itself fail (without margin, it might)."""
    return rate >= goal and not rules.is_below_threshold(rate)


def metric_of(scope: Scope, members: Sequence[Shipment], instant: datetime, rules: Rules, status: Status) -> Metric:
    """The metric of a scope with these shipments; its ``policy`` is left empty."""
    live = live_counts(members, instant, rules)
    return Metric(
        seller_id=scope.seller_id,
        marketplace=scope.marketplace,
        category=scope.category,
        as_of=instant,
        live=live,
        official=official_counts(members, instant, rules),
        threshold=float(rules.threshold),
        status=status,
        allowance=allowance(live.valid, live.counted, status, rules),
        needed_to_recover=needed_to_recover(live.valid, live.counted, status, rules),
        policy="",
    )


def metrics(
    events: Iterable[Event], instant: datetime, rules: Rules, statuses: Mapping[Scope, Status]
) -> dict[Scope, Metric]:
    """The metric of every scope that exists. A status depends on what was before, so it is given."""
    return {
        scope: metric_of(scope, members, instant, rules, statuses.get(scope, "ok"))
        for scope, members in by_scope(shipments_of(events)).items()
        if any(is_in_or_ahead_of_a_window(shipment, instant, rules) for shipment in members)
    }


def next_status(current: Status, valid: int, counted: int, rules: Rules) -> Status:
    """One step of the state machine."""
    if counted == 0:
        return "ok"
    if counted < rules.min_counted:
        return current
    vtr = Fraction(valid, counted)
    target: Status
    if rules.is_below_threshold(vtr):
        target = "breached"
    elif vtr < rules.warn:
        target = "at_risk"
    else:
        target = "ok"
    if SEVERITY[target] >= SEVERITY[current]:
        return target
    level_left = rules.threshold if current == "breached" else rules.warn
    return target if vtr >= min(Fraction(1), level_left + rules.recover_margin) else current


@dataclass
class Monitor:
    """Statuses over time. It is told the same steps as an engine, and looks at every scope wherever the engine's
    watermark stops: at each full hour on the way, and at the end of the way."""

    rules: Rules
    events: list[Event] = field(default_factory=list)
    watermark: datetime | None = None
    statuses: dict[Scope, Status] = field(default_factory=dict)

    def apply(self, events: Sequence[Event]) -> None:
        self.events.extend(events)

    def advance(self, to: datetime) -> list[Change]:
        to = max(to, self.watermark or to)
        members = by_scope(shipments_of(self.events))
        changes: list[Change] = []
        for instant in stops(self.watermark, to):
            for scope in sorted({*members, *self.statuses}, key=lambda scope: [part or "" for part in scope]):
                inside = members.get(scope, [])
                live = live_counts(inside, instant, self.rules)
                previous = self.statuses.get(scope, "ok")
                status = next_status(previous, live.valid, live.counted, self.rules)
                if status != previous:
                    causes = causes_of(inside, instant, self.rules)
                    metric = metric_of(scope, inside, instant, self.rules, status)
                    changes.append(Change(instant, scope, previous, status, metric, causes))
                self.statuses[scope] = status
        self.watermark = to
        return changes


def stops(watermark: datetime | None, to: datetime) -> list[datetime]:
    """Where the watermark stops on its way: each full hour after ``watermark``, and ``to``."""
    instants = []
    if watermark is not None:
        instant = EPOCH + (hour_of(watermark) + 1) * HOUR
        while instant < to:
            instants.append(instant)
            instant += HOUR
    return [*instants, to]
