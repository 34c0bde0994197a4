"""``vtr import``: the marketplace's reports and feeds as events."""

import textwrap
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from typing import cast

import click
import msgspec

from stream.cli.format import printable
from stream.cli.options import CommandError
from stream.cli.output import check_outputs, write_output
from stream.events import encode
from stream.imports import Assumptions, Imported, import_files, load_fields, source_of
from stream.imports.cells import DayOrder
from stream.imports.facts import Reject
from stream.places import canonical_country, canonical_marketplace
from stream.replay.files import path_text

WIDTH = 110

SHOWN_REJECTS = 20
"""Rejected rows shown; --rejects has all of them."""


@click.command("import", short_help="Import order reports and feeds, joined into history.")
@click.argument("files", nargs=-1, metavar="FILE[@TIME]…")
@click.option("--seller", "seller_id", metavar="ID", help="Whose files these are: the seller id of all events.")
@click.option("--out", default="-", metavar="FILE", help="Write the events here.  [default: -, standard output]")
@click.option("--rejects", "rejects_out", metavar="FILE", help="Write what could not be used here, as NDJSON.")
@click.option("--marketplace", metavar="CODE", help="The marketplace of orders of which no file tells it, such as DE.")
@click.option("--ship-from", metavar="COUNTRY", help="Where packages are sent from that no file tells it of.")
@click.option(
    "--delivery-days",
    type=click.IntRange(0, 90),
    help="Days from shipping to the promised delivery of orders of which no file tells it.",
)
@click.option(
    "--blank-number",
    type=click.Choice(["removes", "keeps"]),
    default="removes",
    show_default=True,
    help="What a blank tracking number in a later upload does to the one before.",
)
@click.option(
    "--dates",
    "day_order",
    type=click.Choice(["day-first", "month-first"]),
    help="How to read dates such as 03-04-2026.  [default: reject them]",
)
@click.option("--explain-import", is_flag=True, help="Show which report gives which field, and what is assumed; end.")
def import_(
    *,
    files: tuple[str, ...],
    seller_id: str | None,
    out: str,
    rejects_out: str | None,
    marketplace: str | None,
    ship_from: str | None,
    delivery_days: int | None,
    blank_number: str,
    day_order: str | None,
    explain_import: bool,
) -> None:
    """Import what sellers have: order reports, fulfilment feeds and the Orders API, joined into history.

    FILE is recognised by what is in it: the order report, the report of all orders or of unshipped ones, a fulfilment
    feed (the shipping confirmation), JSON of the Orders API 2026-01-01, or a list of categories by SKU. Give all files
    of a time together, in any order: the same facts give the same events, with the same ids.

    A feed does not say when it was uploaded. Where that matters, because a number was late or corrected, put the time
    behind the file's name: FILE@2026-11-03T18:00:00Z.

    \b
    Examples:
      vtr import orders.txt feed.txt --seller A1EXAMPLE --out history.ndjson --rejects rejects.ndjson
      vtr import orders.json --seller A1EXAMPLE | vtr replay -
      vtr import --explain-import
    """
    if explain_import:
        for line in _explanation():
            click.echo(line)
        return
    if not files:
        raise click.UsageError("Missing argument 'FILE[@TIME]…'.")
    if not seller_id:
        raise click.UsageError("Missing option '--seller': no file tells whose it is.")
    check_outputs((out, rejects_out), (source_of(file).file for file in files))
    if ship_from is not None and canonical_country(ship_from) is None:
        raise CommandError(f"--ship-from: `{ship_from}` is not an ISO 3166 alpha-2 country code")
    assumed = Assumptions(
        marketplace=None if marketplace is None else canonical_marketplace(marketplace),
        ship_from=None if ship_from is None else canonical_country(ship_from),
        delivery_days=delivery_days,
        blank_removes=blank_number == "removes",
    )
    imported = import_files(files, seller_id, assumed, cast("DayOrder | None", day_order))
    write_output(out, [encode(event) + b"\n" for event in imported.events])
    if rejects_out is not None:
        write_output(rejects_out, [msgspec.json.encode(_reject(reject)) + b"\n" for reject in imported.rejects])
    for line in _summary(imported, rejects_out):
        click.echo(line, err=True)


def _reject(reject: Reject) -> dict[str, object]:
    place = reject.place
    return {
        "file": path_text(place.file),
        "line": place.line,
        "column": place.column or None,
        "reason": reject.reason,
        "row": reject.row or None,
    }


def _summary(imported: Imported, rejects_out: str | None) -> Iterator[str]:
    reports = load_fields().reports
    for file, report, encoding, rows in imported.files:
        noun = "order" if report == "orders_api" else "row"
        yield f"{path_text(file)}: {reports[report].title}, {encoding}, {rows} {noun}{'' if rows == 1 else 's'}"
    for place, reason, _ in imported.rejects[:SHOWN_REJECTS]:
        column = f", {place.column}" if place.column else ""
        yield printable(f"rejected  {place.file}:{place.line}{column}: {reason}")
    more = len(imported.rejects) - SHOWN_REJECTS
    if more > 0:
        yield f"rejected  {more} more{'' if rejects_out else '; --rejects FILE has them all'}"
    kinds = Counter(str(event.__struct_config__.tag) for event in imported.events)
    events = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) or "none"
    left = ", ".join(f"{n} {reason}" for reason, n in sorted(imported.left.items()))
    yield f"orders    {imported.orders}{f' ({left})' if left else ''}"
    yield f"shipments {imported.shipments}"
    yield f"events    {len(imported.events)} ({events})" if kinds else "events    none"
    yield f"rejected  {len(imported.rejects)}"


# --- Which report gives which field ----------------------------------------------------------------------------------


def _explanation() -> Iterator[str]:
    fields = load_fields()
    yield "The reports that are read"
    for form in fields.reports.values():
        yield from _wrapped(form.is_, first=f"  {form.title:<18}  ", rest=" " * 22)
    yield ""
    yield f"{'field':<22}  {'report':<18}  column"
    for each in fields.fields:
        yield f"{'─' * 22}  {'─' * 18}  {'─' * (WIDTH - 44)}"
        left = [each.field, f"  of {each.event}".replace(", ", ",\n  ")]
        left = [line for part in left for line in part.split("\n")]
        right = [f"{fields.reports[report].title:<18}  {column}" for report, column in each.sources]
        right += _wrapped(each.otherwise, first=f"{'otherwise':<18}  ", rest=" " * 20, width=WIDTH - 24)
        for field, source in zip_longest(left, right, fillvalue=""):
            yield f"{field:<22}  {source}".rstrip()


def _wrapped(text: str, *, first: str, rest: str, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
