"""Counting all shipments anew: into buckets only. The windows then sum them up as they do those that were kept."""

from stream.engine.scope import Leaf
from stream.engine.window import Bucket, Windows, hour_slot


class Recount:
    """The buckets by hour and by day of the shipments that are added, for windows that hold nothing yet."""

    def __init__(self, windows: Windows) -> None:
        self.hours: dict[int, Bucket] = {}
        self.days: dict[int, Bucket] = {}
        self._span = windows.span
        self._kinds = windows.kinds

    def add(self, leaf: Leaf, hour: int, day: int, kind: int) -> None:
        """Count a shipment of this kind by its hour and promised day since 1970 UTC. What lies behind a window is not
        in its buckets, and what has awaited something for the hours of its grace is a defect."""
        span = self._span
        grace = self._kinds.graces[kind]
        if grace is not None and span.is_past_grace(hour, grace):
            kind = self._kinds.after_grace(kind)
        if hour >= span.first_hour:
            bucket = self.hours.get(hour)
            if bucket is None:
                bucket = self.hours[hour] = {}
            slot = hour_slot(leaf, day, kind)
            bucket[slot] = bucket.get(slot, 0) + 1
        if day >= span.first_day:
            bucket = self.days.get(day)
            if bucket is None:
                bucket = self.days[day] = {}
            slot = leaf.base + kind
            bucket[slot] = bucket.get(slot, 0) + 1
