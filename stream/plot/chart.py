"""A series as a picture. The same series gives the same bytes, with the same release of matplotlib."""

import io
import math
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from stream.plot.series import Sample, Series
from stream.records import AlertType, Metric, Status
from stream.shipment import EPOCH

Format = Literal["svg", "png"]

DAY = timedelta(days=1)

# Okabe and Ito's colours, which people with any colour vision tell apart; statuses also differ in shape and hatch.
BLUE, VERMILLION, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#E69F00", "#009E73", "#7A7A7A"

SIZE_INCHES = (11.0, 5.0)
DPI = 150


class _Look(NamedTuple):
    words: str
    colour: str
    hatch: str


class _Mark(NamedTuple):
    words: str
    colour: str
    shape: str


_LOOKS: dict[Status, _Look] = {
    "breached": _Look("breached", VERMILLION, "//"),
    "at_risk": _Look("at risk", ORANGE, ""),
}
"""Of the times behind the lines; nothing is where all is well."""


_MARKS: dict[AlertType, _Mark] = {
    "vtr-breached": _Mark("breached", VERMILLION, "v"),
    "vtr-at-risk": _Mark("at risk", ORANGE, "D"),
    "vtr-recovered": _Mark("recovered", GREEN, "^"),
}

_METADATA: dict[Format, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
"""Without what differs from run to run and from release to release."""


def picture(series: Series, title: str, kind: Format) -> bytes:
    """The series as SVG or PNG."""
    with matplotlib.rc_context():
        # A user's own style is for their pictures: this one is the same for everybody.
        matplotlib.rcdefaults()
        matplotlib.rc("svg", hashsalt="vtr", fonttype="none")
        matplotlib.rc("hatch", linewidth=0.6)
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        _lines(axes, series)
        _marks(axes, series)
        _spans(axes, series)
        _frame(axes, series, title)
        figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=9)
        out = io.BytesIO()
        with warnings.catch_warnings():
            # An id may have characters that the font has not.
            warnings.simplefilter("ignore", UserWarning)
            figure.savefig(out, format=kind, dpi=DPI, metadata=_METADATA[kind])
        return out.getvalue()


def _lines(axes: Axes, series: Series) -> None:
    days = [_days(sample.at) for sample in series.samples]
    rates = _values(series, lambda metric: metric.live.vtr)
    official = _values(series, lambda metric: metric.official.vtr)
    thresholds = _values(series, lambda metric: metric.threshold)
    levels = _values(series, lambda metric: max(series.warn_level, metric.threshold))

    def line(name: str, label: str, values: list[float], colour: str, width: float, style: str, layer: float) -> None:
        axes.plot(
            days,
            values,
            drawstyle="steps-post",
            label=label,
            color=colour,
            linewidth=width,
            linestyle=style,
            zorder=layer,
            gid=name,
        )

    line("vtr", "VTR, live window", rates, BLUE, 1.8, "-", 4)
    line("official", "VTR, the marketplace's own window", official, GREY, 1.1, "-", 3)
    line("threshold", f"threshold {_percents(thresholds)}", thresholds, VERMILLION, 1.4, "--", 2.5)
    line("warn_level", f"warn level {_percents(levels)}", levels, ORANGE, 1.4, ":", 2.5)
    drawn = [value for value in (*rates, *official, *thresholds, *levels) if not math.isnan(value)]
    margin = max(0.005, 0.06 * (1 - min(drawn)))
    axes.set_ylim(max(0.0, min(drawn) - margin), 1 + margin / 2)


def _days(at: datetime) -> float:
    """Where matplotlib puts an instant: days since 1970 UTC."""
    return (at - EPOCH) / DAY


def _values(series: Series, value: Callable[[Metric], float | None]) -> list[float]:
    """Not-a-number where a value is undefined: the line has a gap there."""
    values = (None if sample.metric is None else value(sample.metric) for sample in series.samples)
    return [math.nan if each is None else each for each in values]


def _percents(levels: list[float]) -> str:
    """A level in percent, all of them in order where it has changed."""
    distinct = dict.fromkeys(level for level in levels if not math.isnan(level))
    return ", then ".join(f"{100 * level:g} %" for level in distinct)


def _spans(axes: Axes, series: Series) -> None:
    """The times of each status, behind the lines."""
    labelled: set[Status] = set()
    for status, start, end in _runs(series):
        look = _LOOKS.get(status)
        if look is not None:
            axes.axvspan(
                _days(start),
                _days(end),
                facecolor=(look.colour, 0.11),
                edgecolor=(look.colour, 0.2),
                hatch=look.hatch,
                linewidth=0,
                zorder=0.5,
                label="_" if status in labelled else f"while {look.words}",
                gid=f"{status}-{start:%Y%m%dT%H%M}",
            )
            labelled.add(status)


def _runs(series: Series) -> Iterator[tuple[Status, datetime, datetime]]:
    """Each stretch of time with one status."""
    samples = series.samples
    status, start = _status(samples[0]), samples[0].at
    for sample in samples[1:]:
        if _status(sample) != status:
            yield status, start, sample.at
            status, start = _status(sample), sample.at
    yield status, start, series.as_of


def _status(sample: Sample) -> Status:
    return "ok" if sample.metric is None else sample.metric.status


def _marks(axes: Axes, series: Series) -> None:
    for kind, mark in _MARKS.items():
        alerts = [alert for alert in series.alerts if alert.type == kind]
        if not alerts:
            continue
        # What recovers because nothing is counted any more has no rate to stand on.
        heights = [
            alert.metric.threshold if alert.metric.live.vtr is None else alert.metric.live.vtr for alert in alerts
        ]
        axes.scatter(
            [_days(alert.since) for alert in alerts],
            heights,
            marker=mark.shape,
            s=52,
            facecolors=mark.colour,
            edgecolors="black",
            linewidths=0.7,
            zorder=5,
            label=f"alert: {mark.words} ({len(alerts)})",
            gid=kind,
        )


def _frame(axes: Axes, series: Series, title: str) -> None:
    """Title, axes and grid."""
    start = series.samples[0].at
    if start < series.as_of:
        axes.set_xlim(_days(start), _days(series.as_of))
    locator = AutoDateLocator(tz=UTC)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %")
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_ylabel("valid tracking rate (VTR)")
    axes.set_xlabel("UTC")
    # Ids are not formulas, whatever signs they have.
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", parse_math=False)
    axes.set_title(_now(series), loc="right", fontsize=9, color="#444444")


def _now(series: Series) -> str:
    metric = series.samples[-1].metric
    at = f"{series.as_of:%Y-%m-%d %H:%M} UTC"
    if metric is None or metric.live.vtr is None:
        return f"{at}: nothing is counted"
    live = metric.live
    return f"{at}: {live.vtr:.2%} of {live.counted:,}, {metric.status.replace('_', ' ')}"
