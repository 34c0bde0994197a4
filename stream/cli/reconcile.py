"""``vtr reconcile``: our number beside the marketplace's own."""

import textwrap
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import click
import msgspec

from stream.cli.format import printable, rate_text, unused_lines
from stream.cli.options import CommandError, Instant, settings_options
from stream.cli.progress import reading
from stream.explain import NotFoundError
from stream.reconcile import Bridge, Comparison, HealthReportError, Ours, Reconciliation, Step, Theirs
from stream.reconcile import read_health_report as read_report
from stream.reconcile import reconcile as compare
from stream.replay import Summary, find_sources
from stream.settings import Settings

WIDTH = 110

_CAUSES: Final = {
    "ambiguous": "counted here, though the published rules leave it open",
    "promise_unknown": "no file tells the promise, so it may belong to other days",
    "window_edge": "promised within 14 hours of an end of the window: by a store's clock on the other side",
    "unscanned": "valid here by its number; no scan is known that the marketplace asks for",
    "not_explained": "not explained: the report does not tell which shipments it counts",
}


@click.command(short_help="Check history against the marketplace's own number.")
@settings_options("policy_file", "rates_file", "threshold", "grace_hours", "valid_when", "lag_days")
@click.argument("seller_id", metavar="SELLER")
@click.argument("report", metavar="HEALTH.json", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("more_files", nargs=-1, metavar="")
@click.option("--history", metavar="FILE…", multiple=True, required=True, help="History of the seller.")
@click.option(
    "--as-of",
    type=Instant(),
    help="Judge by what was known then.  [default: the day of the report, --lag-days after the end of its window]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object.")
def reconcile(
    settings: Settings,
    *,
    seller_id: str,
    report: Path,
    more_files: tuple[str, ...],
    history: tuple[str, ...],
    as_of: datetime | None,
    as_json: bool,
) -> None:
    """Check history against the marketplace: its number beside ours for the same days, and what explains the gap.

    HEALTH.json is a saved account-health report (GET_V2_SELLER_PERFORMANCE_REPORT); FILE is history as for
    `vtr replay`. The report says how many shipments it counts, and not which. So the way from its number to ours goes
    over what may be behind the gap, never over more than there is, and what is left is not explained.

    \b
    Examples:
      vtr reconcile A1EXAMPLE health.json --history history.ndjson
      vtr reconcile A1EXAMPLE health.json --history october.ndjson.gz november.ndjson.gz --valid-when scan --json
    """
    summary = Summary()
    try:
        theirs, files = read_report(report), [*history, *more_files]
        with reading(find_sources(files).size) as meter:
            result = compare(theirs, files, seller_id, settings, summary, as_of=as_of, meter=meter)
    except (HealthReportError, NotFoundError) as error:
        raise CommandError(str(error)) from None
    finally:
        for line in unused_lines(summary):
            click.echo(line, err=True)
    if as_json:
        click.echo(msgspec.json.encode(result))
    else:
        click.echo("\n".join(_lines(result)))


def _lines(result: Reconciliation) -> Iterator[str]:
    for number, comparison in enumerate(result.comparisons):
        if number:
            yield ""
        yield from _comparison(comparison)
    if result.elsewhere:
        yield ""
        yield "Not in the report, and counted here in the same days"
        for marketplace, ours in result.elsewhere.items():
            yield f"  {printable(marketplace)}  {_numbers(ours)}"
    if result.notes:
        yield ""
        yield from (f"Note: {note}" for note in result.notes)


def _comparison(comparison: Comparison) -> Iterator[str]:
    theirs, ours = comparison.theirs, comparison.ours
    scope = printable(" ".join(part for part in (theirs.marketplace, theirs.category) if part)) or "all marketplaces"
    if theirs.from_ is None or comparison.as_of is None:
        yield scope
    else:
        days = f"promised for {theirs.from_} to {theirs.to}"
        yield f"{scope}, {days}; ours as of {comparison.as_of:%Y-%m-%d %H:%M} UTC"
    yield from (f"  note: {printable(note)}" for note in theirs.notes)
    yield f"  {'':<9}{'theirs':>10}{'ours':>10}"
    yield _row("counted", _count(theirs.counted), None if ours is None else _count(ours.counted))
    yield _row("valid", _count(theirs.valid), None if ours is None else _count(ours.valid))
    yield _row("defects", _count(theirs.defects), None if ours is None else _count(ours.defects))
    yield _row("VTR", rate_text(theirs.rate), None if ours is None else rate_text(ours.vtr)) + _verdict(theirs)
    if ours is not None:
        yield from _wrapped(f"ours: {_numbers(ours)}", first="  ", rest="    ")
    for name, bridge in (("counted", comparison.counted), ("defects", comparison.defects)):
        if bridge is not None and bridge.theirs != bridge.ours:
            yield from _bridge(name, bridge)


def _row(name: str, theirs: str, ours: str | None) -> str:
    return f"  {name:<9}{theirs:>10}{ours or '—':>10}"


def _count(n: int | None) -> str:
    return "—" if n is None else f"{n:,}"


def _verdict(theirs: Theirs) -> str:
    target = "" if theirs.target is None else f"target {rate_text(theirs.target)}"
    return "".join(f"   {printable(part)}" for part in (theirs.status, target) if part)


def _numbers(ours: Ours) -> str:
    parts = [
        f"{ours.valid} valid",
        f"{ours.defects} defect{'' if ours.defects == 1 else 's'}{_reasons(ours.reasons['defect'])}",
        f"{ours.pending} pending{_reasons(ours.reasons['pending'])}",
        f"{ours.exempt} exempt{_reasons(ours.reasons['exempt'])}",
    ]
    noun = "shipment" if ours.shipments == 1 else "shipments"
    return f"{ours.shipments} {noun}: {', '.join(parts)}"


def _reasons(reasons: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{reason} {n}' for reason, n in reasons.items())})" if reasons else ""


def _bridge(name: str, bridge: Bridge) -> Iterator[str]:
    yield f"  {name}, from theirs to ours"
    yield f"    {bridge.theirs:>6}  theirs"
    for step in bridge.steps:
        if step.n:
            yield from _wrapped(_step(step), first=f"    {_signed(step.n):>6}  ", rest=" " * 12)
    yield f"    {bridge.ours:>6}  ours"


def _step(step: Step) -> str:
    if step.cause in ("pending", "exempt"):
        return f"{step.cause} {step.reason}: left out here ({step.of}), and perhaps counted there"
    return _CAUSES[step.cause] + ("" if step.of is None else f" ({step.of})")


def _signed(n: int) -> str:
    return f"−{-n:,}" if n < 0 else f"+{n:,}"


def _wrapped(text: str, *, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
