"""Which shipments have another verdict by other rules, and by which of them.

Compared are the shipments that are in a window at the end, as they make up the metrics: each by the facts, the rules
and the windows of its own replay.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from stream.engine.numbers import NumberIndex, use_of
from stream.events import OrderShipped, TrackingUploaded
from stream.explain.standing import Standing, standing_of
from stream.policy import Step, explain
from stream.replay.player import Player
from stream.shipment import Shipment, ShipmentId, hour_of, promised_day
from stream.span import Span
from stream.what_if.result import ChangedShipment, Rule, Ruling, VerdictDifference

_About = Literal["verdict", "ambiguity"]
"""What of two rulings differs: what a shipment counts as, or else only whether the sources leave that open."""

_Found = dict[tuple[Ruling, Ruling], list[ChangedShipment]]

_SCAN_REASONS = ("no_scan", "second_scan_missing")

_encode = msgspec.json.Encoder().encode


def verdict_differences(baseline: Player, variants: Sequence[Player], end: datetime) -> list[list[VerdictDifference]]:
    """How the verdicts of each variant's replay differ from the baseline's. All have come to their end."""
    ours, theirs = _Verdicts(baseline, end), [_Verdicts(variant, end) for variant in variants]
    found: list[_Found] = [{} for _ in variants]
    for shipment_id, shipment in baseline.shipments.scan():
        before = ours.seen(shipment)
        if before is None:
            continue
        for side, groups in zip(theirs, found, strict=True):
            (other,) = side.player.shipments.load([shipment_id])
            after = side.seen(other)
            about = None if after is None else _difference(before.standing, after.standing)
            if after is None or about is None:
                continue
            rulings = ours.ruling(shipment, before, about), side.ruling(other, after, about)
            groups.setdefault(rulings, []).append(_changed(shipment_id, before, after))
    return [_sorted(groups) for groups in found]


def merged(parts: Iterable[Sequence[VerdictDifference]]) -> list[VerdictDifference]:
    """The differences of several shares of the sellers as those of all of them."""
    groups: _Found = {}
    for differences in parts:
        for each in differences:
            groups.setdefault((each.baseline, each.variant), []).extend(each.shipments)
    return _sorted(groups)


def _sorted(groups: _Found) -> list[VerdictDifference]:
    """The most frequent first."""
    differences = [
        VerdictDifference(baseline=ours, variant=theirs, shipments=sorted(shipments))
        for (ours, theirs), shipments in groups.items()
    ]
    return sorted(differences, key=lambda each: (-len(each.shipments), _encode((each.baseline, each.variant))))


def _difference(ours: Standing, theirs: Standing) -> _About | None:
    if (ours.outcome, ours.reason) != (theirs.outcome, theirs.reason):
        return "verdict"
    return "ambiguity" if ours.ambiguous != theirs.ambiguous else None


class _Seen(NamedTuple):
    """A shipment that was shipped and is in a window, and as what it counts there."""

    shipped: OrderShipped
    standing: Standing
    is_reused: bool
    live: bool
    official: bool


def _changed(shipment_id: ShipmentId, before: _Seen, after: _Seen) -> ChangedShipment:
    seller_id, shipment = shipment_id
    shipped = after.shipped
    return ChangedShipment(
        seller_id=seller_id,
        shipment_id=shipment,
        order_id=shipped.order_id,
        marketplace=shipped.marketplace,
        category=shipped.category,
        live=before.live or after.live,
        official=before.official or after.official,
    )


class _Verdicts:
    """The verdicts of one replay at its end."""

    def __init__(self, player: Player, end: datetime) -> None:
        self.player = player
        lag_days = player.settings.lag_days
        self._span = Span(lag_days, hour_of(end))
        self._numbers = NumberIndex() if player.policy.judges_reuse else None
        self._rules: dict[tuple[object, ...], Rule] = {}
        if self._numbers is not None:
            # As an engine finds them after a restart.
            for shipment_id, shipment in player.needed():
                self._numbers.update({shipment_id: use_of(shipment)})

    def seen(self, shipment: Shipment) -> _Seen | None:
        """As what a shipment counts; None where it is in no window."""
        shipped, span = shipment.shipped, self._span
        if shipped is None:
            return None
        live = span.first_hour <= hour_of(shipped.shipped_at) <= span.last_hour
        official = span.first_day <= promised_day(shipped) <= span.last_day
        if not live and not official:
            return None
        is_reused = self._numbers is not None and self._numbers.is_reused(use_of(shipment))
        standing = standing_of(self.player.policy, shipment, span.last_hour, is_reused=is_reused)
        return _Seen(shipped, standing, is_reused, live, official)

    def ruling(self, shipment: Shipment, seen: _Seen, about: _About) -> Ruling:
        """The verdict, and the rule behind what differs of it."""
        standing = seen.standing
        has_rule = standing.ambiguous if about == "ambiguity" else standing.reason is not None
        return Ruling(
            outcome=standing.outcome,
            reason=standing.reason,
            ambiguous=standing.ambiguous,
            rule=self._rule(shipment, seen, about) if has_rule else None,
        )

    def _rule(self, shipment: Shipment, seen: _Seen, about: _About) -> Rule:
        shipped, standing = seen.shipped, seen.standing
        entry = self.player.policy.timeline(shipped.marketplace).entry(shipped)
        is_exempt = standing.outcome == "exempt"
        # To explain takes much longer than to judge, and thousands of shipments change their verdict by one rule.
        key: tuple[object, ...] = (entry, about, is_exempt, standing.reason)
        if about == "ambiguity" or is_exempt or standing.reason in _SCAN_REASONS:
            key += _kind(shipped, shipment.tracking)
            if standing.reason not in _SCAN_REASONS or any(rule.bound is not None for rule in entry.entry.scans):
                key += (shipped.order_value, shipped.shipped_at.date())
        rule = self._rules.get(key)
        if rule is None:
            step = self._deciding(shipment, seen, about)
            rule = self._rules[key] = Rule(
                policy=entry.standard.policy, check=step.check, text=step.rule, source=step.source, grade=step.grade
            )
        return rule

    def _deciding(self, shipment: Shipment, seen: _Seen, about: _About) -> Step:
        policy, entered_at = self.player.policy, shipment.entered_at()
        steps = explain(policy, seen.shipped, shipment.tracking, shipment.scans, entered_at, seen.is_reused)
        if about == "ambiguity":
            return next(step for step in steps if step.check == "open_question" and step.result == "applies")
        # The last one is the verdict, and the one before it is what the verdict rests on.
        return steps[-2]


def _kind(shipped: OrderShipped, tracking: TrackingUploaded | None) -> tuple[object, ...]:
    """All that rules ask about except the value."""
    return (
        shipped.fulfilled_by,
        shipped.ship_from,
        shipped.ship_to,
        None if tracking is None else tracking.carrier,
        shipped.carrier,
        shipped.ship_method,
    )
