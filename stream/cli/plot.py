"""``vtr plot``: one scope's VTR over time, as a picture or a table."""

from datetime import datetime
from typing import cast

import click

from stream.cli.format import scope_text, shortened, unused_lines
from stream.cli.options import CommandError, Instant, settings_options
from stream.cli.output import STDOUT, check_outputs, write_output
from stream.cli.progress import reading
from stream.explain import NotFoundError
from stream.places import canonical_marketplace
from stream.plot import Series, read_series
from stream.plot.table import csv_bytes
from stream.records import Scope
from stream.replay import Summary, find_sources
from stream.settings import REPLAY_SETTINGS, Settings

FORMATS = ("svg", "png", "csv")

MOST_TITLE = 60
"""Characters of a picture's title: ids may have a thousand."""


@click.command(short_help="Plot one VTR over time, as a picture or as CSV.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--seller", "seller_id", required=True, metavar="ID", help="Whose VTR.")
@click.option("--marketplace", metavar="CODE", help="On this marketplace only.")
@click.option("--category", metavar="NAME", help="In this category of the marketplace only.")
@click.option(
    "--out",
    required=True,
    metavar="FILE",
    help="Where to: the ending says whether it is .svg, .png or .csv; `-` is CSV on standard output.",
)
@click.option("--as-of", type=Instant(), help="The end; later events are left out.  [default: last event]")
@settings_options(*REPLAY_SETTINGS)
def plot(
    settings: Settings,
    *,
    files: tuple[str, ...],
    seller_id: str,
    marketplace: str | None,
    category: str | None,
    out: str,
    as_of: datetime | None,
) -> None:
    """Plot one VTR over time, with threshold, warn level and alerts; or give the same as CSV.

    FILE is history as for `vtr replay`, and with its settings the values are what that replay has: at every full hour,
    at each alert and at the end. Where nothing is counted the VTR is undefined, which is a gap in the picture and an
    empty field in the table. A picture needs the extra `plot` (matplotlib).

    \b
    Examples:
      vtr plot history.ndjson --seller A1EXAMPLE --out vtr.svg
      vtr plot history.ndjson --seller A1EXAMPLE --marketplace DE --category Home --out vtr.png
      vtr plot history.ndjson --seller A1EXAMPLE --out - | head
    """
    kind = "csv" if out == STDOUT else out.rpartition(".")[2].lower()
    if kind not in FORMATS:
        raise click.UsageError(f"--out {out}: the name must end in .svg, .png or .csv")
    if category is not None and marketplace is None:
        raise click.UsageError("--category needs --marketplace: categories are counted per marketplace")
    found = find_sources(files)
    check_outputs((out,), found.paths)
    if kind != "csv":
        _need_matplotlib()
    scope = Scope(seller_id, marketplace and canonical_marketplace(marketplace), category)
    summary = Summary()
    try:
        with reading(found.size) as meter:
            series = read_series(files, scope, settings, summary, as_of=as_of, meter=meter)
    except NotFoundError as error:
        raise CommandError(str(error)) from None
    finally:
        for line in unused_lines(summary):
            click.echo(line, err=True)
    write_output(out, [csv_bytes(series) if kind == "csv" else _picture(series, kind)])
    first, n = series.samples[0].at, len(series.alerts)
    click.echo(
        f"{scope_text(series.scope)} from {first:%Y-%m-%d %H:%M} to {series.as_of:%Y-%m-%d %H:%M} UTC: "
        f"{len(series.samples):,} samples, {n:,} alert{'' if n == 1 else 's'}",
        err=out == STDOUT,
    )


def _need_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401 - optional, and slow to load
    except ImportError:
        raise CommandError("a picture needs matplotlib: pip install matplotlib; .csv needs none") from None


def _picture(series: Series, kind: str) -> bytes:
    # Not at the top, for it needs matplotlib.
    from stream.plot.chart import Format, picture

    return picture(series, shortened(scope_text(series.scope), MOST_TITLE), cast("Format", kind))
