"""``vtr replay``: history through the same engine, without a broker."""

import gc
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import click
import msgspec

from stream.cli.format import left_out_lines, metric_text, unused_lines, utc_text, worst_first
from stream.cli.kafka_history import KafkaHistory, kafka_options
from stream.cli.options import CommandError, Instant, memory_option, processes_option, settings_options
from stream.cli.output import STDOUT, Output, check_outputs, cleaning_up
from stream.cli.progress import ReplayProgress
from stream.kafka.cluster import CLUSTER_SETTINGS
from stream.records import Alert, Metric, encode
from stream.replay import Comparison, Form, Replay, Source, find_sources, usable_cores
from stream.replay import replay as run_replay
from stream.replay.checkpoint import Checkpoint
from stream.replay.terms import Terms
from stream.settings import REPLAY_SETTINGS, Settings

WORST = 10
"""Scopes in the summary."""


@click.command(short_help="Replay history: what the VTR was, which alerts there were.")
@settings_options(
    *CLUSTER_SETTINGS, "order_shipped_topic", "tracking_uploaded_topic", "tracking_scanned_topic", *REPLAY_SETTINGS
)
@click.argument("files", nargs=-1, metavar="FILE…")
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Form]),
    help="Of files whose names do not tell.  [default: as their first lines look]",
)
@kafka_options
@processes_option
@memory_option
@click.option("--as-of", type=Instant(), help="End of the windows; later events are left out.  [default: last event]")
@click.option("--metrics", "metrics_out", metavar="FILE", help="Write one line per scope here; `-` is standard output.")
@click.option("--alerts", "alerts_out", metavar="FILE", help="Write the alerts in order here; `-` is standard output.")
@click.option(
    "--rejects", "rejects_out", metavar="FILE", help="Write what cannot be used here, unchanged, with place and reason."
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object.")
@click.option(
    "--hash-state", is_flag=True, help="Hash every shipment that is kept too, which takes a seventh more time."
)
@click.option(
    "--checkpoint",
    "checkpoint_folder",
    metavar="FOLDER",
    help="Keep here what an interrupted replay needs to go on; gone when it has ended.",
)
@click.option("--resume", is_flag=True, help="Go on with the replay that was interrupted, from --checkpoint.")
def replay(
    settings: Settings,
    kafka: KafkaHistory,
    *,
    files: tuple[str, ...],
    form: str | None,
    processes: int | None,
    memory: int | None,
    as_of: datetime | None,
    metrics_out: str | None,
    alerts_out: str | None,
    rejects_out: str | None,
    as_json: bool,
    hash_state: bool,
    checkpoint_folder: str | None,
    resume: bool,
) -> None:
    """Replay history: what the VTR was, and which alerts there would have been.

    FILE is NDJSON, CSV or Parquet, with an event per line or row in any order, or a folder of such files; .gz and .zst
    are unpacked, `-` is standard input. The same events give the same output, byte for byte. With --from-topics the
    events come from Kafka; with --into they go there.

    A CSV file's first line names the fields of events, `order_value.amount` and `order_value.currency` among them. An
    empty cell is a field that is not there.

    \b
    Examples:
      vtr replay history/ --metrics metrics.ndjson --alerts alerts.ndjson --rejects rejects.ndjson
      vtr replay 2025.csv.gz 2026.parquet --as-of 2026-10-20 --json
      vtr replay history/ --checkpoint unfinished/ --alerts alerts.ndjson
      vtr replay history/ --checkpoint unfinished/ --alerts alerts.ndjson --resume
      vtr replay --from-topics --broker kafka://HOST:9092 --since 2026-11-01
    """
    if resume and checkpoint_folder is None:
        raise click.UsageError("--resume needs --checkpoint")
    if checkpoint_folder is not None:
        for name in files:
            if Path(checkpoint_folder).resolve().is_relative_to(Path(name).resolve()):
                raise click.UsageError(f"--checkpoint {checkpoint_folder} is in {name}, and would be read as history")
    if kafka.into:
        results = (as_of, metrics_out, alerts_out, processes, checkpoint_folder)
        if as_json or hash_state or any(option is not None for option in results):
            raise click.UsageError("--into only sends the events; options about a replay's results do not go with it")
    found = find_sources(kafka.sources(files, settings), None if form is None else Form(form))
    for line in left_out_lines(found.left_out):
        click.echo(line, err=True)
    check_outputs((metrics_out, alerts_out, rejects_out), found.paths)
    if processes is None and not resume:
        processes = 1 if found.has_pipe else usable_cores()
    try:
        with ExitStack() as stack:
            stack.enter_context(cleaning_up())
            metrics, alerts, rejects = (
                None if name is None else stack.enter_context(Output(name))
                for name in (metrics_out, alerts_out, rejects_out)
            )
            if kafka.into:
                kafka.publish(found.sources, settings, memory=memory, rejects=rejects)
                return
            checkpoint = None
            if checkpoint_folder is not None:
                checkpoint, processes = _opened(
                    Path(checkpoint_folder), found.sources, settings, as_of, processes, is_resumed=resume
                )
                stack.callback(checkpoint.close)
            progress = stack.enter_context(ReplayProgress(found.size))
            started = time.perf_counter()
            # The process ends with the replay: to look for what it leaves would take a tenth of the time.
            gc.disable()
            stack.callback(gc.enable)
            stack.callback(gc.freeze)
            result = run_replay(
                found.sources,
                settings,
                as_of=as_of,
                processes=processes or 1,
                memory=memory,
                rejects=None if rejects is None else rejects.file,
                checkpoint=checkpoint,
                hash_state=hash_state,
                show=progress.show,
            )
            elapsed = time.perf_counter() - started
            for out, records in ((metrics, result.metrics), (alerts, result.alerts)):
                if out is not None:
                    out.write(_lines(records))
            for out in (metrics, alerts, rejects):
                if out is not None:
                    out.complete()
            if checkpoint is not None:
                checkpoint.remove()
    except (KeyboardInterrupt, SystemExit):
        if not kafka.into:
            how_to_go_on = "" if found.may_be_gone else f"; {_how_to_go_on(checkpoint_folder)}"
            click.echo(f"vtr: interrupted{how_to_go_on}", err=True)
        raise
    for line in unused_lines(result.summary):
        click.echo(line, err=True)
    comparison = Comparison.of(result)
    text = (
        msgspec.json.encode(comparison).decode()
        if as_json
        else _summary(result, comparison, elapsed, settings.min_counted)
    )
    click.echo(text, err=STDOUT in (metrics_out, alerts_out, rejects_out))


def _lines(records: Iterable[Metric | Alert]) -> list[bytes]:
    return [encode(record) + b"\n" for record in records]


def _opened(
    folder: Path,
    sources: Sequence[Source],
    settings: Settings,
    as_of: datetime | None,
    processes: int | None,
    *,
    is_resumed: bool,
) -> tuple[Checkpoint, int]:
    """The checkpoint, and the number of processes that it is of."""
    if not is_resumed:
        terms = Terms.of(sources, settings, as_of, processes or 1)
        return Checkpoint.begin(folder, terms), terms.processes
    checkpoint, begun = Checkpoint.resume(folder)
    difference = begun.difference(Terms.of(sources, settings, as_of, processes or begun.processes))
    if difference is not None:
        checkpoint.close()
        raise CommandError(f"cannot go on from {folder}: {difference}")
    return checkpoint, begun.processes


def _how_to_go_on(checkpoint_folder: str | None) -> str:
    if checkpoint_folder is None:
        return "with --checkpoint FOLDER a replay can go on later"
    command = [argument for argument in sys.argv[1:] if argument != "--resume"]
    return f"go on with: {shlex.join(['vtr', *command, '--resume'])}"


def _summary(result: Replay, comparison: Comparison, elapsed: float, min_counted: int) -> str:
    summary = result.summary
    alerts = ", ".join(f"{n} {kind}" for kind, n in sorted(summary.alerts.items())) or "none"
    speed = f"{summary.events} events in {elapsed:.1f} s ({summary.events / elapsed:,.0f}/s)"
    rejected = f"{comparison.rejected} rejected"
    lines = [
        f"{speed}: {summary.accepted} accepted, {rejected}, {summary.after_as_of} after the end",
        f"as of   {utc_text(result.as_of) if result.as_of else '—'}",
        f"scopes  {summary.scopes}",
        f"alerts  {alerts}",
        f"compare {comparison}",
    ]
    rated = [metric for metric in result.metrics if metric.category is None and metric.marketplace is not None]
    worst = worst_first(rated, min_counted)[:WORST]
    if worst:
        lines += ["", "lowest VTR by seller and marketplace:", *map(metric_text, worst)]
    return "\n".join(lines)
