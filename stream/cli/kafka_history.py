"""The options of ``vtr replay`` that are about Kafka: history from topics, and history into them."""

import asyncio
import functools
import re
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import click
from msgspec import Struct
from msgspec.structs import replace

from stream.cli.format import unused_lines, utc_text
from stream.cli.options import BrokerUrl, Instant, check_order
from stream.cli.output import Output
from stream.kafka.clients import TopicPartition
from stream.kafka.cluster import Cluster, bootstrap_servers
from stream.replay import Source, find_topic_history, no_collection, read_sorted
from stream.replay.publish import Published, check_age, publish
from stream.replay.sorting import SortedEvents
from stream.settings import Settings, load_settings

P = ParamSpec("P")
R = TypeVar("R")


TELL_EVERY = 10.0
"""Seconds between two lines that say how far it came."""


class Offsets(click.ParamType):
    """``order-shipped/0:1200,order-shipped/1:1340``."""

    name = "TOPIC/PARTITION:OFFSET,…"

    def convert(
        self, value: str | dict[TopicPartition, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[TopicPartition, int]:
        """The offsets by their partitions."""
        if not isinstance(value, str):
            return value
        offsets = {}
        for part in value.split(","):
            match = re.fullmatch(r"\s*([a-zA-Z0-9._-]+)/(\d{1,9}):(\d{1,18})\s*", part)
            if match is None:
                self.fail(f"{part!r} is no offset such as order-shipped/0:1200", param, ctx)
            offsets[TopicPartition(match[1], int(match[2]))] = int(match[3])
        return offsets


class Numbers(click.ParamType):
    """``0,1``."""

    name = "NUMBER,…"

    def convert(
        self, value: str | frozenset[int], param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[int]:
        """The numbers."""
        if not isinstance(value, str):
            return value
        if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", value):
            self.fail(f"{value!r} are no numbers such as 0,1", param, ctx)
        return frozenset(map(int, value.split(",")))


class Speed(click.ParamType):
    """``max``, or how many times real time."""

    name = "max|N"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """The factor; None for no limit."""
        if value == "max":
            return None
        try:
            speed = float(value)
        except ValueError:
            speed = 0.0
        if not 0 < speed < float("inf"):
            self.fail(f"{value!r} is neither max nor a number above 0", param, ctx)
        return speed


class KafkaHistory(Struct, frozen=True, kw_only=True):
    """What was asked for. See the options below."""

    from_topics: bool
    since: datetime | None
    until: datetime | None
    only_partitions: frozenset[int] | None
    from_offsets: dict[TopicPartition, int] | None
    to_offsets: dict[TopicPartition, int] | None
    into: str | None
    into_config: str | None
    speed: float | None
    allow_old: bool

    def sources(self, files: Sequence[str], settings: Settings) -> Sequence[str | Source]:
        """What is to be read. Raises click.UsageError where options do not go together."""
        needs_topics = {
            "--partitions": self.only_partitions,
            "--from-offsets": self.from_offsets,
            "--to-offsets": self.to_offsets,
        }
        if bool(files) == self.from_topics:
            raise click.UsageError("give either FILE… or --from-topics")
        for flag, value in needs_topics.items():
            if value is not None and not self.from_topics:
                raise click.UsageError(f"{flag} needs --from-topics")
        if self.into_config is not None and self.into is None:
            raise click.UsageError("--into-config needs --into")
        check_order(self.since, self.until)
        if (self.since or self.until) and not (self.from_topics or self.into):
            raise click.UsageError("--since and --until need --from-topics or --into")
        for flag, is_given in {"--speed": self.speed is not None, "--allow-old": self.allow_old}.items():
            if is_given and not self.into:
                raise click.UsageError(f"{flag} needs --into")
        if not self.from_topics:
            return files
        if self.into is not None and not set(bootstrap_servers(self.into)).isdisjoint(settings.servers):
            raise click.UsageError("--into is the broker that --from-topics reads from: its events are there already")
        history = asyncio.run(
            find_topic_history(
                settings,
                partitions=self.only_partitions,
                since=self.since,
                until=self.until,
                from_offsets=self.from_offsets,
                to_offsets=self.to_offsets,
            )
        )
        ends = ",".join(f"{each.topic}/{each.partition}:{each.end}" for each in history.ranges)
        click.echo(f"to offsets {ends}", err=True)
        return [history]

    def publish(
        self, sources: Sequence[Source], settings: Settings, *, memory: int | None = None, rejects: Output | None = None
    ) -> None:
        """Send the events of the sources into Kafka, and say how far it came."""
        if self.into is None:
            raise ValueError("there is nowhere to publish to")
        target = self._target(self.into, settings)
        out = None if rejects is None else rejects.file
        with no_collection():
            events, summary = read_sorted(sources, self.since, self.until, memory=memory, rejects=out)
        with closing(events):
            for line in unused_lines(summary):
                click.echo(line, err=True)
            if rejects is not None:
                rejects.complete()
            if events.first is not None and not self.allow_old:
                asyncio.run(check_age(target, events.first))
            done = self._send(events, target, summary.rejected.total())
        if done.was_stopped:
            on = f"go on with the same command and --since {utc_text(done.last)}" if done.last else "nothing was sent"
            click.echo(f"stopped; {on}", err=True)
            raise KeyboardInterrupt

    def _target(self, broker: str, settings: Settings) -> Settings:
        if self.into_config is None:
            return replace(settings, broker=broker)
        # Variables are for the Kafka that is read from, passwords among them.
        other = load_settings({"broker": broker}, file=Path(self.into_config), environ={})
        return replace(settings, **{name: getattr(other, name) for name in Cluster.__struct_fields__})

    def _send(self, events: SortedEvents, settings: Settings, rejected: int) -> Published:
        started = told = time.perf_counter()

        def tell(published: Published) -> None:
            nonlocal told
            if time.perf_counter() - told > TELL_EVERY and published.last:
                told = time.perf_counter()
                how_far = f"{published.events} of {events.count} events, up to {utc_text(published.last)}"
                click.echo(f"so far     {how_far}", err=True)

        done = asyncio.run(publish(events, settings, speed=self.speed, tell=tell))
        elapsed = time.perf_counter() - started
        for kind, count in sorted(done.left_out.items()):
            click.echo(f"left out   {count} {kind}: the settings name no topic for them", err=True)
        up_to = f", up to {utc_text(done.last)}" if done.last else ""
        rate = f"{done.events} of {events.count} events in {elapsed:.1f} s ({done.events / elapsed:,.0f}/s)"
        click.echo(f"published  {rate}{up_to}; {rejected} rejected")
        return done


_OPTIONS = (
    click.option("--from-topics", is_flag=True, help="Read the input topics, up to their ends at the start."),
    click.option("--since", type=Instant(), help="Only events that happened from then on, by their event time."),
    click.option("--until", type=Instant(), help="Only events that happened before."),
    click.option("--partitions", "only_partitions", type=Numbers(), help="With --from-topics: only these partitions."),
    click.option(
        "--from-offsets", type=Offsets(), help="With --from-topics: begin there.  [default: the first record]"
    ),
    click.option("--to-offsets", type=Offsets(), help="With --from-topics: end before these.  [default: the end]"),
    click.option("--into", type=BrokerUrl(), help="Send the events to the input topics of this Kafka, and do no more."),
    click.option(
        "--into-config",
        type=click.Path(dir_okay=False),
        help="TOML file with the settings of TLS and login for --into, where they are others than for --broker.",
    ),
    click.option(
        "--speed",
        type=Speed(),
        metavar="max|N",
        default="max",
        show_default=True,
        help="With --into: N times real time.",
    ),
    click.option(
        "--allow-old", is_flag=True, help="With --into: send also what workers or the topics' retention may drop."
    ),
)


def kafka_options(
    function: Callable[Concatenate[Settings, KafkaHistory, P], R],
) -> Callable[Concatenate[Settings, P], R]:
    """Give a command these options; it gets what was asked for as second argument."""

    @functools.wraps(function)
    def with_history(settings: Settings, /, *args: P.args, **kwargs: P.kwargs) -> R:
        # Each option above is a field, and its type makes what the field holds.
        given = cast("dict[str, Any]", {name: kwargs.pop(name) for name in KafkaHistory.__struct_fields__})
        return function(settings, KafkaHistory(**given), *args, **kwargs)

    decorated: Callable[Concatenate[Settings, P], R] = with_history
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
