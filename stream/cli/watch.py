"""``vtr alerts`` and ``vtr metrics``: subscribe from a shell."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

import click

from stream.cli.format import alert_text, metric_text
from stream.cli.options import settings_options
from stream.records import Alert, Metric, Severity, Status, encode, encode_key
from stream.settings import Settings
from stream.subscribe import ScopeWidth, latest_metrics, subscribe_alerts, subscribe_metrics

R = TypeVar("R", Alert, Metric)

_FOLLOW = click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as in the topic.")
_SELLER = click.option("--seller", "sellers", multiple=True, metavar="ID", help="Only this seller (repeatable).")
_MARKETPLACE = click.option(
    "--marketplace", "marketplaces", multiple=True, metavar="CODE", help="Only this marketplace (repeatable)."
)
_STATUS = click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["ok", "at_risk", "breached"]),
    help="Only this status (repeatable).",
)
_SCOPE = click.option(
    "--scope", type=click.Choice(["seller", "marketplace", "category"]), help="Only scopes of this width."
)


@click.command
@settings_options("broker", "alerts_topic")
@_FOLLOW
@_SELLER
@_MARKETPLACE
@_SCOPE
@_STATUS
@click.option(
    "--severity",
    "severities",
    multiple=True,
    type=click.Choice(["critical", "warning", "info"]),
    help="Only this severity (repeatable).",
)
@_JSON
def alerts(
    settings: Settings,
    *,
    follow: bool,
    sellers: tuple[str, ...],
    marketplaces: tuple[str, ...],
    scope: ScopeWidth | None,
    statuses: tuple[Status, ...],
    severities: tuple[Severity, ...],
    as_json: bool,
) -> None:
    """Show the alerts so far; with --follow, also those to come."""
    subscription = subscribe_alerts(
        settings.broker,
        topic=settings.alerts_topic,
        start="beginning",
        follow=follow,
        seller_ids=sellers or None,
        marketplaces=marketplaces or None,
        scope=scope,
        statuses=statuses or None,
        severities=severities or None,
    )
    asyncio.run(_show(subscription, _json_text if as_json else alert_text))


@click.command(short_help="Show the latest metrics; with --follow, as they change.")
@settings_options("broker", "metrics_topic")
@_FOLLOW
@_SELLER
@_MARKETPLACE
@_SCOPE
@_STATUS
@click.option("--worst", type=click.IntRange(min=1), metavar="N", help="Only the N scopes with the lowest VTR.")
@_JSON
def metrics(
    settings: Settings,
    *,
    follow: bool,
    sellers: tuple[str, ...],
    marketplaces: tuple[str, ...],
    scope: ScopeWidth | None,
    statuses: tuple[Status, ...],
    worst: int | None,
    as_json: bool,
) -> None:
    """Show the latest metrics of every scope, sorted by scope; with --follow, show changes as they come."""
    text: Callable[[Metric], str] = _json_text if as_json else metric_text
    if follow:
        if worst is not None:
            raise click.UsageError("--worst needs all metrics at once and does not go with --follow")
        subscription = subscribe_metrics(
            settings.broker,
            topic=settings.metrics_topic,
            seller_ids=sellers or None,
            marketplaces=marketplaces or None,
            scope=scope,
            statuses=statuses or None,
        )
        asyncio.run(_show(subscription, text))
        return
    by_scope = asyncio.run(
        latest_metrics(
            settings.broker,
            topic=settings.metrics_topic,
            seller_ids=sellers or None,
            marketplaces=marketplaces or None,
            scope=scope,
            statuses=statuses or None,
        )
    )
    latest = list(by_scope.values())
    if worst is None:
        latest.sort(key=lambda metric: encode_key(metric.scope))
    else:
        latest = sorted((each for each in latest if each.live.vtr is not None), key=_worst_first)[:worst]
    for metric in latest:
        click.echo(text(metric))


def _worst_first(metric: Metric) -> tuple[float, int]:
    return metric.live.vtr or 0.0, -metric.live.counted


def _json_text(record: Alert | Metric) -> str:
    return encode(record).decode()


async def _show(subscription: AsyncGenerator[R, None], text: Callable[[R], str]) -> None:
    async with aclosing(subscription):
        async for record in subscription:
            click.echo(text(record))
