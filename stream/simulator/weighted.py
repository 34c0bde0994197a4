"""Weighted choice, several times faster than ``random.choices`` for one draw."""

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


class Weighted(Generic[T]):
    """Options and how often each is picked, relative to the others."""

    def __init__(self, options: Sequence[T], weights: Sequence[float]) -> None:
        self.options = tuple(options)
        cumulative = list(accumulate(weights))
        # Without the last bound a draw just below 1 can never fall behind the last option.
        self._bounds = [bound / cumulative[-1] for bound in cumulative[:-1]]

    def pick(self, draw: float) -> T:
        """The option that a draw from [0, 1) falls on."""
        return self.options[bisect(self._bounds, draw)]
