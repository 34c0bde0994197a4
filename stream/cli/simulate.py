"""``vtr simulate``: seeded, realistic events, into a file or into Kafka."""

import asyncio
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
import zstandard
from msgspec.structs import replace

from stream.cli.options import BrokerUrl, CommandError, Duration, Instant, settings_options
from stream.cli.output import STDOUT, Output, cleaning_up
from stream.feed import FeedRecord, connected_feed
from stream.kafka.cluster import CLUSTER_SETTINGS
from stream.settings import Settings
from stream.simulator import LiveSimulation, Record, SimulationConfig, simulate_history

FILE_END = datetime(2026, 11, 1, tzinfo=UTC)
"""A file's history ends here unless asked otherwise, so that the same command writes the same bytes on any day."""


LIVE_STEP = 0.1
"""Seconds between two sends of live events: short beside what people notice."""


@click.command(short_help="Write simulated events, into a file or into Kafka.")
@settings_options(
    *(name for name in CLUSTER_SETTINGS if name != "broker"),
    "order_shipped_topic",
    "tracking_uploaded_topic",
    "tracking_scanned_topic",
)
@click.option("--events", type=click.IntRange(min=1), default=100_000, show_default=True, help="How many events.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed gives another history.")
@click.option("--sellers", type=click.IntRange(min=1), default=50, show_default=True, help="How many sellers.")
@click.option("--period", type=Duration(), default="35d", show_default=True, help="Time that the history spans.")
@click.option(
    "--until",
    type=Instant(),
    help="Where it ends.  [default: now into Kafka, 2026-11-01 into a file, where one command always writes the same]",
)
@click.option(
    "--malformed", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of broken events."
)
@click.option(
    "--scanned", type=click.FloatRange(0, 1), default=0.3, show_default=True, help="Share of scanned shipments."
)
@click.option("--out", metavar="FILE", help="Write NDJSON here; `-` is standard output, .gz and .zst are packed.")
@click.option("--broker", type=BrokerUrl(), help="Send the events to this Kafka instead.")
@click.option("--live", is_flag=True, help="With --broker: go on with live events after the history, until Ctrl-C.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="Live events per second.",
)
def simulate(
    settings: Settings,
    *,
    events: int,
    seed: int,
    sellers: int,
    period: timedelta,
    until: datetime | None,
    malformed: float,
    scanned: float,
    out: str | None,
    broker: str | None,
    live: bool,
    rate: float,
) -> None:
    """Write a simulated history of events, into a file or into Kafka.

    Sellers of all sizes, daily rhythm, tracking before and after shipping, carriers that go bad for some days,
    duplicates, late and out-of-order events. The same seed and options give the same bytes.
    """
    if (out is None) == (broker is None):
        raise click.UsageError("give either --out FILE or --broker URL")
    if live and broker is None:
        raise click.UsageError("--live needs --broker")
    end = until or (FILE_END if broker is None else datetime.now(UTC))
    try:
        config = SimulationConfig(
            seed=seed, sellers=sellers, start=end - period, end=end, malformed=malformed, scanned=scanned
        )
        records = simulate_history(config, events)
    except ValueError as error:
        raise CommandError(str(error)) from None
    if broker is not None:
        asyncio.run(
            _send(replace(settings, broker=broker), records, LiveSimulation(config, rate, _utc_now) if live else None)
        )
    elif out is not None:
        _write(out, records)
        if out != STDOUT:
            click.echo(f"wrote {events} events to {out}", err=True)


async def _send(settings: Settings, records: Iterator[Record], live: LiveSimulation | None) -> None:
    async with connected_feed(settings) as feed:
        sent = await feed.send(map(_fed, records))
        click.echo(f"sent {sent} events to {settings.broker}", err=True)
        if live is not None:
            click.echo("going on with live events until Ctrl-C", err=True)
        while live is not None:
            await feed.send(map(_fed, live.due()))
            await asyncio.sleep(LIVE_STEP)


def _fed(record: Record) -> FeedRecord:
    return FeedRecord(record.kind, record.key, record.value)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _write(name: str, records: Iterator[Record]) -> None:
    with cleaning_up(), Output(name) as out:
        out.write(_packed(name, (record.value + b"\n" for record in records)))
        out.complete()


def _packed(name: str, lines: Iterator[bytes]) -> Iterator[bytes]:
    """As the name's ending says."""
    if name.endswith(".gz"):
        # Its header has neither name nor time: the same events are the same file.
        gzip = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        yield from map(gzip.compress, lines)
        yield gzip.flush()
    elif name.endswith(".zst"):
        zst = zstandard.ZstdCompressor().compressobj()
        yield from map(zst.compress, lines)
        yield zst.flush()
    else:
        yield from lines
