"""What a comparison says: each variant beside the baseline, and all that differs."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from stream.explain.standing import StandingOutcome
from stream.policy.explain import Check
from stream.policy.model import Grade
from stream.records import Alert, AlertType, Counts, Metric, Status


class Totals(Struct, frozen=True, kw_only=True):
    """One replay in short: its scopes by status at the end, its alerts by type, and the sum over all sellers of what is
    in their live windows at the end."""

    statuses: dict[Status, int]
    alerts: dict[AlertType, int]
    live: Counts


class StatusDifference(Struct, frozen=True, kw_only=True):
    """A scope whose status differs at the end; None where it is not there."""

    seller_id: str
    marketplace: str | None
    category: str | None
    baseline: Metric | None
    variant: Metric | None


AlertChange = Literal["appears", "vanishes", "moves"]


class AlertDifference(Struct, frozen=True, kw_only=True):
    """An alert that only the variant has (``appears``), that only the baseline has (``vanishes``), or that both have at
    different times (``moves``): of the same scope and status, where the times for which they hold overlap."""

    change: AlertChange
    baseline: Alert | None
    variant: Alert | None


class Rule(Struct, frozen=True, kw_only=True, order=True):
    """The rule that a verdict rests on; ``policy`` names the rules it is one of, ``source`` and ``grade`` say where it
    is from."""

    policy: str
    check: Check
    text: str
    source: tuple[str, ...]
    grade: Grade | None


class Ruling(Struct, frozen=True, kw_only=True):
    """As what a shipment counts, and the rule that decided it: None where all rules are met, and it is valid."""

    outcome: StandingOutcome
    reason: str | None
    ambiguous: bool
    rule: Rule | None


class ChangedShipment(Struct, frozen=True, kw_only=True, order=True):
    """A shipment whose verdict differs; ``live`` and ``official``: which windows it is in at the end."""

    seller_id: str
    shipment_id: str
    order_id: str
    marketplace: str
    category: str
    live: bool
    official: bool


class VerdictDifference(Struct, frozen=True, kw_only=True):
    """Shipments whose verdict differs in the same way, by the same rules."""

    baseline: Ruling
    variant: Ruling
    shipments: list[ChangedShipment]


class Comparison(Struct, frozen=True, kw_only=True):
    """A variant beside the baseline. ``settings`` are those that differ, as they were given.

    ``statuses``: the worst first; ``alerts``: in order of time; ``verdicts``: the most frequent first, of the shipments
    that are in a window of both replays at the end.
    """

    name: str
    settings: dict[str, str]
    totals: Totals
    statuses: list[StatusDifference]
    alerts: list[AlertDifference]
    verdicts: list[VerdictDifference]


class WhatIf(Struct, frozen=True, kw_only=True):
    """All variants beside the baseline as of an instant, after so many events. ``as_of`` is None without any."""

    as_of: datetime | None
    events: int
    baseline: Totals
    variants: list[Comparison]
