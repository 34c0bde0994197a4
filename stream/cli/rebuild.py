"""``vtr rebuild``: the state of a deployment from history, for a new group that takes over."""

import click

from stream.cli.format import alert_text, unused_lines
from stream.cli.options import memory_option, settings_options
from stream.cli.progress import reading
from stream.kafka.cluster import CLUSTER_SETTINGS
from stream.replay import Summary
from stream.settings import REPLAY_SETTINGS, Settings

SHOWN = 20
"""New alerts that are listed; the topic has them all."""


@click.command(short_help="Give a new group its state, from files and topics.")
@settings_options(
    *CLUSTER_SETTINGS,
    "group",
    "order_shipped_topic",
    "tracking_uploaded_topic",
    "tracking_scanned_topic",
    "metrics_topic",
    "alerts_topic",
    "dead_letters_topic",
    *REPLAY_SETTINGS,
    "idle_after",
)
@click.argument("files", nargs=-1, metavar="[FILE…]")
@click.option(
    "--previous-alerts",
    metavar="TOPIC",
    help="Alert topic of the deployment that this one follows: what it said keeps its ids.",
)
@memory_option
def rebuild(settings: Settings, *, files: tuple[str, ...], previous_alerts: str | None, memory: int | None) -> None:
    """Give a new group its state: from history files and what the input topics hold.

    The group's own topics must be new: `vtr topics create` with the same settings. The deployment that it follows runs
    on meanwhile, and events may flow. Afterwards start the group's workers with the same settings: they read on where
    this ended.
    """
    from stream.rebuild import Span
    from stream.rebuild import rebuild as run_rebuild  # as for `vtr run`, Faust takes a second to import

    summary = Summary()
    # Files and topics, so nobody can say how much of both there is.
    with reading(None) as meter:
        done = run_rebuild(files, settings, summary, previous_alerts=previous_alerts, memory=memory, meter=meter)
    for line in unused_lines(summary):
        click.echo(line, err=True)

    def span(of: str, span: Span | None) -> str:
        return f"{of} {span.first:%Y-%m-%d %H:%M:%S} to {span.last:%Y-%m-%d %H:%M:%S}" if span else f"no events in {of}"

    if done.files and done.topics and done.files.last < done.topics.first:
        click.echo("nothing is known of the time between the files and the topics", err=True)
    rejected = summary.rejected.total()
    click.echo(f"read    {summary.accepted} events, {rejected} rejected: {span('files', done.files)}, ", nl=False)
    click.echo(span("topics", done.topics))
    click.echo(f"state   {done.shipments} shipments as of {done.as_of:%Y-%m-%d %H:%M:%S}")
    for alert in done.untold[:SHOWN]:
        click.echo(f"new     {alert_text(alert)}")
    if len(done.untold) > SHOWN:
        click.echo(f"new     {len(done.untold) - SHOWN} more")
    told = len(done.alerts) - len(done.untold)
    click.echo(f"alerts  {told} stand as they were told, {len(done.untold)} are new")
