"""What the demo has seen so far: the latest metric of every seller, how it moved, and the alerts."""

from collections import Counter, deque
from datetime import datetime

from stream.records import Alert, Metric

TREND_POINTS = 24
"""As many as a sparkline is wide."""

SHOWN_ALERTS = 20


class Board:
    """The state behind the screen. ``started`` tells alerts of the simulated history from live ones."""

    def __init__(self, started: datetime, min_counted: int) -> None:
        self._started = started
        self._min_counted = min_counted
        self._metrics: dict[str, Metric] = {}
        self._trends: dict[str, deque[float]] = {}
        self.alerts: deque[Alert] = deque(maxlen=SHOWN_ALERTS)
        self.live_alerts: Counter[str] = Counter()
        self.past_alerts = 0
        self.updates = 0
        self.caught_up = False
        """Whether the worker has reached the present."""

    def take_metric(self, metric: Metric) -> None:
        """A metric of a seller came."""
        self.updates += 1
        self._metrics[metric.seller_id] = metric
        if metric.as_of >= self._started:
            self.caught_up = True
        if metric.live.vtr is not None:
            self._trends.setdefault(metric.seller_id, deque(maxlen=TREND_POINTS)).append(metric.live.vtr)

    def take_alert(self, alert: Alert) -> bool:
        """An alert came. Returns whether it is of the present."""
        self.alerts.append(alert)
        if alert.since >= self._started:
            self.live_alerts[alert.type] += 1
            return True
        self.past_alerts += 1
        return False

    @property
    def sellers(self) -> int:
        """How many sellers have a metric."""
        return len(self._metrics)

    def worst(self, most: int) -> list[Metric]:
        """The sellers with the lowest VTR among those with enough shipments to be judged."""
        judged = [metric for metric in self._metrics.values() if metric.live.counted >= self._min_counted]
        return sorted(judged, key=lambda metric: (metric.live.vtr or 0.0, metric.seller_id))[:most]

    def latest_alerts(self, most: int) -> list[Alert]:
        """The latest alerts, the last of them last: partitions tell theirs one after the other."""
        return sorted(self.alerts, key=lambda alert: alert.since)[-most:]

    def trend(self, seller_id: str) -> list[float]:
        """The seller's last rates, oldest first."""
        return list(self._trends.get(seller_id, ()))
