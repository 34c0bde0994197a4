"""``python -m tests.soak``: for an hour, or for as long as you like. The normal tests have a short one."""

import asyncio
import logging
import os
import sys
import tempfile
from pathlib import Path

import click

from stream.settings import Settings
from tests.brokers import choose, names, running
from tests.soak.run import soak
from tests.soak.samples import slope

WARM_UP = 300.0
"""Seconds at most until caches are full and the allocators have what they take."""


@click.command
@click.option("--minutes", type=click.FloatRange(min=0.5), default=60.0, show_default=True, help="For how long.")
@click.option("--rate", type=click.IntRange(min=1), default=2000, show_default=True, help="Events per second.")
@click.option("--store", type=click.Choice(["memory", "rocksdb"]), default="memory", show_default=True)
def main(minutes: float, rate: int, store: str) -> None:
    """Send events to a worker at a steady rate, and watch its memory, open files, threads, tasks, lag and commits.

    Linux only. Ends with 1 where something grows that must not, or where the worker does not keep up.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    kind = choose(os.environ).kinds[0]
    seconds = 60 * minutes
    warm_up = min(WARM_UP, seconds / 3)
    click.echo(f"{minutes:g} minutes at {rate:,} events/s, {store} store, on {names()[kind]}")
    with tempfile.TemporaryDirectory(prefix="vtr-soak-") as folder, running(kind) as broker:
        settings = Settings(broker=broker.url, store=store, data_dir=f"{folder}/data", log_format="text")  # type: ignore[arg-type]
        soaked = asyncio.run(
            soak(settings, Path(folder), rate=rate, warm_up=warm_up, seconds=seconds - warm_up, say=click.echo)
        )
    first, last = soaked.samples[0], soaked.samples[-1]
    per_hour = slope([(each.seconds, each.rss_mb) for each in soaked.samples]) * 3600
    rss = [each.rss_mb for each in soaked.samples]
    click.echo(
        f"after the warm-up: {last.events - first.events:,} events in {last.seconds - first.seconds:.0f} s; memory "
        f"{min(rss):.1f} to {max(rss):.1f} MB, {per_hour:+.1f} MB an hour; files {first.open_files} to "
        f"{last.open_files}, threads {first.threads} to {last.threads}, tasks {first.tasks} to {last.tasks}; "
        f"{last.commits - first.commits:,} commits"
    )
    click.echo("\n".join(soaked.troubles) or "nothing has grown")
    sys.exit(1 if soaked.troubles else 0)


if __name__ == "__main__":
    main()
