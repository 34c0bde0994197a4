"""``python -m tests.chaos``: more seeds, and longer. The normal tests run one seed once."""

import asyncio
import logging
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from time import monotonic

import click

from tests.brokers import apache_kafka
from tests.chaos.cluster import TooLateError
from tests.chaos.run import run


@click.command
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="How many runs, at least.")
@click.option("--minutes", type=float, default=0.0, help="Go on with more seeds until so much time is over.")
@click.option("--seed", type=int, default=1, show_default=True, help="The first seed; the others follow it.")
def main(seeds: int, minutes: float, seed: int) -> None:
    """Kill, freeze, add and remove workers and kill brokers while events flow, and check every number afterwards.

    A run takes two to four minutes. Needs Java and Maven, for Apache Kafka. Ends with 1 where a run failed, and says
    how to run it again; the logs of its workers stay.
    """
    reason = apache_kafka.unavailable()
    if reason is not None:
        raise click.ClickException(f"Apache Kafka cannot be had here: {reason}")
    # Our own clients speak of the brokers that are away, ten times a second.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    began, passed = monotonic(), 0
    failed: list[int] = []
    while passed + len(failed) < seeds or monotonic() - began < 60 * minutes:
        this = seed + passed + len(failed)
        folder = Path(tempfile.mkdtemp(prefix=f"vtr-chaos-{this}-"))
        try:
            outcome = asyncio.run(run(this, folder, click.echo))
        except (AssertionError, TooLateError) as error:
            traceback.print_exc()
            failed.append(this)
            click.echo(f"seed {this} FAILED: {str(error).partition(chr(10))[0]}")
            click.echo(f"again with: python -m tests.chaos --seed {this}; the logs are in {folder}")
        else:
            passed += 1
            click.echo(f"seed {this} passed: {len(outcome.happened)} faults in {outcome.seconds:.0f} s")
            shutil.rmtree(folder)
    click.echo(f"{passed} passed, {len(failed)} failed" + (f": seeds {', '.join(map(str, failed))}" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
