"""``vtr explain``: why one shipment counts as what it counts."""

import asyncio
import textwrap
from collections.abc import Iterator
from datetime import datetime

import click
import msgspec

from stream.cli.format import rate_text, scope_text, unused_lines
from stream.cli.options import CommandError, Instant, settings_options
from stream.cli.progress import reading
from stream.explain import Explanation, NotFoundError, explain_history, explain_live, standing_words
from stream.explain.explanation import Check, LiveWindow, OfficialWindow, Tracking
from stream.explain.facts import instant
from stream.explain.timeline import Change
from stream.kafka.cluster import CLUSTER_SETTINGS
from stream.policy.model import GRADES
from stream.policy.words import source_words
from stream.replay import Summary, find_sources
from stream.settings import Settings

WIDTH = 110

_RESULTS = {
    "info": "rules",
    "applies": "match",
    "does_not_apply": "no match",
    "passed": "passed",
    "failed": "FAILED",
    "pending": "pending",
    "flagged": "flagged",
}


@click.command(short_help="Explain one shipment: its verdict, and the rules behind it.")
@settings_options(
    *CLUSTER_SETTINGS, "group", "policy_file", "rates_file", "threshold", "grace_hours", "valid_when", "lag_days"
)
@click.argument("seller_id", metavar="SELLER")
@click.argument("shipment_id", metavar="SHIPMENT")
@click.argument("files", nargs=-1, metavar="[FILE…]")
@click.option(
    "--as-of",
    type=Instant(),
    help="Explain as of then; later events are left out.  [default: last event; without FILE, what the worker counts]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object.")
def explain(
    settings: Settings,
    *,
    seller_id: str,
    shipment_id: str,
    files: tuple[str, ...],
    as_of: datetime | None,
    as_json: bool,
) -> None:
    """Explain one shipment: its verdict, the rule and the checks behind it, when it changed and by which event.

    FILE is history as for `vtr replay`: NDJSON, CSV or Parquet, a folder of such files, or `-` for standard input. Give
    the settings that the replay has, and the explanation is of what it counts.

    Without FILE it is about a running deployment (--broker, --group; give the rules' settings as its workers have
    them). That keeps only the latest fact of each kind, so earlier versions are not in the timeline. It is only read.

    SHIPMENT is the shipment's id; where a package has none of its own, that is the order's id.

    \b
    Examples:
      vtr explain A1EXAMPLE 028-1234567-7654321-1 history.ndjson.gz
      vtr explain A1EXAMPLE 028-1234567-7654321-1 history.ndjson --valid-when scan --as-of 2026-11-20
      vtr explain A1EXAMPLE 028-1234567-7654321-1 --broker kafka://HOST:9092 --json
    """
    summary = Summary()
    try:
        if files:
            with reading(find_sources(files).size) as meter:
                explanation = explain_history(
                    files, seller_id, shipment_id, settings, summary, as_of=as_of, meter=meter
                )
        else:
            explanation = asyncio.run(explain_live(seller_id, shipment_id, settings, as_of=as_of))
    except NotFoundError as error:
        raise CommandError(str(error)) from None
    finally:
        for line in unused_lines(summary):
            click.echo(line, err=True)
    if as_json:
        click.echo(msgspec.json.encode(explanation))
    else:
        for line in _lines(explanation):
            click.echo(line)


