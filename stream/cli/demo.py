"""``vtr demo``: the whole product on one machine."""

from datetime import timedelta

import click

from stream.cli.options import Duration
from stream.demo import DemoPlan, run_demo


@click.command(short_help="Watch it work: embedded broker, simulated sellers, worker.")
@click.option(
    "--duration", type=Duration(), help="End by itself after this long, such as 60s.  [default: until Ctrl-C]"
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="Live events per second.",
)
@click.option(
    "--sellers", type=click.IntRange(min=1, max=10_000), default=50, show_default=True, help="How many sellers."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed gives other sellers.")
def demo(*, duration: timedelta | None, rate: float, sellers: int, seed: int) -> None:
    """Watch it work: embedded broker, simulated sellers, one worker, and a live table. Needs nothing else.

    First come 35 days of history, then live events in which, every now and then, a seller's tracking goes bad.
    Everything is ended, and forgotten, with the command.
    """
    run_demo(DemoPlan(duration=duration, rate=rate, sellers=sellers, seed=seed))
