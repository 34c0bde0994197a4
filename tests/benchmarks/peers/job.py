"""What the peers share: where to read and write, and the rules."""

from datetime import date, timedelta
from typing import NamedTuple

Days = dict[str, list[int]]
"""Counted and valid shipments of a scope per ship day, such as ``{"2026-11-01": [20, 19]}``."""

WINDOW_DAYS = 30
"""UTC days of ship time, the last of them that of the scope's latest shipment."""

THRESHOLD = 0.95
MIN_COUNTED = 20
"""Below this many counted shipments no alert is sent."""

_PLACEHOLDERS = frozenset({"NULL", "NA", "N/A", "NONE", "TBD", "PENDING"})


class Job(NamedTuple):
    """One run. ``broker`` is ``host:port``; ``group`` also starts the names of the changelog topics."""

    broker: str
    group: str
    partitions: int
    shipped_topic: str
    uploaded_topic: str
    alerts_topic: str
    data_dir: str


def is_valid(number: str | None, carrier: str | None, order_id: str) -> bool:
    """Whether tracking is valid: a carrier, and a number that is no placeholder."""
    if not carrier or number is None:
        return False
    number = number.strip().upper()
    return len(set(number)) > 1 and number not in _PLACEHOLDERS and number != order_id


def add(days: Days, day: str, counted: int, valid: int) -> tuple[int, int]:
    """Change a day's counts, drop the days that leave the window, and give the sums of those in it."""
    if day not in days:
        latest = max([day, *days])
        first = (date.fromisoformat(latest) - timedelta(days=WINDOW_DAYS - 1)).isoformat()
        for old in [each for each in days if each < first]:
            del days[old]
        if day < first:
            return sums(days)
        days[day] = [0, 0]
    days[day][0] += counted
    days[day][1] += valid
    return sums(days)


def sums(days: Days) -> tuple[int, int]:
    """Counted and valid shipments of all days."""
    return sum([counts[0] for counts in days.values()]), sum([counts[1] for counts in days.values()])


def is_below(counted: int, valid: int) -> bool:
    """Whether the VTR is below the threshold, and there is enough to tell."""
    return counted >= MIN_COUNTED and valid < THRESHOLD * counted
