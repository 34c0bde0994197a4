"""How people read metrics and alerts on a terminal."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from stream.records import Alert, Metric, Scope
from stream.replay import Summary

NAMED_LEFT_OUT = 5
"""More files than that, which are no history by their names, are only counted."""

STATUS_STYLE = {"ok": "green", "at_risk": "yellow", "breached": "red"}


def scope_text(scope: Scope) -> str:
    """``A1… DE Home``, wider scopes shorter."""
    return printable(" ".join(part for part in scope if part is not None))


def rate_text(rate: float | None) -> str:
    """A rate in percent; a dash where nothing is counted."""
    return "—" if rate is None else f"{rate:.2%}"


def alert_text(alert: Alert) -> str:
    """An alert on one line."""
    live = alert.metric.live
    causes = ", ".join(
        f"{cause.reason}{f' ({cause.carrier})' if cause.carrier else ''} ×{cause.count}" for cause in alert.causes
    )
    return (
        f"{alert.since:%Y-%m-%d %H:%M:%S}  {alert.type:<13}  {scope_text(alert.scope):<34}  "
        f"{rate_text(live.vtr):>8} of {live.counted}{'  ' + causes if causes else ''}"
    )


def worst_first(metrics: Iterable[Metric], min_counted: int) -> list[Metric]:
    """Those with a VTR, the lowest first; behind them those that have too few counted shipments for a status of their
    own, among which a low rate says little."""
    rated = [metric for metric in metrics if metric.live.vtr is not None]
    return sorted(rated, key=lambda it: (it.live.counted < min_counted, it.live.vtr, -it.live.counted))


def metric_text(metric: Metric) -> str:
    """A metric on one line, within 120 columns for usual ids."""
    live, official = metric.live, metric.official
    return (
        f"{scope_text(metric.scope):<34}  {metric.status:<8}  {rate_text(live.vtr):>7} of {live.counted:<7,} "
        f"pending {live.pending:<4,} allowance {metric.allowance:<5,} "
        f"official {rate_text(official.vtr):>7} of {official.counted:,}"
    )


def utc_text(instant: datetime) -> str:
    """``2026-11-01T12:00:00Z``, to be given to a command again."""
    return instant.isoformat().replace("+00:00", "Z")


def shortened(text: str, width: int) -> str:
    """The beginning of a text that is longer."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def printable(data: bytes | str | None) -> str:
    """Text for a terminal: what is no text, or would move the cursor, is escaped; a dash where there is nothing."""
    if data is None:
        return "—"
    text = data.decode(errors="backslashreplace") if isinstance(data, bytes) else data
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def left_out_lines(paths: Sequence[str]) -> Iterator[str]:
    """The files in folders that are no history."""
    for path in paths[:NAMED_LEFT_OUT]:
        yield f"left out  {path}: by its name it is no history"
    if len(paths) > NAMED_LEFT_OUT:
        yield f"left out  {len(paths) - NAMED_LEFT_OUT} more"


def unused_lines(summary: Summary) -> Iterator[str]:
    """What of a history was left out or rejected, where and why."""
    yield from left_out_lines(summary.left_out)
    for line in summary.examples:
        where = f"{line.file}:{line.line}" if line.line else line.file
        yield f"rejected  {where}: {line.rejection.code}: {line.rejection.message}"
    unseen = sum(summary.rejected.values()) - len(summary.examples)
    if unseen > 0:
        yield f"rejected  {unseen} more"
