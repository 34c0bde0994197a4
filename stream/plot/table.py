"""A series as CSV: one line for each sample, times in UTC, rates as shares, nothing where a value is undefined."""

import csv
import io
from collections.abc import Iterator

from stream.plot.series import Sample, Series

COLUMNS = (
    "time",
    "status",
    "vtr",
    "counted",
    "valid",
    "defects",
    "pending",
    "exempt",
    "threshold",
    "warn_level",
    "allowance",
    "needed_to_recover",
    "official_vtr",
    "official_counted",
    "official_valid",
    "policy",
    "alert",
)
"""``alert`` is the type of the alert at that instant; the columns before it are those of a metric."""


def csv_bytes(series: Series) -> bytes:
    """The table, with a line of names on top."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(_rows(series))
    return text.getvalue().encode()


def _rows(series: Series) -> Iterator[list[object]]:
    alerts = {alert.since: alert.type for alert in series.alerts}
    for sample in series.samples:
        at = sample.at.isoformat().replace("+00:00", "Z")
        yield [at, *_values(sample, series.warn_level), alerts.get(sample.at)]


def _values(sample: Sample, warn_level: float) -> list[object]:
    metric = sample.metric
    if metric is None:
        # Without anything counted a status is ok; thresholds are those of a scope that is there.
        return ["ok", None, 0, 0, 0, 0, 0, *[None] * (len(COLUMNS) - 9)]
    live, official = metric.live, metric.official
    return [
        metric.status,
        live.vtr,
        live.counted,
        live.valid,
        live.defects,
        live.pending,
        live.exempt,
        metric.threshold,
        max(warn_level, metric.threshold),
        metric.allowance,
        metric.needed_to_recover,
        official.vtr,
        official.counted,
        official.valid,
        metric.policy,
    ]
