"""The demo on a terminal: a table of the worst sellers and the latest alerts, or plain lines where there is none."""

from collections.abc import Sequence
from datetime import timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stream.cli.format import STATUS_STYLE, rate_text, scope_text
from stream.demo.board import TREND_POINTS, Board
from stream.records import Alert

_FRAME_LINES = 11
"""Lines of a picture that are neither rows nor hints: the head, two titles, two table heads and the gaps."""

_MOST_SELLERS = 12
_BARS = "▁▂▃▄▅▆▇█"
_SMALLEST_RANGE = 0.01
"""A sparkline spans at least one percentage point, so that noise looks like noise."""


def picture(board: Board, phase: str, elapsed: timedelta, hints: Sequence[str], height: int) -> RenderableType:
    """The whole screen, in at most ``height`` lines."""
    rows = max(height - _FRAME_LINES - len(hints), 4)
    sellers = min(rows * 2 // 3, _MOST_SELLERS)
    head = Text(f"vtr demo  {elapsed.seconds} s  ", style="bold", no_wrap=True, overflow="ellipsis")
    head.append(
        f"{phase} · {board.sellers} sellers · alerts {board.past_alerts} past, {board.live_alerts.total()} live",
        style="not bold",
    )
    below = [Text(hint, style="dim", no_wrap=True, overflow="ellipsis") for hint in hints]
    return Group(head, *below, _sellers(board, sellers), _alerts(board.latest_alerts(rows - sellers)))


def _sellers(board: Board, rows: int) -> Table:
    table = Table(title="sellers with the lowest VTR", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=0)
    for name, width, justify in (
        ("seller", 14, "left"),
        ("VTR", 7, "right"),
        ("valid / counted", 15, "right"),
        ("pending", 7, "right"),
        ("status", 8, "left"),
        ("allowance", 9, "right"),
        ("official", 8, "right"),
    ):
        table.add_column(name, min_width=width, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("trend", max_width=TREND_POINTS, no_wrap=True)
    for metric in board.worst(rows):
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
    table = Table(title="latest alerts", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=0)
    for name, width in (("since (UTC)", 14), ("alert", 13), ("scope", 24), ("VTR", 13), ("why", 0)):
        table.add_column(name, min_width=width, no_wrap=True)
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
