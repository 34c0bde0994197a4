"""``vtr policy``: which rules there are, and what they say."""

import textwrap
from collections.abc import Iterator
from datetime import UTC, date, datetime

import click
import msgspec

from stream.cli.options import Day, settings_options
from stream.places import MARKETPLACE_CODES, canonical_marketplace
from stream.policy import RulesPolicy
from stream.policy.compile import CompiledEntry
from stream.policy.load import DEFAULT
from stream.policy.model import FULFILLED_GRADE, FULFILLED_SOURCES, GRADES, Grade, Rule
from stream.policy.words import (
    dates_words,
    needs_words,
    reuse_words,
    rule_words,
    source_address,
    source_words,
    unknown_carrier_words,
    valid_words,
)
from stream.settings import Settings

WIDTH = 110

_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")

_encode = msgspec.json.Encoder(decimal_format="number").encode


_SETTINGS = settings_options("policy_file", "rates_file", "threshold", "grace_hours", "valid_when")


@click.group
def policy() -> None:
    """Show the rules: what counts, and what is valid."""


@policy.command("list")
@_SETTINGS
@_JSON
def list_(settings: Settings, *, as_json: bool) -> None:
    """List all rules with their dates and marketplaces."""
    rules = RulesPolicy.of(settings)
    if not as_json:
        click.echo(f"{'rules':<28} {'from':<10}  {'until':<10}  {'threshold':>9}  {'valid by':<8}  marketplaces")
    # The default comes last: it is for what all others leave.
    for name, family in sorted(rules.families.items(), key=lambda item: (item[0] == DEFAULT, item[0])):
        for entry in rules.entries(name):
            marketplaces = family.marketplaces or _without_rules(rules)
            if as_json:
                summary = {
                    "policy": entry.standard.policy,
                    "family": name,
                    "title": family.title,
                    "marketplaces": list(family.marketplaces),
                    "from": entry.entry.from_,
                    "until": entry.entry.until,
                    "threshold": float(entry.standard.threshold),
                    "valid_when": entry.valid_when,
                }
                click.echo(_encode(summary))
            else:
                others = " and any other" if name == DEFAULT else ""
                click.echo(
                    f"{entry.standard.policy:<28} {_day(entry.entry.from_)}  {_day(entry.entry.until)}  "
                    f"{_percent(float(entry.standard.threshold)):>9}  {entry.valid_when:<8}  "
                    f"{' '.join(marketplaces)}{others}"
                )


def _without_rules(rules: RulesPolicy) -> list[str]:
    """Amazon's marketplaces that have no rules of their own."""
    have = {code for family in rules.families.values() for code in family.marketplaces}
    return sorted(MARKETPLACE_CODES - have)


def _day(day: date | None) -> str:
    return "—".ljust(10) if day is None else day.isoformat()


def _percent(share: float) -> str:
    return f"{share:.2%}".replace(".00%", "%")


@policy.command
@_SETTINGS
@click.argument("marketplace")
@click.option(
    "--on",
    type=Day(),
    help="The rules for what was shipped on that UTC day.  [default: today]",
)
@_JSON
def show(settings: Settings, *, marketplace: str, on: date | None, as_json: bool) -> None:
    """Show the rules of a marketplace in force on a day.

    MARKETPLACE is a code such as DE or UK, or an id such as A1PA6795UKMFR9.
    """
    code = canonical_marketplace(marketplace)
    day = on or datetime.now(UTC).date()
    entry = RulesPolicy.of(settings).timeline(code).on(day.toordinal())
    if as_json:
        click.echo(_encode(_document(code, day, entry)))
    else:
        for line in _lines(code, day, entry):
            click.echo(line)


def _document(code: str, day: date, entry: CompiledEntry) -> dict[str, object]:
    family = entry.family
    return {
        "marketplace": code,
        "on": day,
        "policy": entry.standard.policy,
        "title": family.title,
        "dated_by": family.dated_by,
        "in_force": {
            "threshold": float(entry.standard.threshold),
            "grace_hours": entry.grace_hours,
            "valid_when": entry.valid_when,
        },
        "rules": entry.entry,
        "sources": {source: source_address(source) for source in _sources(entry)},
    }


