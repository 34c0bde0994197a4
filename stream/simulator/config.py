"""What a simulation is made from."""

from datetime import datetime, timedelta
from random import Random

import msgspec

SHORTEST_HISTORY = timedelta(days=1)
"""The rhythm is one of days and weeks, and late records take hours: they need the time to arrive in."""

MOST_SELLERS = 100_000
"""All profiles are held in memory, 1.6 kB each."""


class SimulationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated marketplace. Equal configurations give equal bytes. Raises ValueError for what cannot be.

    ``start`` and ``end`` (UTC-aware) bound the ship times; no event is dated, and none arrives, after ``end``.
    The shares are of records, from 0 to 1: ``duplicates`` are sent again later, ``out_of_order`` arrive seconds to
    minutes after their event time, ``late`` ones hours to two days after it, ``malformed`` ones are broken
    beyond use. ``scanned`` is the share of properly tracked shipments that the carrier's scans are known of.
    """

    start: datetime
    end: datetime
    seed: int = 1
    sellers: int = 50
    duplicates: float = 0.01
    out_of_order: float = 0.05
    late: float = 0.01
    malformed: float = 0.0
    scanned: float = 0.3

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            if getattr(self, name).utcoffset() is None:
                raise ValueError(f"`{name}` has no time zone")
        if self.end - self.start < SHORTEST_HISTORY:
            raise ValueError("`end` is not at least one day after `start`")
        if not 1 <= self.sellers <= MOST_SELLERS:
            raise ValueError(f"`sellers` is not from 1 to {MOST_SELLERS:,}: {self.sellers}")
        for name in ("duplicates", "out_of_order", "late", "malformed", "scanned"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`{name}` is not a share from 0 to 1: {getattr(self, name)}")
        if self.duplicates + self.out_of_order + self.late + self.malformed > 1:
            raise ValueError("`duplicates`, `out_of_order`, `late` and `malformed` together exceed 1")

    def random(self, purpose: str) -> Random:
        """A generator of its own for one purpose, so drawing more for one never changes another."""
        return Random(f"{self.seed}/{purpose}")  # noqa: S311 - simulated data, not a secret
