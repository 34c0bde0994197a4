"""Names, units and labels as Prometheus' guide has them, and the forms that metrics are made in."""

import math
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from stream.monitoring import metrics
from stream.monitoring.metrics import METRICS, Family, Instruments, Metric, distribution, family
from tests.monitoring.exposition import exposed, parsed

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")

UNITS = ("seconds", "records", "partitions", "shipments", "ratio")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_and_labels(metric: Metric) -> None:
    assert re.fullmatch(r"vtr(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") is (metric.kind == "counter"), "as counters do, and nothing else"
    assert not re.search(r"_(count|sum|bucket|ms|milliseconds|percent|minutes|hours)$", metric.name)
    if "duration" in metric.name or "timestamp" in metric.name:
        assert metric.name.endswith("_seconds")
    if metric.kind.endswith("histogram"):
        assert metric.name.endswith(UNITS)
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert all(map(math.isfinite, metric.buckets))
    else:
        assert metric.buckets == ()
    assert set(metric.labels) <= {"topic", "partition", "outcome", "type", "level", "status", "version", "seller"}
    assert ("seller" in metric.labels) is metric.name.startswith("vtr_seller_"), "only where sellers are chosen"
    assert metric.help[0].isupper() or metric.help[0].isdigit()
    assert not metric.help.endswith(".")


def test_no_name_is_used_twice() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names)) > 15
    assert [name for name in names if any(other.startswith(f"{name}_") for other in names)] == []


def test_the_readme_lists_them() -> None:
    lines = [line for line in README.splitlines() if line.startswith("| `vtr_")]
    assert lines == [
        f"| `{metric.name}` | {metric.kind} | {' '.join(f'`{label}`' for label in metric.labels)} | {metric.help} |"
        for metric in METRICS
    ]


class Some(Collector):
    def __init__(self, *families: Family) -> None:
        self._families = families

    def collect(self) -> tuple[Family, ...]:
        return self._families


def registry(*families: Family) -> CollectorRegistry:
    made = CollectorRegistry()
    made.register(Some(*families))
    return made


def test_counters_and_gauges_have_the_values_they_are_given() -> None:
    events = family(metrics.EVENTS, {("orders", "accepted"): 3, ("orders", 'a "quoted"\nname'): 1})
    commits = family(metrics.COMMITS, {(): 7})
    lags = family(metrics.LAG, {})
    assert parsed(exposed(registry(events, commits, lags))) == {
        "vtr_events_total": {("orders", "accepted"): 3, ("orders", 'a "quoted"\nname'): 1},
        "vtr_commits_total": {(): 7},
    }


def test_a_distribution_counts_what_lies_at_or_below_each_bound() -> None:
    values = [0.1, 0.95, 0.950001, 1.0, 19 / 20]
    said = parsed(exposed(registry(distribution(metrics.SELLERS_RATIO, {("7",): values, ("8",): []}))))
    buckets = {
        bound: count for (bound, number), count in said["vtr_valid_tracking_ratio_bucket"].items() if number == "7"
    }
    assert list(buckets) == ["0.5", "0.8", "0.9", "0.93", "0.94", "0.95", "0.96", "0.97", "0.98", "0.99", "1.0", "+Inf"]
    assert (buckets["0.5"], buckets["0.94"], buckets["0.95"], buckets["0.96"], buckets["0.99"]) == (1, 1, 3, 4, 4)
    assert buckets["+Inf"] == buckets["1.0"] == said["vtr_valid_tracking_ratio_gcount"]["7",] == 5
    assert said["vtr_valid_tracking_ratio_gsum"]["7",] == pytest.approx(sum(values))
    assert said["vtr_valid_tracking_ratio_gcount"]["8",] == said["vtr_valid_tracking_ratio_gsum"]["8",] == 0


def test_what_is_measured_goes_into_its_histogram() -> None:
    instruments = Instruments()
    instruments.step_records.observe(4000)
    instruments.step_duration.observe(0.12)
    instruments.publish_duration.observe(0.003)
    said = parsed(exposed(instruments.registry))
    for name, value in (
        ("vtr_step_records", 4000),
        ("vtr_step_processing_duration_seconds", 0.12),
        ("vtr_publish_duration_seconds", 0.003),
    ):
        assert (said[f"{name}_count"], said[f"{name}_sum"]) == ({(): 1}, {(): value})
    assert said["vtr_step_records_bucket"]["2000.0",] == 0
    assert said["vtr_step_records_bucket"]["4000.0",] == 1
    assert said["process_cpu_seconds_total"][()] > 0
    assert [name for name in said if name.endswith("_created")] == []
