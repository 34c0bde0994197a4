"""``vtr replay``: history through the same engine, without a broker."""

import sys
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import click

from stream.cli.format import metric_text, rejection_lines
from stream.cli.kafka_history import KafkaHistory, kafka_options
from stream.cli.options import CommandError, Instant, settings_options
from stream.records import Alert, Metric, encode
from stream.replay import Replay, usable_cores
from stream.replay import replay as run_replay
from stream.settings import Settings

WORST = 10
"""Scopes in the summary."""


@click.command
@settings_options(
    "broker",
    "order_shipped_topic",
    "tracking_uploaded_topic",
    "tracking_scanned_topic",
    "policy_file",
    "rates_file",
    "valid_when",
    "threshold",
    "at_threshold",
    "warn_level",
    "recover_margin",
    "min_counted",
    "grace_hours",
    "lag_days",
)
@click.argument("files", nargs=-1, metavar="FILE…")
@kafka_options
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="How many share the sellers between them; the result is the same.  [default: one for each core]",
)
@click.option("--as-of", type=Instant(), help="End of the windows; later events are left out.  [default: last event]")
@click.option("--metrics", "metrics_out", metavar="FILE", help="Write one line per scope here; `-` is standard output.")
@click.option("--alerts", "alerts_out", metavar="FILE", help="Write the alerts in order here; `-` is standard output.")
def replay(
    settings: Settings,
    kafka: KafkaHistory,
    *,
    files: tuple[str, ...],
    processes: int | None,
    as_of: datetime | None,
    metrics_out: str | None,
    alerts_out: str | None,
) -> None:
    """Replay history: what the VTR was, and which alerts there would have been.

    FILE is NDJSON, one event per line in any order; .gz and .zst are unpacked, `-` is standard input. The same events
    give the same output, byte for byte. With --from-topics the events come from Kafka; with --into they go there.
    """
    if kafka.into and (as_of or metrics_out or alerts_out):
        raise click.UsageError("--into only sends the events; --as-of, --metrics and --alerts do not go with it")
    sources = kafka.sources(files, settings)
    if kafka.into:
        kafka.publish(sources, settings)
        return
    started = time.perf_counter()
    result = run_replay(sources, settings, as_of=as_of, processes=processes or usable_cores())
    elapsed = time.perf_counter() - started
    _write(metrics_out, result.metrics)
    _write(alerts_out, result.alerts)
    for line in rejection_lines(result.summary):
        click.echo(line, err=True)
    click.echo(_summary(result, elapsed), err="-" in (metrics_out, alerts_out))


def _write(out: str | None, records: Iterable[Metric | Alert]) -> None:
    if out is None:
        return
    lines = b"".join(encode(record) + b"\n" for record in records)
    if out == "-":
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()
        return
    try:
        Path(out).write_bytes(lines)
    except OSError as error:
        raise CommandError(f"cannot write {out}: {error.strerror}") from None


def _summary(result: Replay, elapsed: float) -> str:
    summary = result.summary
    rejected = sum(summary.rejected.values())
    alerts = ", ".join(f"{n} {kind}" for kind, n in sorted(summary.alerts.items())) or "none"
    speed = f"{summary.events} events in {elapsed:.1f} s ({summary.events / elapsed:,.0f}/s)"
    lines = [
        f"{speed}: {summary.accepted} accepted, {rejected} rejected, {summary.after_as_of} after the end",
        f"as of   {result.as_of.isoformat().replace('+00:00', 'Z') if result.as_of else '—'}",
        f"scopes  {summary.scopes}",
        f"alerts  {alerts}",
    ]
    rated = [metric for metric in result.metrics if metric.category is None and metric.marketplace is not None]
    worst = sorted(
        (metric for metric in rated if metric.live.counted >= 1),
        key=lambda metric: ((metric.live.vtr or 0.0), -metric.live.counted),
    )[:WORST]
    if worst:
        lines += ["", "lowest VTR by seller and marketplace:", *map(metric_text, worst)]
    return "\n".join(lines)
