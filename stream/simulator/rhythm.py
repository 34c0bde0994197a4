"""When parcels leave: the rhythm of the day and of the week, in UTC."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

SLICE = 3600.0
"""Seconds: the rhythm's step, and the time that is simulated at once."""

_OF_THE_DAY = (1, 1, 1, 1, 2, 4, 7, 10, 13, 15, 16, 15, 14, 15, 17, 18, 16, 12, 8, 5, 4, 3, 2, 1)
"""By UTC hour: European warehouses pack until the pick-ups of the afternoon, American ones into Europe's evening."""

_OF_THE_WEEK = (14, 12, 11, 11, 11, 5, 1.5)
"""From Monday, with the weekend's orders, to Sunday, when hardly anyone picks up."""


class Slice(NamedTuple):
    """Some time, in seconds since 1970, and how much is shipped in it relative to others."""

    start: float
    end: float
    weight: float


def slices(start: datetime, end: datetime) -> Iterator[Slice]:
    """The time from ``start`` to ``end`` in steps of an hour."""
    begin, last = start.timestamp(), end.timestamp()
    while begin < last:
        until = min(begin + SLICE, last)
        at = datetime.fromtimestamp(begin, UTC)
        yield Slice(begin, until, _OF_THE_DAY[at.hour] * _OF_THE_WEEK[at.weekday()] * (until - begin))
        begin = until
