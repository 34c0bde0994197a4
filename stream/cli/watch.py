"""``vtr alerts`` and ``vtr metrics``: subscribe from a shell."""

import asyncio
from collections.abc import Callable

import click

from stream.cli.format import alert_text, metric_text, worst_first
from stream.cli.options import settings_options
from stream.cli.output import collected, nothing, show_all, show_as_they_come
from stream.kafka.cluster import CLUSTER_SETTINGS
from stream.records import Alert, Metric, Severity, Status, encode, encode_key
from stream.settings import Settings
from stream.subscribe import ScopeWidth, latest_metrics, subscribe_alerts, subscribe_metrics

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
@settings_options(*CLUSTER_SETTINGS, "alerts_topic")
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
        settings,
        topic=settings.alerts_topic,
        start="beginning",
        follow=follow,
        seller_ids=sellers or None,
        marketplaces=marketplaces or None,
        scope=scope,
        statuses=statuses or None,
        severities=severities or None,
    )
    text: Callable[[Alert], str] = _json_text if as_json else alert_text
    if follow:
        asyncio.run(show_as_they_come(subscription, text))
        return
    # The topic is in order within a partition only.
    in_order = sorted(asyncio.run(collected(subscription)), key=lambda alert: alert.since)
    filters = (sellers, marketplaces, scope, statuses, severities)
    show_all(in_order, text, nothing("alerts", settings.alerts_topic, settings.broker, is_filtered=any(filters)))


@click.command(short_help="Show the latest metrics; with --follow, as they change.")
@settings_options(*CLUSTER_SETTINGS, "metrics_topic", "min_counted")
@_FOLLOW
@_SELLER
@_MARKETPLACE
@_SCOPE
@_STATUS
@click.option(
    "--worst",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only the N scopes with the lowest VTR; those with fewer than --min-counted shipments come last.",
)
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
            settings,
            topic=settings.metrics_topic,
            seller_ids=sellers or None,
            marketplaces=marketplaces or None,
            scope=scope,
            statuses=statuses or None,
        )
        asyncio.run(show_as_they_come(subscription, text))
        return
    by_scope = asyncio.run(
        latest_metrics(
            settings,
            topic=settings.metrics_topic,
            seller_ids=sellers or None,
            marketplaces=marketplaces or None,
            scope=scope,
            statuses=statuses or None,
        )
    )
    latest = sorted(by_scope.values(), key=lambda metric: encode_key(metric.scope))
    if worst is not None:
        latest = worst_first(latest, settings.min_counted)[:worst]
    filters = (sellers, marketplaces, scope, statuses, worst)
    show_all(latest, text, nothing("metrics", settings.metrics_topic, settings.broker, is_filtered=any(filters)))


def _json_text(record: Alert | Metric) -> str:
    return encode(record).decode()
