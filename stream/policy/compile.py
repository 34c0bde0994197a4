"""Rules made cheap: what an entry says of a kind of shipment, worked out once and looked up from then on.

A kind is all that rules ask about except the amount. The amount only decides between bands: below the first limit,
below the second, and so on. So a decision is a few comparisons at most, and everything in it is ready: verdicts are
made once.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final, Literal, TypeVar, get_args

from msgspec import Struct

from stream.events import Milestone
from stream.policy.conditions import Conditions, Facts
from stream.policy.model import Entry, Family, ScanKind
from stream.policy.money import Rates
from stream.policy.verdict import Outcome, Standard, Verdict
from stream.tracking import Carrier

SCANS: Final[dict[ScanKind, frozenset[Milestone]]] = {
    "physical": frozenset(get_args(Milestone)),
    "arrival": frozenset({"arrived_at_facility"}),
    "delivery": frozenset({"delivery_attempted", "delivered"}),
}
"""Which milestones each kind of scan is. All milestones are physical: someone had the package in hand. The pair that
some origins need is arrival at a carrier's facility, and delivery or an attempt at it."""

_MOST_PLANS = 4096
"""Per entry. Known carriers are some hundred; unknown ones have the names that sellers make up."""

R = TypeVar("R", bound=Conditions)


class Overrides(Struct, frozen=True, kw_only=True):
    """What the settings put in place of the rules' own; None leaves it to them."""

    threshold: Decimal | None = None
    grace_hours: int | None = None
    valid_when: Literal["tracking", "scan"] | None = None


class Plan:
    """What becomes of shipments of one kind in one band of value; the verdicts to choose from."""

    __slots__ = (
        "carrier",
        "is_valid",
        "late_tracking",
        "malformed_number",
        "needs",
        "no_scan",
        "no_tracking",
        "placeholder_number",
        "reused_number",
        "second_scan_missing",
        "settled",
        "unusable_carrier",
    )

    def __init__(
        self,
        entry: "CompiledEntry",
        given: str | None,
        known: Carrier | None,
        needs: tuple[ScanKind, ...],
        *,
        ambiguous: bool,
    ) -> None:
        carrier_name = given if known is None else known.name

        def verdict(outcome: Outcome, reason: str, grace_hours: int = 0) -> Verdict:
            return Verdict(outcome, reason, carrier_name, grace_hours, ambiguous)

        validity = entry.entry.validity
        self.carrier = known
        self.settled: Verdict | None = None
        self.is_valid = Verdict(Outcome.VALID, ambiguous=ambiguous)
        self.no_tracking = verdict(Outcome.AWAITING, "no_tracking", entry.grace_hours)
        self.placeholder_number = verdict(Outcome.DEFECT, "placeholder_number")
        self.malformed_number = verdict(Outcome.DEFECT, "malformed_number")
        self.late_tracking = verdict(Outcome.DEFECT, "late_tracking")
        self.unusable_carrier: Verdict | None = None
        if carrier_name is None:
            self.unusable_carrier = verdict(Outcome.DEFECT, "no_carrier")
        elif known is None and entry.entry.unknown_carrier.treatment == "invalid":
            self.unusable_carrier = verdict(Outcome.DEFECT, "carrier_not_integrated")
        self.reused_number = verdict(Outcome.DEFECT, "reused_number") if entry.reuse_is_defect else None
        self.needs = tuple(SCANS[kind] for kind in needs) if entry.valid_when == "scan" else ()
        self.no_scan = verdict(Outcome.AWAITING, "no_scan", validity.scan_grace_hours)
        self.second_scan_missing = verdict(Outcome.AWAITING, "second_scan_missing", validity.second_scan_grace_hours)


class Decision:
    """The plans of one kind of shipment by the amount: ``bands`` are upper limits, each just too much, ascending.

    ``otherwise`` holds above all limits, and for what has no value or one in an unknown currency.
    """

    __slots__ = ("bands", "otherwise")

    def __init__(self, bands: tuple[tuple[Decimal, Plan], ...], otherwise: Plan) -> None:
        self.bands = bands
        self.otherwise = otherwise


class CompiledEntry:
    """One dated entry with the settings applied."""

    def __init__(self, family: Family, entry: Entry, overrides: Overrides) -> None:
        self.family = family
        self.entry = entry
        threshold = entry.threshold.share if overrides.threshold is None else overrides.threshold
        self.standard = Standard(Fraction(threshold), family.policy_name(entry))
        self.grace_hours = entry.grace.hours if overrides.grace_hours is None else overrides.grace_hours
        self.valid_when = overrides.valid_when or entry.validity.when
        self.milestones: frozenset[Milestone] = frozenset()
        """Those that the entry asks for."""
        if self.valid_when == "scan":
            self.milestones = self.milestones.union(*(SCANS[kind] for rule in entry.scans for kind in rule.needs))
        self.reuse_is_defect = entry.reuse is not None and entry.reuse.treatment == "defect"
        # Kinds of shipment are many more than plans.
        self._plan = lru_cache(_MOST_PLANS)(self._make_plan)
        self._exempt = lru_cache(_MOST_PLANS)(self._make_exempt)

    def _make_plan(
        self, given: str | None, known: Carrier | None, needs: tuple[ScanKind, ...], ambiguous: bool
    ) -> Plan:
        return Plan(self, given, known, needs, ambiguous=ambiguous)

    def _make_exempt(self, reason: str) -> Plan:
        plan = Plan(self, None, None, (), ambiguous=False)
        plan.settled = Verdict(Outcome.EXEMPT, reason)
        return plan

    def decide(self, fulfilled_by: str, facts: Facts, currency: str | None, day: int, rates: Rates) -> Decision:
        """What the entry says of a kind of shipment, at the rates of a day."""
        if fulfilled_by != "merchant":
            return Decision((), self._exempt("marketplace_fulfilled"))

        def limited(rules: Iterable[R]) -> list[tuple[R, Decimal | None]]:
            return list(_limited(rules, facts, currency, day, rates))

        exempt, ambiguous = limited(self.entry.exempt), limited(self.entry.ambiguous)
        scans = limited(self.entry.scans)
        limits = sorted({limit for _, limit in (*exempt, *ambiguous, *scans) if limit is not None})

        def plan(below: Decimal | None) -> Plan:
            """For amounts just below a limit; None: above all of them."""

            def applies(limit: Decimal | None) -> bool:
                return limit is None or (below is not None and below <= limit)

            for exemption, limit in exempt:
                if applies(limit):
                    return self._exempt(exemption.reason)
            is_open = any(applies(limit) for _, limit in ambiguous)
            if facts.carrier is not None and facts.known is None:
                if self.entry.unknown_carrier.treatment == "left_out":
                    return self._exempt("carrier_not_integrated")
                is_open = is_open or self.entry.unknown_carrier.open is not None
            scan = next(scan for scan, limit in scans if applies(limit))
            return self._plan(None if facts.known else facts.carrier, facts.known, scan.needs, is_open)

        return Decision(tuple((limit, plan(limit)) for limit in limits), plan(None))


def _limited(
    rules: Iterable[R], facts: Facts, currency: str | None, day: int, rates: Rates
) -> Iterator[tuple[R, Decimal | None]]:
    """The rules that may apply to a kind of shipment, each with its limit in the shipment's currency, if it has one."""
    for rule in rules:
        if not rule.hold(facts):
            continue
        bound = rule.bound
        if bound is None:
            yield rule, None
        elif (limit := bound.limit(currency, day, rates)) is not None:
            yield rule, limit
