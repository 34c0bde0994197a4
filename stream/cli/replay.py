"""``vtr replay``: history through the same engine, without a broker."""

import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self

import click
import msgspec

from stream.cli.format import left_out_lines, metric_text, unused_lines
from stream.cli.options import CommandError, Instant, Size, settings_options
from stream.cli.progress import ReplayProgress
from stream.records import Alert, Metric, encode
from stream.replay import Comparison, Form, Replay, find_files, usable_cores
from stream.replay import replay as run_replay
from stream.replay.checkpoint import Checkpoint
from stream.replay.files import STDIN, HistoryFile, size_of
from stream.replay.player import REPLAY_SETTINGS
from stream.replay.terms import Terms
from stream.replay.whole_file import WholeFile
from stream.settings import Settings

WORST = 10
"""Scopes in the summary."""


@click.command
@settings_options(*REPLAY_SETTINGS)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Form]),
    help="Of files whose names do not tell.  [default: as their first lines look]",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="How many share the sellers between them; the result is the same.  [default: one for each core]",
)
@click.option(
    "--memory",
    type=Size(),
    help="For sorting; more events than fit are sorted on disk (in TMPDIR, else /var/tmp). The shipments of the last "
    "weeks come on top.  [default: half of what is available]",
)
@click.option("--as-of", type=Instant(), help="End of the windows; later events are left out.  [default: last event]")
@click.option("--metrics", "metrics_out", metavar="FILE", help="Write one line per scope here; `-` is standard output.")
@click.option("--alerts", "alerts_out", metavar="FILE", help="Write the alerts in order here; `-` is standard output.")
@click.option(
    "--rejects", "rejects_out", metavar="FILE", help="Write what cannot be used here, unchanged, with place and reason."
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object.")
@click.option(
    "--hash-state", is_flag=True, help="Hash every shipment that is kept too, which takes a tenth of the time."
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
    are unpacked, `-` is standard input. The same events give the same output, byte for byte.

    A CSV file's first line names the fields of events, `order_value.amount` and `order_value.currency` among them. An
    empty cell is a field that is not there.

    \b
    Examples:
      vtr replay history/ --metrics metrics.ndjson --alerts alerts.ndjson --rejects rejects.ndjson
      vtr replay 2025.csv.gz 2026.parquet --as-of 2026-10-20 --json
      vtr replay history/ --checkpoint unfinished/ --alerts alerts.ndjson
      vtr replay history/ --checkpoint unfinished/ --alerts alerts.ndjson --resume
    """
    if resume and checkpoint_folder is None:
        raise click.UsageError("--resume needs --checkpoint")
    found = find_files(files, None if form is None else Form(form))
    for line in left_out_lines(found.left_out):
        click.echo(line, err=True)
    if processes is None and not resume:
        processes = 1 if any(file.path == STDIN for file in found.files) else usable_cores()
    try:
        with ExitStack() as stack:
            stack.enter_context(_cleaning_up())
            metrics, alerts, rejects = (
                None if name is None else stack.enter_context(_Output(name))
                for name in (metrics_out, alerts_out, rejects_out)
            )
            checkpoint = None
            if checkpoint_folder is not None:
                checkpoint, processes = _opened(
                    Path(checkpoint_folder), found.files, settings, as_of, processes, is_resumed=resume
                )
                stack.callback(checkpoint.close)
            progress = stack.enter_context(ReplayProgress(size_of(found.files)))
            started = time.perf_counter()
            result = run_replay(
                found.files,
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
                    out.write(records)
            for out in (metrics, alerts, rejects):
                if out is not None:
                    out.complete()
            if checkpoint is not None:
                checkpoint.remove()
    except (KeyboardInterrupt, SystemExit):
        click.echo(f"vtr: interrupted; {_how_to_go_on(checkpoint_folder)}", err=True)
        raise
    for line in unused_lines(result.summary):
        click.echo(line, err=True)
    comparison = Comparison.of(result)
    text = msgspec.json.encode(comparison).decode() if as_json else _summary(result, comparison, elapsed)
    click.echo(text, err=STDIN in (metrics_out, alerts_out, rejects_out))


class _Output:
    """Where records go: standard output, or a file that gets its name when it is complete."""

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            self._whole = None if name == STDIN else WholeFile(Path(name))
        except OSError as error:
            raise self._unwritable(error) from None
        self.file = sys.stdout.buffer if self._whole is None else self._whole.file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._whole is not None:
            self._whole.discard()

    def write(self, records: Iterable[Metric | Alert]) -> None:
        """One line per record."""
        try:
            self.file.write(b"".join(encode(record) + b"\n" for record in records))
        except OSError as error:
            if self._whole is None:
                raise
            raise self._unwritable(error) from None

    def complete(self) -> None:
        """All is written."""
        if self._whole is None:
            self.file.flush()
            return
        try:
            self._whole.complete()
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> CommandError:
        return CommandError(f"cannot write {self._name}: {error.strerror}")


@contextmanager
def _cleaning_up() -> Iterator[None]:
    """SIGTERM ends the replay as Ctrl-C does, and not without a word."""

    def end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - what a handler gets
        raise SystemExit(128 + number)  # as shells have it

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _opened(
    folder: Path,
    files: Sequence[HistoryFile],
    settings: Settings,
    as_of: datetime | None,
    processes: int | None,
    *,
    is_resumed: bool,
) -> tuple[Checkpoint, int]:
    """The checkpoint, and the number of processes that it is of."""
    if not is_resumed:
        terms = Terms.of(files, settings, as_of, processes or 1)
        return Checkpoint.begin(folder, terms), terms.processes
    checkpoint, begun = Checkpoint.resume(folder)
    difference = begun.difference(Terms.of(files, settings, as_of, processes or begun.processes))
    if difference is not None:
        checkpoint.close()
        raise CommandError(f"cannot go on from {folder}: {difference}")
    return checkpoint, begun.processes


def _how_to_go_on(checkpoint_folder: str | None) -> str:
    if checkpoint_folder is None:
        return "with --checkpoint FOLDER a replay can go on later"
    command = [argument for argument in sys.argv[1:] if argument != "--resume"]
    return f"go on with: {shlex.join(['vtr', *command, '--resume'])}"


def _summary(result: Replay, comparison: Comparison, elapsed: float) -> str:
    summary = result.summary
    alerts = ", ".join(f"{n} {kind}" for kind, n in sorted(summary.alerts.items())) or "none"
    speed = f"{summary.events} events in {elapsed:.1f} s ({summary.events / elapsed:,.0f}/s)"
    rejected = f"{comparison.rejected} rejected"
    lines = [
        f"{speed}: {summary.accepted} accepted, {rejected}, {summary.after_as_of} after the end",
        f"as of   {result.as_of.isoformat().replace('+00:00', 'Z') if result.as_of else '—'}",
        f"scopes  {summary.scopes}",
        f"alerts  {alerts}",
        f"compare {comparison}",
    ]
    rated = [metric for metric in result.metrics if metric.category is None and metric.marketplace is not None]
    worst = sorted(
        (metric for metric in rated if metric.live.counted >= 1),
        key=lambda metric: ((metric.live.vtr or 0.0), -metric.live.counted),
    )[:WORST]
    if worst:
        lines += ["", "lowest VTR by seller and marketplace:", *map(metric_text, worst)]
    return "\n".join(lines)
