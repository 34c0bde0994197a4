"""Which sellers get series of their own: none by default, because every series costs memory in Prometheus."""

from collections.abc import Iterable, Mapping
from heapq import nlargest, nsmallest
from typing import NamedTuple

from stream.records import Status

MOST = 100
"""Sellers at most, by name or as the worst of a worker."""

_WORST = "worst:"


class Rated(NamedTuple):
    """A seller and the live window of its widest scope. In the order of these fields the worst come first."""

    ratio: float
    fewer: int
    """The negative of the counted shipments: of two sellers with one VTR the larger one matters more."""
    seller: str
    allowance: int
    status: Status

    @property
    def counted(self) -> int:
        """The counted shipments."""
        return -self.fewer


class SellerChoice(NamedTuple):
    """The value of the setting ``metrics_sellers``: the sellers by name, or how many of the worst."""

    names: frozenset[str] = frozenset()
    worst: int = 0

    @classmethod
    def parse(cls, value: str) -> "SellerChoice":
        """``A1,A2`` or ``worst:20``; nothing for none. Raises ValueError with what is wrong."""
        if value.startswith(_WORST):
            number = value.removeprefix(_WORST)
            if not number.isdecimal() or not 1 <= int(number) <= MOST:
                raise ValueError(f"Expected worst:N with N from 1 to {MOST}, got {value!r}")
            return cls(worst=int(number))
        names = frozenset(name for part in value.split(",") if (name := part.strip()))
        if len(names) > MOST:
            raise ValueError(f"Expected {MOST} sellers at most, got {len(names)}")
        return cls(names)

    def __bool__(self) -> bool:
        return bool(self.names or self.worst)

    def of(self, rated: Iterable[Rated], min_counted: int) -> list[Rated]:
        """The chosen ones. The worst are sought among those whose rate means something."""
        if self.worst:
            return nsmallest(self.worst, (each for each in rated if each.counted >= min_counted))
        return [each for each in rated if each.seller in self.names]

    def silent(self, silences: Mapping[str, int]) -> dict[str, int]:
        """The silences (in hours) of the chosen ones, and with ``worst`` those of as many who are silent for longest:
        until the grace is over, a silent seller has a good rate."""
        if self.worst:
            silent = [seller for seller, hours in silences.items() if hours]
            return {seller: silences[seller] for seller in nlargest(self.worst, silent, key=silences.__getitem__)}
        return {seller: silences[seller] for seller in self.names if seller in silences}
