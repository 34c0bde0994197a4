"""``vtr report``: a seller's defects, and what to do about them."""

import asyncio
from datetime import datetime
from typing import Literal

import click
import msgspec

from stream.cli.format import unused_lines
from stream.cli.options import CommandError, Instant, settings_options
from stream.cli.progress import reading
from stream.cli.report_text import report_lines
from stream.explain import NotFoundError
from stream.kafka.cluster import CLUSTER_SETTINGS
from stream.replay import Summary, find_sources
from stream.report import Selection, Window, csv_of, report_of_deployment, report_of_history
from stream.settings import Settings


@click.command(short_help="List a seller's defects, with reasons and remedies.")
@settings_options(
    *CLUSTER_SETTINGS, "group", "policy_file", "rates_file", "threshold", "grace_hours", "valid_when", "lag_days"
)
@click.argument("seller_id", metavar="SELLER")
@click.argument("more_files", nargs=-1, metavar="")
@click.option("--marketplace", metavar="CODE", help="Only this marketplace, by code or id.")
@click.option("--category", metavar="NAME", help="Only this category.")
@click.option("--carrier", metavar="NAME", help="Only this carrier, however it is spelt.")
@click.option(
    "--window",
    type=click.Choice(["live", "official"]),
    default="live",
    show_default=True,
    help="By ship time, up to now; or by promised delivery, as the marketplace has it.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json"]),
    default="text",
    show_default=True,
    help="For people, spreadsheets or programs.",
)
@click.option("--json", "as_json", is_flag=True, help="As --format json.")
@click.option(
    "--as-of",
    type=Instant(),
    help="As of then; later events are left out.  [default: last event; without --history, what the workers count]",
)
@click.option("--history", metavar="FILE…", multiple=True, help="From history files instead of a deployment.")
def report(
    settings: Settings,
    *,
    seller_id: str,
    more_files: tuple[str, ...],
    marketplace: str | None,
    category: str | None,
    carrier: str | None,
    window: Window,
    form: Literal["text", "csv", "json"],
    as_json: bool,
    as_of: datetime | None,
    history: tuple[str, ...],
) -> None:
    """List a seller's defective shipments, each with its reason and what to do about it.

    The list is complete: it has as many shipments as the seller's metric has defects.

    It is about a running deployment (--broker, --group), which is only read; give the rules' settings as its workers
    have them. With --history it is about files as for `vtr replay`: NDJSON, CSV or Parquet, folders of such files, or
    `-` for standard input.

    \b
    Examples:
      vtr report A1EXAMPLE
      vtr report A1EXAMPLE --marketplace DE --window official --format csv > defects.csv
      vtr report A1EXAMPLE --carrier DHL --history october.ndjson.gz november.ndjson.gz
    """
    if more_files and not history:
        raise click.UsageError(f"give history files after --history, as in --history {more_files[0]}")
    if as_json and form == "csv":
        raise click.UsageError("give either --format csv or --json")
    summary = Summary()
    selection = Selection(window=window, marketplace=marketplace, category=category, carrier=carrier)
    try:
        if history:
            files = [*history, *more_files]
            with reading(find_sources(files).size) as meter:
                found = report_of_history(files, seller_id, selection, settings, summary, as_of=as_of, meter=meter)
        else:
            found = asyncio.run(report_of_deployment(seller_id, selection, settings, as_of=as_of))
    except NotFoundError as error:
        raise CommandError(str(error)) from None
    finally:
        for line in unused_lines(summary):
            click.echo(line, err=True)
    if as_json or form == "json":
        click.echo(msgspec.json.encode(found))
    elif form == "csv":
        click.echo(csv_of(found), nl=False)
    else:
        for line in report_lines(found):
            click.echo(line)
