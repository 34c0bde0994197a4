"""The rules at work: which are in force for a shipment, and its verdict."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from stream.events import Milestone, OrderShipped, TrackingScanned, TrackingUploaded
from stream.policy.compile import CompiledEntry, Decision, Overrides, Plan
from stream.policy.conditions import Facts
from stream.policy.load import DEFAULT, load_families
from stream.policy.model import Family
from stream.policy.money import Rates
from stream.policy.verdict import Standard, Verdict
from stream.settings import Settings
from stream.tracking import number_problem
from stream.tracking.numbers import compact

DELIVERED: Final[Milestone] = "delivered"
"""Tracking that is entered after this is late."""

_HOURS_A_DAY: Final = 24
_EPOCH_DAY: Final = datetime(1970, 1, 1, tzinfo=UTC).toordinal()

_ORDINALS: Final = date.max.toordinal() + 1

_MOST_KINDS = 50_000
"""Kinds of shipment that are remembered, half a kilobyte each. Sellers write carriers and methods as they like, so
there is no natural end to them; at the bound all are forgotten, and the ones that come are worked out again."""

_MOST_DECISIONS = 50_000
"""The same for what was decided of a kind with a carrier that was given with a number."""

_MOST_DAYS = 5_000
"""Days that a marketplace's entries are remembered for: more than there are since the first rules."""


class Period:
    """Days on which a marketplace has the same rules and the same rates."""

    __slots__ = ("entry", "rates_day")

    def __init__(self, entry: CompiledEntry, rates_day: int) -> None:
        self.entry = entry
        self.rates_day = rates_day


class Timeline:
    """The entries of one marketplace in order, its days before the first one filled by the default family's."""

    def __init__(self, entries: Iterable[CompiledEntry], rates: Rates, *, by_promise: bool) -> None:
        self._entries = list(entries)
        self._first_days = [entry.entry.first_day for entry in self._entries]
        self._rates = rates
        self._by_promise = by_promise
        self._periods: dict[tuple[int, int], Period] = {}
        self._by_day: dict[int, Period] = {}

    def on(self, day: int) -> CompiledEntry:
        """The entry in force on a day (:meth:`datetime.date.toordinal`)."""
        return self._entries[bisect_right(self._first_days, day) - 1]

    def entry(self, shipped: OrderShipped) -> CompiledEntry:
        """The entry that a shipment falls under."""
        promised = shipped.promised_delivery_by
        return self.on(utc_day(shipped.shipped_at if promised is None or not self._by_promise else promised))

    def period(self, shipped: OrderShipped) -> Period:
        """The rules and the rates that a shipment falls under."""
        shipped_at = shipped.shipped_at
        both = day = ship_day = shipped_at.toordinal() if shipped_at.tzinfo is UTC else utc_day(shipped_at)
        if self._by_promise and shipped.promised_delivery_by is not None:
            day = utc_day(shipped.promised_delivery_by)
            both = day * _ORDINALS + ship_day  # quicker to look up than a pair
        period = self._by_day.get(both)
        if period is None:
            if len(self._by_day) >= _MOST_DAYS:
                self._by_day.clear()
            entry = self.on(day)
            same = (entry.entry.first_day, self._rates.period(ship_day))
            period = self._by_day[both] = self._periods.setdefault(same, Period(entry, ship_day))
        return period


