"""The seam between the engine and the rules: what a policy is asked, and what it answers."""

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum
from fractions import Fraction
from typing import NamedTuple, Protocol

from stream.events import Milestone, OrderShipped, TrackingScanned, TrackingUploaded

MAX_GRACE_HOURS = 28 * 24
"""A grace period ends while its shipment is still in the live window of 30 days."""


class Outcome(IntEnum):
    """What a shipment adds to. The values index the engine's counters."""

    VALID = 0
    DEFECT = 1
    AWAITING = 2
    """Pending while its grace period lasts, a defect with the same reason afterwards."""
    EXEMPT = 3

    # Verdicts are looked up for every event; Enum's own hash is a call into Python.
    __hash__ = int.__hash__


class Verdict(NamedTuple):
    """What the rules say of one shipment.

    ``reason`` is a stable code (None when valid); ``carrier`` is named for defects and awaiting ones only, where a
    seller needs it to find the cause: its known name, or as the seller gave it. ``grace_hours`` are whole hours after
    the shipment's hour, for awaiting ones, and at most :data:`MAX_GRACE_HOURS`; ``ambiguous`` ones are counted although
    the sources of the rules leave that open.
    """

    outcome: Outcome
    reason: str | None = None
    carrier: str | None = None
    grace_hours: int = 0
    ambiguous: bool = False


class Standard(NamedTuple):
    """What a scope is held to: the threshold as an exact share, and the name of the rules."""

    threshold: Fraction
    policy: str


class Rules(Protocol):
    """The rules that a shipment falls under by what was shipped: what remains to be asked is its tracking."""

    def judge(
        self,
        shipped: OrderShipped,
        tracking: TrackingUploaded | None,
        scans: Sequence[TrackingScanned],
        entered_at: datetime | None,
        is_reused: bool,
    ) -> Verdict:
        """The verdict on one shipment, by the rules in force when it was shipped.

        ``scans`` holds the latest event per milestone; ``entered_at`` is when the present number was first entered
        with the present carrier, in whatever spelling; ``is_reused`` says that a shipment of another order of the
        seller has the same number.
        """
        ...


class Policy(Protocol):
    """The rules. Pure: the same facts give the same verdict, whenever and in whatever order they came."""

    @property
    def judges_reuse(self) -> bool:
        """Whether a number that is used again can be a defect. Only then is it found out."""
        ...

    @property
    def milestones(self) -> frozenset[Milestone]:
        """The milestones that a verdict may hang on. Scans of others change none."""
        ...

    def rules_for(self, shipped: OrderShipped) -> Rules:
        """The rules that a shipment falls under, for as long as this is what was shipped."""
        ...

    def standard(self, marketplace: str | None, hour: int) -> Standard:
        """What a marketplace (None: a seller over all of them) is held to in an hour since 1970 UTC."""
        ...