def _lines(explanation: Explanation) -> Iterator[str]:
    it = explanation
    yield f"shipment {it.shipment_id} of seller {it.seller_id}, as of {instant(it.as_of)}; all times are UTC"
    if it.order_id is not None:
        yield f"order {it.order_id}, {it.marketplace}, {it.category}"
    yield from ("", *_wrapped(it.verdict_text, first="verdict: ", rest="         "))
    yield from ("", "What happened (→ the verdict from then on)")
    if it.read_from == "deployment":
        yield from _wrapped(
            "A deployment keeps only the latest fact of each kind: earlier versions of them are not listed here.",
            first="  ",
            rest="  ",
        )
    for change in it.timeline:
        yield from _change(change)
    if it.unchanged_events:
        noun = "event" if it.unchanged_events == 1 else "events"
        yield f"  {it.unchanged_events} more {noun} of it said nothing new"
    if it.tracking is not None:
        yield from ("", "Tracking")
        yield from _tracking(it.tracking)
    if it.rules is not None:
        yield from ("", f"Why: the rules {it.rules.policy}, which ask for {rate_text(it.rules.threshold)}")
        for check in it.checks:
            yield from _check(check)
    if it.live is not None and it.official is not None:
        yield from ("", "Windows")
        yield from _windows(it, it.live, it.official)
    grades = sorted({check.grade for check in it.checks if check.grade is not None})
    if grades:
        text = "; ".join(f"{grade}: {GRADES[grade]}" for grade in grades)
        yield from ("", *_wrapped(text, first="Grades and sources: ", rest="  "))
        yield from (f"  {source:<4} {address}" for source, address in it.sources.items() if address)


def _change(change: Change) -> Iterator[str]:
    by = "" if change.event_id is None else f"{change.cause} {change.event_id}: "
    yield from _wrapped(f"{by}{change.text}", first=f"  {instant(change.at)}  ", rest=" " * 23)
    if change.after != change.before:
        yield from _wrapped(standing_words(change.after), first=f"{' ' * 21}→ ", rest=" " * 23)


def _tracking(tracking: Tracking) -> Iterator[str]:
    carrier = tracking.carrier or "no carrier"
    yield f"  {tracking.number} ({carrier}), first entered {instant(tracking.first_entered_at)}"
    if tracking.delivered_at is None:
        yield "  no scan of the delivery is known, so it is not known to be late"
    else:
        late = "late: entered after the delivery" if tracking.is_late else "not late: entered before the delivery"
        yield f"  {late} at {instant(tracking.delivered_at)}"
    if not tracking.reused_by_count:
        yield "  no other order of the seller has the number"
        return
    named = ", ".join(f"{other.shipment_id} (order {other.order_id})" for other in tracking.reused_by)
    more = tracking.reused_by_count - len(tracking.reused_by)
    effect = "a defect by these rules" if tracking.is_reuse_a_defect else "no defect by these rules, only mentioned"
    text = f"reused, {effect}: also on {named}{f' and {more} more' if more else ''}"
    yield from _wrapped(text, first="  ", rest="    ")


def _check(check: Check) -> Iterator[str]:
    source = f" {source_words(check.grade, check.source)}" if check.grade is not None else ""
    yield from _wrapped(f"{check.text}{source}", first=f"  {_RESULTS[check.result]:<9} ", rest=" " * 12)


def _windows(it: Explanation, live: LiveWindow, official: OfficialWindow) -> Iterator[str]:
    counts_as = {
        "valid": "counted as valid",
        "defect": "counted as a defect",
        "pending": "among the pending, not counted",
        "exempt": "among the exempt, not counted",
    }[it.verdict.outcome]
    text = f"live, ship time from {live.from_:%Y-%m-%d %H:%M} to before {live.to:%Y-%m-%d %H:%M}: "
    if live.is_in:
        text += f"{counts_as}, until it leaves at {live.leaves_at:%Y-%m-%d %H:%M}"
    elif live.enters_at >= live.to:
        text += f"not in it yet, from {live.enters_at:%Y-%m-%d %H:%M} on"
    else:
        text += f"no longer in it, since {live.leaves_at:%Y-%m-%d %H:%M}"
    yield from _wrapped(text, first="  ", rest="    ")
    text = f"official, promised delivery from {official.from_} to {official.to} (its own: {official.day}): "
    if official.is_in:
        text += f"{counts_as}, until it leaves on {official.leaves_on}"
    elif official.day > official.to:
        text += f"not in it yet, from {official.enters_on} on"
    else:
        text += f"no longer in it, since {official.leaves_on}"
    yield from _wrapped(text, first="  ", rest="    ")
    if live.is_in or official.is_in:
        yield f"  in the numbers of {', '.join(map(scope_text, it.scopes))}"


def _wrapped(text: str, *, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
