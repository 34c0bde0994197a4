"""The seam between the engine and the rules: what a policy is asked, and what it answers."""

from enum import IntEnum
from fractions import Fraction
from typing import NamedTuple, Protocol

from stream.shipment import ScanFact, ShippedFact, TrackingFact


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

    ``reason`` is a stable code (None when valid); ``carrier`` is named for defects only, where a seller needs it to
    find the cause; ``grace_hours`` are whole hours after the shipment's hour, for awaiting ones.
    """

    outcome: Outcome
    reason: str | None = None
    carrier: str | None = None
    grace_hours: int = 0


class Standard(NamedTuple):
    """What a scope is held to: the threshold as an exact share, and the name of the rules."""

    threshold: Fraction
    policy: str


class Policy(Protocol):
    """The rules. Pure: the same facts give the same verdict, whenever and in whatever order they came."""

    def judge(self, shipped: ShippedFact, tracking: TrackingFact | None, scans: tuple[ScanFact, ...]) -> Verdict:
        """The verdict on one shipment."""
        ...

    def standard(self, marketplace: str | None, hour: int) -> Standard:
        """What a marketplace (None: a seller over all of them) is held to in an hour since 1970 UTC."""
        ...
