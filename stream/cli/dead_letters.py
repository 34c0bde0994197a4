"""``vtr dead-letters``: what could not be used, why, and back again when it is repaired."""

import asyncio
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

import click
import msgspec
from click.core import ParameterSource

from stream.cli.format import printable
from stream.cli.letter_text import letter_lines, letter_text, planned_text, summary_lines
from stream.cli.options import CommandError, Instant, check_order, settings_options
from stream.cli.output import collected, nothing, show_all, show_as_they_come
from stream.dead_letters import (
    Check,
    Letter,
    LetterFileError,
    Planned,
    Wanted,
    encode_letter,
    is_without_value,
    letter_at,
    letters,
    plan,
    problem_of,
    read_file,
    summarise,
)
from stream.dead_letters import resend as send_again
from stream.dead_letters.read import newest
from stream.events import RejectionCode
from stream.kafka.cluster import CLUSTER_SETTINGS
from stream.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

_CODE = click.option(
    "--code",
    "codes",
    multiple=True,
    metavar="CODE",
    type=click.Choice([code.value for code in RejectionCode]),
    help="Only what was rejected as this (repeatable): " + ", ".join(code.value for code in RejectionCode) + ".",
)
_TOPIC = click.option("--topic", "topics", multiple=True, metavar="TOPIC", help="Only from this topic (repeatable).")
_SELLER = click.option(
    "--seller", "sellers", multiple=True, metavar="ID", help="Only with this seller in key or value (repeatable)."
)
_SINCE = click.option("--since", type=Instant(), help="Only what was rejected from then on.")
_UNTIL = click.option("--until", type=Instant(), help="Only what was rejected before.")
_LIMIT = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")


def _filters(function: Callable[P, R]) -> Callable[P, R]:
    for option in (_LIMIT, _UNTIL, _SINCE, _SELLER, _TOPIC, _CODE):
        function = option(function)
    return function