def _lines(code: str, day: date, entry: CompiledEntry) -> Iterator[str]:
    family, rules = entry.family, entry.entry
    yield f"{code} on {day}: {family.title}"
    promised = ", by the day a delivery is promised for" if family.dated_by == "promised_delivery" else ""
    yield f"{entry.standard.policy}, in force {dates_words(entry)}{promised}"
    if code not in family.marketplaces and code != DEFAULT:
        yield f"No rules of {code} for this day are known."
    yield ""
    share, hours, when = entry.standard.threshold, entry.grace_hours, entry.valid_when
    own = _instead_of(share == rules.threshold.share, _percent(float(rules.threshold.share)))
    text = f"threshold: {_percent(float(share))}{own}"
    yield from _item(text, rules.threshold.grade, rules.threshold.source, rules.threshold.open)
    own = _instead_of(hours == rules.grace.hours, rules.grace.hours)
    text = f"tracking may be missing for {hours} hours{own} after the hour of shipping"
    yield from _item(text, rules.grace.grade, rules.grace.source, rules.grace.open)
    text = f"valid by {when}{_instead_of(when == rules.validity.when, rules.validity.when)}: {valid_words(entry)}"
    yield from _item(text, rules.validity.grade, rules.validity.source, rules.validity.open)
    unknown = rules.unknown_carrier
    yield from _item(unknown_carrier_words(entry), unknown.grade, unknown.source, unknown.open)
    text = f"a number that another shipment of the seller has {reuse_words(entry)}"
    yield from _item(text, "D", ()) if rules.reuse is None else _item(text, rules.reuse.grade, rules.reuse.source)
    yield from ("", "Left out")
    yield from _item("marketplace_fulfilled: what the marketplace fulfils", FULFILLED_GRADE, FULFILLED_SOURCES)
    for rule in rules.exempt:
        yield from _item(f"{rule.reason}: {rule_words(rule)}", rule.grade, rule.source, rule.note)
    if rules.ambiguous:
        yield from ("", "Counted and flagged, because the sources leave it open")
        for question in rules.ambiguous:
            yield from _item(rule_words(question), question.grade, question.source, question.open)
    yield from ("", "Scans that are needed, where it is valid by scan; the first line that applies holds")
    for scan in rules.scans:
        yield from _item(f"{rule_words(scan)}: {needs_words(scan.needs)}", scan.grade, scan.source, scan.note)
    if rules.notes:
        yield from ("", "Notes")
        for note in rules.notes:
            yield from _wrapped(note)
    yield from ("", "Grades")
    yield from (f"  {grade}: {meaning}" for grade, meaning in GRADES.items())
    yield from ("", "Sources")
    for source in _sources(entry):
        yield f"  {source:<4} {source_address(source) or ''}".rstrip()


def _instead_of(is_own: bool, own: object) -> str:
    return "" if is_own else f" (set, instead of {own})"


def _item(text: str, grade: Grade, sources: tuple[str, ...], remark: str | None = None) -> Iterator[str]:
    yield from _wrapped(f"{text}{f'; {remark}' if remark else ''} {source_words(grade, sources)}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _sources(entry: CompiledEntry) -> list[str]:
    rules = entry.entry
    listed: tuple[Rule, ...] = (*rules.exempt, *rules.ambiguous, *rules.scans)
    named = {
        *FULFILLED_SOURCES,
        *rules.threshold.source,
        *rules.grace.source,
        *rules.validity.source,
        *rules.unknown_carrier.source,
        *(() if rules.reuse is None else rules.reuse.source),
        *(source for rule in listed for source in rule.source),
    }
    return sorted(named, key=lambda source: (source_address(source) is None, source[:1], len(source), source))
