"""Why a shipment has its verdict: each rule that was asked and each check that was made, in order, in plain words.

This goes through the rules one by one with the amounts as they are, while :mod:`stream.policy.judge` looks up what it
has worked out; tests hold the two to the same verdict.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from stream.events import Money, OrderShipped, TrackingScanned, TrackingUploaded
from stream.policy.compile import SCANS, CompiledEntry
from stream.policy.conditions import Conditions, Facts
from stream.policy.judge import RulesPolicy, is_late, scans_of, utc_day
from stream.policy.model import FULFILLED_GRADE, FULFILLED_SOURCES, Grade
from stream.policy.money import Rates
from stream.policy.verdict import Outcome, Verdict
from stream.policy.words import (
    condition_words,
    dates_words,
    needs_words,
    reuse_words,
    rule_words,
    unknown_carrier_words,
)
from stream.tracking import explain_number, number_problem

Check = Literal[
    "rules",
    "fulfilled_by",
    "exemption",
    "open_question",
    "unknown_carrier",
    "tracking",
    "carrier",
    "number",
    "reuse",
    "entered",
    "scans",
    "verdict",
]

Result = Literal["info", "applies", "does_not_apply", "passed", "failed", "pending", "flagged"]


_NUMBER_RULES: dict[str | None, str] = {
    None: "the tracking number is one that its carrier can have given",
    "malformed_number": "the tracking number is one that its carrier can have given",
    "placeholder_number": "a placeholder is no tracking number",
}


class Step(Struct, frozen=True, kw_only=True):
    """One rule or check. ``source`` and ``grade`` say where a rule is from; ``verdict`` is there in the last step.

    ``rule`` says it in words that are the same for every shipment, while ``text`` may name this one's number or scans.
    """

    check: Check
    result: Result
    text: str
    rule: str
    source: tuple[str, ...] = ()
    grade: Grade | None = None
    verdict: Verdict | None = None


def explain(
    policy: RulesPolicy,
    shipped: OrderShipped,
    tracking: TrackingUploaded | None,
    scans: Sequence[TrackingScanned],
    entered_at: datetime | None,
    is_reused: bool,
) -> list[Step]:
    """Each step to the verdict that :class:`~stream.policy.judge.KindRules` gives. The last one has it."""
    entry = policy.timeline(shipped.marketplace).entry(shipped)
    explanation = _Explanation(policy.rates, entry, shipped, tracking)
    verdict = explanation.verdict(scans, entered_at, is_reused=is_reused)
    text = _verdict_text(verdict)
    return [*explanation.steps, Step(check="verdict", result="info", text=text, rule=text, verdict=verdict)]


class _Explanation:
    def __init__(
        self, rates: Rates, entry: CompiledEntry, shipped: OrderShipped, tracking: TrackingUploaded | None
    ) -> None:
        self.steps: list[Step] = []
        self._rates = rates
        self._entry = entry
        self._shipped = shipped
        self._number = None if tracking is None else tracking.tracking_number
        self._facts = Facts.of(
            shipped.ship_from,
            shipped.ship_to,
            (None if tracking is None else tracking.carrier, shipped.carrier),
            shipped.ship_method,
        )

    def verdict(self, scans: Sequence[TrackingScanned], entered_at: datetime | None, *, is_reused: bool) -> Verdict:
        self._tell_rules()
        exempt = self._exemption()
        if exempt is not None:
            return Verdict(Outcome.EXEMPT, exempt)
        ambiguous = self._is_open()
        reason = self._defect(scans, entered_at, is_reused=is_reused)
        if reason is None:
            return Verdict(Outcome.VALID, ambiguous=ambiguous)
        validity = self._entry.entry.validity
        grace = {
            "no_tracking": self._entry.grace_hours,
            "no_scan": validity.scan_grace_hours,
            "second_scan_missing": validity.second_scan_grace_hours,
        }
        outcome = Outcome.AWAITING if reason in grace else Outcome.DEFECT
        return Verdict(outcome, reason, self._facts.carrier_name, grace.get(reason, 0), ambiguous)

    def _step(
        self,
        check: Check,
        result: Result,
        text: str,
        source: tuple[str, ...] = (),
        grade: Grade | None = None,
        *,
        rule: str | None = None,
    ) -> None:
        self.steps.append(Step(check=check, result=result, text=text, rule=rule or text, source=source, grade=grade))

    def _tell_rules(self) -> None:
        entry, shipped = self._entry, self._shipped
        text = (
            f"{entry.family.title}: {entry.standard.policy}, {dates_words(entry)}, for what was "
            f"{'promised for' if entry.family.dated_by == 'promised_delivery' else 'shipped on'} these days "
            f"(shipped {shipped.shipped_at.isoformat()}, marketplace {shipped.marketplace})"
        )
        threshold = entry.entry.threshold
        self._step("rules", "info", text, threshold.source, threshold.grade)

    # --- Does it count -----------------------------------------------------------------------------------------------

    def _exemption(self) -> str | None:
        if self._shipped.fulfilled_by != "merchant":
            text = "the marketplace fulfils it, so it never counts"
            self._step("fulfilled_by", "applies", text, FULFILLED_SOURCES, FULFILLED_GRADE)
            return "marketplace_fulfilled"
        self._step("fulfilled_by", "passed", "the merchant fulfils it")
        for rule in self._entry.entry.exempt:
            unmet = self._unmet(rule)
            note = f" ({rule.note})" if rule.note else ""
            text = f"left out as {rule.reason}{note}: it is {rule_words(rule)}"
            otherwise = f"not left out as {rule.reason}{note}"
            self._step("exemption", *_applied(text, otherwise, unmet), rule.source, rule.grade)
            if not unmet:
                return rule.reason
        unknown = self._entry.entry.unknown_carrier
        if self._is_unknown_carrier and unknown.treatment == "left_out":
            words = unknown_carrier_words(self._entry)
            text = f"{words}: {self._facts.carrier}"
            self._step("unknown_carrier", "applies", text, unknown.source, unknown.grade, rule=words)
            return "carrier_not_integrated"
        return None

    def _is_open(self) -> bool:
        is_open = False
        for rule in self._entry.entry.ambiguous:
            unmet = self._unmet(rule)
            text = f"flagged, because {rule.open}: it is {rule_words(rule)}"
            otherwise = f"not in question, though {rule.open}"
            self._step("open_question", *_applied(text, otherwise, unmet), rule.source, rule.grade)
            is_open = is_open or not unmet
        unknown = self._entry.entry.unknown_carrier
        if self._is_unknown_carrier:
            text = f"{unknown_carrier_words(self._entry)}: {self._facts.carrier}"
            if unknown.open is not None:
                self._step("open_question", "applies", f"{text}; {unknown.open}", unknown.source, unknown.grade)
                is_open = True
        return is_open

    @property
    def _is_unknown_carrier(self) -> bool:
        return self._facts.carrier is not None and self._facts.known is None

    def _unmet(self, rule: Conditions) -> list[str]:
        words = condition_words(rule)
        unmet = [words[name] for name in rule.unmet(self._facts)]
        bound, value = rule.bound, self._shipped.order_value
        if bound is not None:
            if value is None:
                unmet.append(f"{words['value']} (its value is not given)")
            else:
                holds = bound.holds(value, utc_day(self._shipped.shipped_at), self._rates)
                if holds is None:
                    unmet.append(f"{words['value']} (there is no rate for {value.currency} on that day)")
                elif not holds:
                    unmet.append(f"{words['value']} (it is worth {self._worth(value, bound.currency)})")
        return unmet

    def _worth(self, value: Money, currency: str) -> str:
        text = f"{value.currency} {value.amount}"
        converted = self._rates.convert(value.amount, value.currency, currency, utc_day(self._shipped.shipped_at))
        return text if converted is None or currency == value.currency else f"{text}, {currency} {float(converted):.4f}"

    # --- Is it valid -------------------------------------------------------------------------------------------------

    def _defect(self, scans: Sequence[TrackingScanned], entered_at: datetime | None, *, is_reused: bool) -> str | None:
        """The first reason in the order in which a seller would repair them; None where there is none."""
        facts, number = self._facts, self._number
        if number is None:
            grace, hours = self._entry.entry.grace, self._entry.grace_hours
            own = "" if hours == grace.hours else f" (set, instead of {grace.hours})"
            text = f"there is no tracking number; it may be missing for {hours} hours{own} after the hour of shipping"
            self._step("tracking", "pending", text, grace.source, grace.grade)
            return "no_tracking"
        self._step("tracking", "passed", f"the tracking number is {number}")
        if facts.carrier is None:
            self._step("carrier", "failed", "there is no carrier, neither with the tracking nor with the order")
            return "no_carrier"
        unknown = self._entry.entry.unknown_carrier
        if facts.known is None and unknown.treatment == "invalid":
            words = unknown_carrier_words(self._entry)
            self._step("carrier", "failed", f"{words}: {facts.carrier}", unknown.source, unknown.grade, rule=words)
            return "carrier_not_integrated"
        if facts.known is None:
            text = f"{facts.carrier} is no known carrier; {unknown_carrier_words(self._entry)}"
            self._step("carrier", "passed", text, unknown.source, unknown.grade)
        else:
            meant = "" if facts.carrier == facts.known.name else f", given as {facts.carrier}"
            self._step("carrier", "passed", f"the carrier is {facts.known.name}{meant}")
        problem = number_problem(number, facts.known, self._shipped.order_id)
        report = explain_number(number, facts.known, self._shipped.order_id)
        result: Result = "passed" if problem is None else "failed"
        self._step("number", result, f"{number}: {report.sentence}", rule=_NUMBER_RULES[problem])
        if problem is not None:
            return problem
        if is_reused:
            reuse = self._entry.entry.reuse
            text = f"another shipment of the seller has the number, which {reuse_words(self._entry)}"
            source, grade = ((), None) if reuse is None else (reuse.source, reuse.grade)
            self._step("reuse", "failed" if self._entry.reuse_is_defect else "flagged", text, source, grade)
            if self._entry.reuse_is_defect:
                return "reused_number"
        if self._is_late(scans, entered_at):
            return "late_tracking"
        return self._scan_defect(number, scans) if self._entry.valid_when == "scan" else None

    def _is_late(self, scans: Sequence[TrackingScanned], entered_at: datetime | None) -> bool:
        delivered = next((scan for scan in scans if scan.milestone == "delivered"), None)
        if delivered is None or entered_at is None:
            return False
        late = is_late(entered_at, scans)
        text = (
            f"the tracking was entered {entered_at.isoformat()}, {'after' if late else 'not after'} the delivery "
            f"{(delivered.scanned_at or delivered.event_time).isoformat()}"
        )
        rule = "tracking is entered before the delivery"
        self._step("entered", "failed" if late else "passed", text, ("S4", "S12"), "A", rule=rule)
        return late

    def _scan_defect(self, number: str, scans: Sequence[TrackingScanned]) -> str | None:
        rule = next(rule for rule in self._entry.entry.scans if not self._unmet(rule))
        seen = sorted({scan.milestone for scan in scans_of(number, scans)})
        missing = tuple(kind for kind in rule.needs if SCANS[kind].isdisjoint(seen))
        validity = self._entry.entry.validity
        words = f"what is {rule_words(rule)} needs {needs_words(rule.needs)}"
        needed = f"{words}; seen: {', '.join(seen) or 'none'}"
        if not missing:
            self._step("scans", "passed", needed, rule.source, rule.grade, rule=words)
            return None
        hours = validity.second_scan_grace_hours if seen else validity.scan_grace_hours
        text = f"{needed}; {needs_words(missing)} may be missing for {hours} hours after the hour of shipping"
        words = f"{words}, {'all' if seen else 'the first'} within {hours} hours after the hour of shipping"
        self._step("scans", "pending", text, rule.source, rule.grade, rule=words)
        return "second_scan_missing" if seen else "no_scan"


def _applied(text: str, otherwise: str, unmet: list[str]) -> tuple[Result, str]:
    return ("does_not_apply", f"{otherwise}: it is not {', nor '.join(unmet)}") if unmet else ("applies", text)


def _verdict_text(verdict: Verdict) -> str:
    text = {
        Outcome.VALID: "valid",
        Outcome.DEFECT: f"a defect: {verdict.reason}",
        Outcome.AWAITING: f"pending until {verdict.grace_hours} hours after the hour of shipping, then a defect: "
        f"{verdict.reason}",
        Outcome.EXEMPT: f"left out: {verdict.reason}",
    }[verdict.outcome]
    return f"{text}; counted although the sources leave the rule open" if verdict.ambiguous else text