@click.group(
    "dead-letters", invoke_without_command=True, short_help="List what could not be used and why; send it back."
)
@settings_options(*CLUSTER_SETTINGS, "dead_letters_topic")
@_filters
@click.option("--summary", is_flag=True, help="Show how many there are of each code instead.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@_JSON
def dead_letters(
    settings: Settings,
    *,
    codes: tuple[str, ...],
    topics: tuple[str, ...],
    sellers: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    summary: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """List what could not be used and why, the newest last; with a command, look at one or send them back.

    With --json a letter has its key, value and headers as strings, those that are not UTF-8 in base64 under another
    name. Repair them in a file, and send that back:

    \b
      vtr dead-letters --code invalid_field --json > letters.ndjson
      vtr dead-letters resend letters.ndjson
    """
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if given:
            raise click.UsageError(f"give options after `{context.invoked_subcommand}`, not before it")
        return
    if follow and (summary or until):
        raise click.UsageError(f"--follow has no end and does not go with {'--summary' if summary else '--until'}")
    if summary and limit:
        raise click.UsageError("--summary counts all and does not go with --limit")
    wanted = _wanted(codes, topics, sellers, since, until)
    is_filtered = any((codes, topics, sellers, since, until))
    if_none = nothing("dead letters", settings.dead_letters_topic, settings.broker, is_filtered=is_filtered)
    if summary:
        summaries = asyncio.run(summarise(settings, settings.dead_letters_topic, wanted))
        if as_json:
            lines = [msgspec.json.encode(each).decode() for each in summaries]
        else:
            lines = list(summary_lines(summaries))
        show_all(lines, str, if_none)
        return
    found = letters(settings, settings.dead_letters_topic, wanted, limit=limit, follow=follow)
    text = _json_text if as_json else letter_text
    if follow:
        asyncio.run(show_as_they_come(found, text))
    else:
        show_all(asyncio.run(collected(found)), text, if_none)


def _json_text(letter: Letter) -> str:
    return encode_letter(letter).decode()


class _Place(click.ParamType):
    name = "PARTITION:OFFSET"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d{1,9}):(\d{1,18})", value, re.ASCII)
        if match is None:
            self.fail(f"{value!r} is not a partition and an offset such as 3:42", param, ctx)
        return int(match[1]), int(match[2])


@dead_letters.command(short_help="Show one letter in full, and whether it would be rejected again.")
@settings_options(*CLUSTER_SETTINGS, "dead_letters_topic", "lag_days")
@click.argument("place", type=_Place(), metavar="PARTITION:OFFSET")
@_JSON
def show(settings: Settings, *, place: tuple[int, int], as_json: bool) -> None:
    """Show one letter in full: why it was rejected, whether it would be again, and the record as it was."""
    letter = asyncio.run(letter_at(settings, settings.dead_letters_topic, *place))
    if as_json:
        click.echo(_json_text(letter))
        return
    problem = problem_of(letter, Check(settings, datetime.now(UTC)))
    for line in letter_lines(letter, settings.dead_letters_topic, problem):
        click.echo(line)


@dead_letters.command(short_help="Send letters back to the topics they came from.")
@settings_options(*CLUSTER_SETTINGS, "dead_letters_topic", "lag_days")
@click.argument("file", required=False, metavar="[FILE]")
@_filters
@click.option("--force", is_flag=True, help="Send also what would be rejected again.")
@click.option("--yes", is_flag=True, help="Send. Without, nothing is sent and only said what would be.")
def resend(
    settings: Settings,
    *,
    file: str | None,
    codes: tuple[str, ...],
    topics: tuple[str, ...],
    sellers: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    force: bool,
    yes: bool,
) -> None:
    """Send letters back to the topics they came from, to the partition of their key.

    FILE is what `vtr dead-letters --json` wrote, with repaired values; `-` is standard input. Without it, those on the
    topic are sent. A letter that a worker would reject again is left out. The headers that say why it was rejected are
    taken off, and vtr_resent_from names the letter. Events carry versions, so sending one twice changes nothing; the
    letters themselves stay where they are until their topic's retention ends.
    """
    wanted = _wanted(codes, topics, sellers, since, until)
    asyncio.run(_resend(settings, file, wanted, limit, force=force, yes=yes))


async def _resend(
    settings: Settings, file: str | None, wanted: Wanted, limit: int | None, *, force: bool, yes: bool
) -> None:
    topic = settings.dead_letters_topic
    if file is None:
        found = [letter async for letter in letters(settings, topic, wanted, limit=limit)]
    else:
        found = _read(file, wanted, limit)
    check = Check(settings, datetime.now(UTC))
    planned = await plan(found, check, settings)
    chosen = [each for each in planned if each.problem is None or (force and not is_without_value(each.letter))]
    sent = {id(each) for each in chosen}
    for each in planned:
        click.echo(planned_text(each, is_sent=id(each) in sent))
    if yes:
        count = await send_again(chosen, topic, settings)
        click.echo(f"sent {count} of {_letters(len(planned))}", err=True)
    else:
        click.echo(f"would send {len(chosen)} of {_letters(len(planned))}; nothing is sent without --yes", err=True)
    _remark(planned, len(planned) - len(chosen), force=force)


def _remark(planned: list[Planned], left_out: int, *, force: bool) -> None:
    if left_out and not force:
        click.echo("what would be rejected again is left out; --force sends it too", err=True)
    moved = sum(each.partition != each.letter.source.partition for each in planned)
    if moved:
        click.echo(
            f"{_letters(moved)} would change their partition: right where the key was wrong; where it was not, "
            "producers use another partitioner than murmur2, and these must not be sent",
            err=True,
        )


def _letters(count: int) -> str:
    return f"{count} letter{'' if count == 1 else 's'}"


def _read(file: str, wanted: Wanted, limit: int | None) -> list[Letter]:
    try:
        found = [letter for letter in read_file(file, sys.stdin.buffer) if wanted.has(letter)]
    except LetterFileError as error:
        raise CommandError(printable(str(error))) from None
    return found if limit is None else newest(found, limit)


def _wanted(
    codes: tuple[str, ...],
    topics: tuple[str, ...],
    sellers: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
) -> Wanted:
    check_order(since, until)
    return Wanted(
        codes=frozenset(codes) if codes else None,
        topics=frozenset(topics) if topics else None,
        seller_ids=frozenset(sellers) if sellers else None,
        since=since,
        until=until,
    )
