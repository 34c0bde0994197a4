"""Where the two windows stand, and how long a shipment can matter to them."""

from datetime import timedelta
from typing import Final

from stream.shipment import EPOCH, Shipment, hour_of, promised_day

LIVE_HOURS: Final = 720
"""30 days, the marketplaces' window (policy of every store)."""

OFFICIAL_DAYS: Final = 30

KEEP_HOURS: Final = 40 * 24
"""A shipment is kept this long after its latest fact even where no window needs it, so that a correction that
overtakes the fact it corrects by less than 40 days still wins over it."""


class Span:
    """The two windows: their first and last hour and day, in units since 1970 UTC.

    ``horizon`` is the time before which an event is too old to be kept for its own sake.
    """

    __slots__ = ("first_day", "first_hour", "horizon", "lag_days", "last_day", "last_hour")

    def __init__(self, lag_days: int, hour: int) -> None:
        self.lag_days = lag_days
        self.move(hour)

    def move(self, hour: int) -> None:
        """Let the live window end with ``hour``, and the official one ``lag_days`` before its day."""
        self.last_hour = hour
        self.first_hour = hour - LIVE_HOURS + 1
        self.last_day = hour // 24 - self.lag_days
        self.first_day = self.last_day - OFFICIAL_DAYS + 1
        self.horizon = EPOCH + timedelta(hours=max(0, hour + 1 - KEEP_HOURS))

    def is_behind(self, hour: int, day: int) -> bool:
        """Whether both windows have left a shipment of this hour and promised day behind."""
        return hour < self.first_hour and day < self.first_day

    def is_past_grace(self, hour: int, grace: int) -> bool:
        """Whether the grace of so many hours is over that begins with the end of an hour."""
        return hour + 1 + grace <= self.last_hour


def keep_until(shipment: Shipment, lag_days: int) -> int:
    """The hour since 1970 UTC in which a shipment may be forgotten: no window and no correction needs it then."""
    until = hour_of(shipment.latest) + KEEP_HOURS
    shipped, counted = shipment.shipped, shipment.counted
    if shipped is None:
        return until
    if counted is not None and counted.shipped is shipped:
        hour, day = counted.hour, counted.day
    else:
        hour = hour_of(shipped.shipped_at)
        day = promised_day(shipped)
    until = max(until, hour + LIVE_HOURS)
    return max(until, official_until(day, lag_days))


def official_until(day: int, lag_days: int) -> int:
    """The hour since 1970 UTC in which the official window leaves a promised day behind."""
    return (day + lag_days + OFFICIAL_DAYS) * 24
