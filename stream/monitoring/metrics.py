"""Every metric of a worker: its name, its labels and what it means. The README's table is held to this file.

Names and units follow Prometheus' guide: base units (seconds, ratios), the unit as suffix, ``_total`` for counters,
instants as seconds since 1970. No label has more values than there are topics, partitions, codes or chosen sellers.
"""

from bisect import bisect_left
from itertools import accumulate
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeHistogramMetricFamily, GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Kind = Literal["counter", "gauge", "histogram", "gauge histogram"]


class Metric(NamedTuple):
    """One metric. ``buckets`` are the upper bounds of a histogram's, without infinity."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


# --- Work ------------------------------------------------------------------------------------------------------------

EVENTS = Metric(
    "vtr_events_total",
    "counter",
    "Events read, by topic and by outcome: accepted, or the code of the rejection",
    ("topic", "outcome"),
)
STEP_RECORDS = Metric(
    "vtr_step_records",
    "histogram",
    "Records per step: all that waits for a partition is processed together",
    buckets=(1, 10, 100, 500, 1000, 2000, 4000, 8000, 16_000, 100_000),
)
STEP_DURATION = Metric(
    "vtr_step_processing_duration_seconds",
    "histogram",
    "Time to process a step, without publishing; the event loop does nothing else meanwhile",
    buckets=_SECONDS,
)
PUBLISH_DURATION = Metric(
    "vtr_publish_duration_seconds",
    "histogram",
    "Time to publish what a step leads to, until all of it is acknowledged",
    buckets=_SECONDS,
)
ALERTS = Metric("vtr_alerts_total", "counter", "Alerts published, by type", ("type",))

# --- Place in the input ----------------------------------------------------------------------------------------------

LAG = Metric(
    "vtr_lag_records", "gauge", "Records of an input partition that are not processed yet", ("topic", "partition")
)
WATERMARK = Metric(
    "vtr_watermark_timestamp_seconds", "gauge", "Event time up to which a partition has seen everything", ("partition",)
)
LAST_POLL = Metric(
    "vtr_last_poll_timestamp_seconds", "gauge", "When the consumer last had an answer, even an empty one, to a fetch"
)
COMMITS = Metric("vtr_commits_total", "counter", "Commits of offsets that were tried")
COMMIT_FAILURES = Metric("vtr_commit_failures_total", "counter", "Commits of offsets that the broker did not take")
LAST_COMMIT = Metric("vtr_last_commit_timestamp_seconds", "gauge", "When the broker last took a commit")

# --- State -----------------------------------------------------------------------------------------------------------

READY = Metric("vtr_ready", "gauge", "1 where the worker is ready, as /readyz has it, else 0")
ASSIGNED = Metric("vtr_assigned_partitions", "gauge", "Partitions that are assigned to the worker")
RESTORE_DURATION = Metric(
    "vtr_restore_duration_seconds",
    "gauge",
    "Time the last restore took, from the assignment of the partitions until all their windows were at hand",
)
SHIPMENTS = Metric(
    "vtr_shipments", "gauge", "Shipments kept for a partition; an estimate with the RocksDB store", ("partition",)
)
TASKS = Metric("vtr_tasks", "gauge", "Tasks of the event loop; with open files and memory, what must not grow")
BUILD = Metric("vtr_build_info", "gauge", "1, and the version of the program as label", ("version",))

# --- Rates -----------------------------------------------------------------------------------------------------------

SCOPES = Metric(
    "vtr_scopes",
    "gauge",
    "Scopes with a VTR, by how wide they are (seller, marketplace, category) and by status",
    ("partition", "level", "status"),
)
SELLERS_RATIO = Metric(
    "vtr_valid_tracking_ratio",
    "gauge histogram",
    "Sellers by the VTR of their live window, of those with at least `min_counted` counted shipments",
    ("partition",),
    buckets=(0.5, 0.8, 0.9, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0),
)
SELLERS_SILENCE = Metric(
    "vtr_tracking_silence_seconds",
    "gauge histogram",
    "Sellers that shipped in the last day, by the time since the first of their latest shipments that all lack "
    "tracking; 0 for fewer than 5",
    ("partition",),
    buckets=tuple(3600.0 * hours for hours in (0, 1, 3, 6, 12, 18, 24)),
)
SELLER_RATIO = Metric(
    "vtr_seller_valid_tracking_ratio", "gauge", "VTR of a seller's live window; see `metrics_sellers`", ("seller",)
)
SELLER_STATUS = Metric(
    "vtr_seller_status",
    "gauge",
    "Status of a seller: 0 is ok, 1 at risk, 2 breached; see `metrics_sellers`",
    ("seller",),
)
SELLER_COUNTED = Metric(
    "vtr_seller_counted_shipments",
    "gauge",
    "Counted shipments in a seller's live window; see `metrics_sellers`",
    ("seller",),
)
SELLER_ALLOWANCE = Metric(
    "vtr_seller_allowance_shipments",
    "gauge",
    "How many more defects a seller's live window bears before a breach; see `metrics_sellers`",
    ("seller",),
)
SELLER_SILENCE = Metric(
    "vtr_seller_tracking_silence_seconds",
    "gauge",
    "Time since the first of a seller's latest shipments that all lack tracking; see `metrics_sellers`",
    ("seller",),
)

METRICS = tuple(value for value in dict(globals()).values() if isinstance(value, Metric))
"""All of them, in their order here."""

Family = CounterMetricFamily | GaugeMetricFamily | GaugeHistogramMetricFamily


def family(metric: Metric, samples: dict[tuple[str, ...], float]) -> Family:
    """A counter's or a gauge's samples, by the values of its labels."""
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    made = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples.items():
        made.add_metric(labels, value)
    return made


def distribution(metric: Metric, values: dict[tuple[str, ...], list[float]]) -> Family:
    """How many of the values lie at or below each of the bounds of a gauge histogram, by the values of its labels."""
    bounds = (*metric.buckets, float("inf"))
    made = GaugeHistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, each in values.items():
        counts = [0] * len(bounds)
        for value in each:
            counts[bisect_left(bounds, value)] += 1
        below = accumulate(map(float, counts))
        buckets = [
            ("+Inf" if bound == float("inf") else str(bound), count) for bound, count in zip(bounds, below, strict=True)
        ]
        made.add_metric(labels, buckets, sum(each))
    return made


class Instruments:
    """The metrics that are measured as the work goes on, once per step; and the registry that all belong to."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.step_records = self._histogram(STEP_RECORDS)
        self.step_duration = self._histogram(STEP_DURATION)
        self.publish_duration = self._histogram(PUBLISH_DURATION)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(metric.name, metric.help, buckets=metric.buckets, registry=self.registry)
