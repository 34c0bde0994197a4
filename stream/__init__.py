"""Live Valid Tracking Rate for marketplace sellers, on Kafka.

Other programs import from here what they subscribe with; everything else is for the ``vtr`` command.
"""

from stream.kafka.cluster import Cluster
from stream.records import Alert, Cause, Counts, Metric, OfficialCounts, Scope
from stream.subscribe import subscribe_alerts, subscribe_metrics

__all__ = [
    "Alert",
    "Cause",
    "Cluster",
    "Counts",
    "Metric",
    "OfficialCounts",
    "Scope",
    "subscribe_alerts",
    "subscribe_metrics",
]
