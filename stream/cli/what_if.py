"""``vtr what-if``: what other settings would have said of the same history."""

import shlex
import textwrap
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar

import click
import msgspec

from stream.cli.format import left_out_lines, printable, rate_text, scope_text, unused_lines
from stream.cli.options import Instant, memory_option, processes_option, settings_options
from stream.cli.progress import ReplayProgress
from stream.policy.words import source_words
from stream.records import Alert, Metric, Scope
from stream.replay import find_sources, usable_cores
from stream.settings import REPLAY_SETTINGS, Settings, SettingsError
from stream.what_if import BASELINE, Variant, WhatIf
from stream.what_if import what_if as compare
from stream.what_if.result import AlertDifference, Comparison, Ruling, StatusDifference, Totals, VerdictDifference

WIDTH = 110

EXAMPLES = 3
"""Shipments named for each way in which verdicts differ."""

T = TypeVar("T")


@click.command("what-if", short_help="Compare settings over one history: what would differ.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--than",
    "variants",
    multiple=True,
    required=True,
    metavar="'[NAME:] SETTING=VALUE…'",
    help="A variant: what is otherwise in it than in the baseline. Repeat it for more variants.",
)
@click.option("--as-of", type=Instant(), help="End of the windows; later events are left out.  [default: last event]")
@processes_option
@memory_option
@click.option(
    "--limit", type=click.IntRange(0), default=10, show_default=True, help="Most differences of each kind in the text."
)
@click.option("--json", "as_json", is_flag=True, help="All differences as one JSON object.")
@settings_options(*REPLAY_SETTINGS)
def what_if(
    settings: Settings,
    *,
    files: tuple[str, ...],
    variants: tuple[str, ...],
    as_of: datetime | None,
    processes: int | None,
    memory: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """Compare settings over one history: whose status differs, which alerts appear or vanish, which shipments have
    another verdict and by which rule.

    FILE is history as for `vtr replay`. The baseline is the settings as given by flags, variables and TOML file. Each
    --than is a variant: the baseline with some settings otherwise, by the same names. An empty VALUE puts one back to
    its default, which may be the rules' own. All go through the history together, and the same events give the same
    output, byte for byte.

    Statuses are compared at the end and alerts over the whole history. Verdicts are compared of the shipments that are
    in a window at the end: to look at earlier ones, go back with --as-of.

    \b
    Examples:
      vtr what-if history.ndjson --than threshold=0.9
      vtr what-if history.ndjson --than valid_when=scan --than grace_hours=72
      vtr what-if history.ndjson --than 'strict: threshold=0.98 warn_level=0.99' --json
      vtr what-if history.ndjson --policy today.toml --than policy_file=tomorrow.toml
    """
    parsed = [Variant.parse(text) for text in variants]
    twice = next((each.name for each in parsed if [other.name for other in parsed].count(each.name) > 1), None)
    if twice is not None:
        raise SettingsError(f"variant `{twice}`: there are two of that name")
    found = find_sources(files)
    for line in left_out_lines(found.left_out):
        click.echo(line, err=True)
    with ReplayProgress(found.size) as progress:
        result, replays = compare(
            found.sources,
            settings,
            parsed,
            as_of=as_of,
            processes=processes or usable_cores(),
            memory=memory,
            show=progress.show,
        )
    for line in unused_lines(replays[0].summary):
        click.echo(line, err=True)
    if as_json:
        click.echo(msgspec.json.encode(result))
    else:
        for line in _lines(result, limit):
            click.echo(line)


def _lines(result: WhatIf, limit: int) -> Iterator[str]:
    end = "—" if result.as_of is None else f"{result.as_of:%Y-%m-%d %H:%M:%S}"
    yield f"{result.events:,} events, as of {end}; all times are UTC"
    yield ""
    width = max(len(BASELINE), *(len(printable(each.name)) for each in result.variants))
    columns = f"{'breached':>8} {'at risk':>7}"
    yield f"{'':<{width}}  {'scopes at the end':<24}  {'alerts in all':<26}  live windows of all sellers at the end"
    yield f"{'':<{width}}  {columns} {'ok':>7}  {columns} {'recovered':>9}  {'VTR':>7} of counted"
    yield _totals(BASELINE, width, result.baseline)
    for each in result.variants:
        yield _totals(printable(each.name), width, each.totals)
    for each in result.variants:
        settings = shlex.join(f"{name}={value}" for name, value in each.settings.items())
        named = f" ({printable(settings)})" if settings != each.name else ""
        yield from ("", f"{printable(each.name)}{named}, beside the baseline")
        yield from _comparison(each, limit)


def _totals(name: str, width: int, totals: Totals) -> str:
    statuses, alerts, live = totals.statuses, totals.alerts, totals.live
    return (
        f"{name:<{width}}  {statuses['breached']:>8,} {statuses['at_risk']:>7,} {statuses['ok']:>7,}  "
        f"{alerts['vtr-breached']:>8,} {alerts['vtr-at-risk']:>7,} {alerts['vtr-recovered']:>9,}  "
        f"{rate_text(live.vtr):>7} of {live.counted:,}, {live.pending:,} pending, {live.exempt:,} exempt"
    )


def _comparison(it: Comparison, limit: int) -> Iterator[str]:
    yield f"  status: {_scopes(len(it.statuses))} differ{'s' if len(it.statuses) == 1 else ''} at the end"
    yield from _listed(map(_status, it.statuses), len(it.statuses), limit)
    kinds = {"appears": "appear", "vanishes": "vanish", "moves": "come at another time"}
    counts = {kind: [each for each in it.alerts if each.change == kind] for kind in kinds}
    yield f"  alerts: {', '.join(f'{len(counts[kind]):,} {words}' for kind, words in kinds.items())}"
    for each in counts.values():
        yield from _listed(map(_alert, each), len(each), limit)
    n = sum(len(each.shipments) for each in it.verdicts)
    yield f"  verdicts: {n:,} shipment{' has another' if n == 1 else 's have another'}"
    for difference in it.verdicts[:limit]:
        yield from _verdict(difference)
    if len(it.verdicts) > limit:
        yield f"    and {len(it.verdicts) - limit:,} more"


def _scopes(n: int) -> str:
    return f"{n:,} scope{'' if n == 1 else 's'}"


def _listed(lines: Iterable[str], n: int, limit: int) -> Iterator[str]:
    yield from islice(lines, limit)
    if n > limit:
        yield f"    and {n - limit:,} more"


def _status(it: StatusDifference) -> str:
    scope = scope_text(Scope(it.seller_id, it.marketplace, it.category))
    return f"    {scope:<34}  {_standing(it.baseline)}  →  {_standing(it.variant)}".rstrip()


def _standing(metric: Metric | None) -> str:
    if metric is None:
        return "not there"
    live = metric.live
    return f"{metric.status:<8} {rate_text(live.vtr):>7} of {live.counted:<6,}"


def _alert(it: AlertDifference) -> str:
    alerts = [alert for alert in (it.baseline, it.variant) if alert is not None]
    since = "  →  ".join(f"{alert.since:%Y-%m-%d %H:%M}" for alert in alerts)
    alert: Alert = alerts[-1]
    live = alert.metric.live
    text = f"    {it.change:<8}  {since}  {alert.type:<13}  {scope_text(alert.scope):<34}"
    return f"{text}  {rate_text(live.vtr):>7} of {live.counted:,}"


def _verdict(it: VerdictDifference) -> Iterator[str]:
    yield (
        f"    {len(it.shipments):,}  {_ruling(it.baseline)}  →  {_ruling(it.variant)}  "
        f"({sum(shipment.live for shipment in it.shipments):,} in the live window)"
    )
    for side, ruling in (("baseline", it.baseline), ("variant", it.variant)):
        rule = ruling.rule
        if rule is not None:
            source = "" if rule.grade is None else f" {source_words(rule.grade, rule.source)}"
            yield from _wrapped(side, f"{rule.policy}: {rule.text}{source}")
    named = [f"{shipment.seller_id} {shipment.shipment_id}" for shipment in it.shipments[:EXAMPLES]]
    yield from _wrapped("such as", ", ".join(named))


def _wrapped(label: str, text: str) -> list[str]:
    first, rest = f"      {label:<8}  ", " " * 16
    return textwrap.wrap(printable(text), WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _ruling(ruling: Ruling) -> str:
    reason = "" if ruling.reason is None else f" {ruling.reason}"
    return f"{ruling.outcome}{reason}{' (ambiguous)' if ruling.ambiguous else ''}"
