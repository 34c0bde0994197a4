"""The demo on a terminal: a table of the worst sellers and the latest alerts, or plain lines where there is none."""

from collections.abc import Sequence
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stream.cli.format import STATUS_STYLE, rate_text, scope_text
from stream.demo.board import TREND_POINTS, Board
from stream.records import Alert

WORST = 12
_BARS = "▁▂▃▄▅▆▇█"
_SMALLEST_RANGE = 0.01
"""A sparkline spans at least one percentage point, so that noise looks like noise."""


def picture(board: Board, phase: str, elapsed: timedelta) -> RenderableType:
    """The whole screen."""
    head = Text(f"vtr demo  {elapsed.seconds} s  ", style="bold")
    head.append(
        f"{phase}  ·  {board.sellers} sellers  ·  {board.updates} metrics read  ·  "
        f"{board.past_alerts} alerts in the history, {board.live_alerts.total()} live",
        style="not bold",
    )
    return Group(head, _sellers(board), _alerts(list(board.alerts)))


def _sellers(board: Board) -> Table:
    table = Table(title="sellers with the lowest VTR", title_justify="left", expand=False)
    for name, justify in (
        ("seller", "left"),
        ("VTR", "right"),
        ("valid / counted", "right"),
        ("pending", "right"),
        ("status", "left"),
        ("allowance", "right"),
        ("official", "right"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("trend", width=TREND_POINTS)
    for metric in board.worst(WORST):
        live, style = metric.live, STATUS_STYLE[metric.status]
        table.add_row(
            metric.seller_id,
            Text(rate_text(live.vtr), style=style),
            f"{live.valid} / {live.counted}",
            str(live.pending),
            Text(metric.status, style=style),
            str(metric.allowance),
            rate_text(metric.official.vtr),
            Text(sparkline(board.trend(metric.seller_id)), style=style),
        )
    return table


def _alerts(alerts: Sequence[Alert]) -> Table:
    table = Table(title="latest alerts", title_justify="left", expand=False)
    for name in ("since (UTC)", "alert", "scope", "VTR", "why"):
        table.add_column(name)
    for alert in reversed(alerts):
        why = ", ".join(f"{cause.reason} {cause.carrier or ''}×{cause.count}" for cause in alert.causes[:2])
        table.add_row(
            f"{alert.since:%m-%d %H:%M:%S}",
            Text(alert.type, style=STATUS_STYLE[alert.status]),
            scope_text(alert.scope),
            f"{rate_text(alert.metric.live.vtr)} of {alert.metric.live.counted}",
            why,
        )
    return table


def sparkline(rates: Sequence[float]) -> str:
    """The rates as bars, scaled to their own range."""
    if not rates:
        return ""
    low, high = min(rates), max(rates)
    span = max(high - low, _SMALLEST_RANGE)
    return "".join(_BARS[min(int((rate - low) / span * len(_BARS)), len(_BARS) - 1)] for rate in rates)