class RulesPolicy:
    """The rules of all marketplaces as a :class:`~stream.policy.verdict.Policy`."""

    def __init__(self, families: Mapping[str, Family], rates: Rates, overrides: Overrides | None = None) -> None:
        self.overrides = overrides = overrides or Overrides()
        compiled = {
            name: [CompiledEntry(family, entry, overrides) for entry in family.rules]
            for name, family in families.items()
        }
        self.families = families
        self.rates = rates
        self._compiled = compiled
        default = compiled[DEFAULT]
        self._default = Timeline(default, rates, by_promise=families[DEFAULT].dated_by == "promised_delivery")
        self._timelines = {
            code: Timeline(_filled(default, compiled[name]), rates, by_promise=family.dated_by == "promised_delivery")
            for name, family in families.items()
            for code in family.marketplaces
        }
        self._kinds: dict[tuple[object, ...], KindRules] = {}
        self._decisions: dict[tuple[KindRules, str | None], Decision] = {}
        self.milestones: frozenset[Milestone] = frozenset({DELIVERED}).union(
            *(entry.milestones for entries in compiled.values() for entry in entries)
        )
        self.judges_reuse = any(entry.reuse_is_defect for entries in compiled.values() for entry in entries)

    @classmethod
    def of(cls, settings: Settings) -> "RulesPolicy":
        """The policy that the settings describe. Raises :class:`~stream.policy.error.PolicyError`."""
        rates = Rates.load(Path(settings.rates_file) if settings.rates_file else None)
        file = Path(settings.policy_file) if settings.policy_file else None
        overrides = Overrides(
            threshold=settings.threshold, grace_hours=settings.grace_hours, valid_when=settings.valid_when
        )
        return cls(load_families(rates.currencies, file), rates, overrides)

    def entries(self, family: str) -> Sequence[CompiledEntry]:
        """The entries of a family in order. Raises KeyError."""
        return self._compiled[family]

    def timeline(self, marketplace: str | None) -> Timeline:
        """The dated rules of a marketplace; None, or one without rules of its own: the default family's."""
        return self._default if marketplace is None else self._timelines.get(marketplace, self._default)

    def standard(self, marketplace: str | None, hour: int) -> Standard:
        """What a marketplace (None: a seller over all of them) is held to in an hour since 1970 UTC."""
        return self.timeline(marketplace).on(_EPOCH_DAY + hour // _HOURS_A_DAY).standard

    def rules_for(self, shipped: OrderShipped) -> "KindRules":
        """See :class:`stream.policy.verdict.Policy`."""
        period = self._timelines.get(shipped.marketplace, self._default).period(shipped)
        value = shipped.order_value
        currency = None if value is None else value.currency
        kind = (
            period,
            shipped.fulfilled_by,
            shipped.ship_from,
            shipped.ship_to,
            shipped.carrier,
            shipped.ship_method,
            currency,
        )
        rules = self._kinds.get(kind)
        if rules is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            rules = self._kinds[kind] = KindRules(period, currency, self.rates, self._decisions)
        return rules


class KindRules:
    """The rules for one kind of shipment, told apart by what rules ask about except the amount and the carrier that is
    given with a number, as :class:`~stream.policy.verdict.Rules`."""

    __slots__ = ("_currency", "_decisions", "_period", "_rates")

    def __init__(
        self,
        period: Period,
        currency: str | None,
        rates: Rates,
        decisions: "dict[tuple[KindRules, str | None], Decision]",
    ) -> None:
        self._period = period
        self._currency = currency
        self._rates = rates
        self._decisions = decisions

    def judge(
        self,
        shipped: OrderShipped,
        tracking: TrackingUploaded | None,
        scans: Sequence[TrackingScanned],
        entered_at: datetime | None,
        is_reused: bool,
    ) -> Verdict:
        """See :class:`stream.policy.verdict.Rules`.

        Of several defects it is the first in the order in which a seller would repair them.
        """
        plan = self._plan(shipped, None if tracking is None else tracking.carrier)
        if plan.settled is not None:
            return plan.settled
        number = None if tracking is None else tracking.tracking_number
        if number is None:
            return plan.no_tracking
        if plan.carrier is None and plan.unusable_carrier is not None:
            return plan.unusable_carrier
        problem = number_problem(number, plan.carrier, shipped.order_id)
        if problem is not None:
            return plan.placeholder_number if problem == "placeholder_number" else plan.malformed_number
        if is_reused and plan.reused_number is not None:
            return plan.reused_number
        if scans and entered_at is not None and is_late(entered_at, scans):
            return plan.late_tracking
        if plan.needs:
            return _scan_verdict(plan, number, scans)
        return plan.is_valid

    def _plan(self, shipped: OrderShipped, carrier: str | None) -> Plan:
        decision = self._decisions.get((self, carrier))
        if decision is None:
            decision = self._decide(shipped, carrier)
        if decision.bands:
            value = shipped.order_value
            if value is not None:
                amount = value.amount
                for limit, plan in decision.bands:
                    if amount < limit:
                        return plan
        return decision.otherwise

    def _decide(self, shipped: OrderShipped, carrier: str | None) -> Decision:
        if len(self._decisions) >= _MOST_DECISIONS:
            self._decisions.clear()
        facts = Facts.of(shipped.ship_from, shipped.ship_to, (carrier, shipped.carrier), shipped.ship_method)
        period = self._period
        decision = self._decisions[self, carrier] = period.entry.decide(
            shipped.fulfilled_by, facts, self._currency, period.rates_day, self._rates
        )
        return decision


def _filled(default: list[CompiledEntry], own: list[CompiledEntry]) -> list[CompiledEntry]:
    first = own[0].entry.first_day
    return [entry for entry in default if entry.entry.first_day < first] + own


def utc_day(instant: datetime) -> int:
    """The UTC day of an instant (:meth:`datetime.date.toordinal`)."""
    return (instant if instant.tzinfo is UTC else instant.astimezone(UTC)).toordinal()


def is_late(entered_at: datetime, scans: Sequence[TrackingScanned]) -> bool:
    """Whether the tracking was entered after the package had been delivered: too late for good."""
    return any(scan.milestone == DELIVERED and entered_at > (scan.scanned_at or scan.event_time) for scan in scans)


def scans_of(number: str, scans: Sequence[TrackingScanned]) -> list[TrackingScanned]:
    """The scans that are of this number, as far as they say."""
    return [
        scan
        for scan in scans
        if scan.tracking_number is None
        or scan.tracking_number == number
        or compact(scan.tracking_number) in ("", compact(number))  # a blank says nothing
    ]


def _scan_verdict(plan: Plan, number: str, scans: Sequence[TrackingScanned]) -> Verdict:
    seen = {scan.milestone for scan in scans_of(number, scans)}
    if not seen:
        return plan.no_scan
    return plan.is_valid if all(seen & kind for kind in plan.needs) else plan.second_scan_missing
