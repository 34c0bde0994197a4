"""``python -m tests.fuzz``: a long run with a seed. The normal tests have a short one."""

import sys

import click

from tests.fuzz.run import run, text


@click.command
@click.option("--inputs", type=click.IntRange(min=1), default=100_000, show_default=True, help="How many records.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed gives other inputs.")
def main(inputs: int, seed: int) -> None:
    """Feed a worker's partition with damaged records, and check that each is accepted or explained, and none lost.

    Ends with 1 where something was found, and with the input that shows it.
    """
    report = run(inputs, seed, lambda line: click.echo(line, err=True))
    click.echo(text(report))
    sys.exit(1 if report.findings else 0)


if __name__ == "__main__":
    main()
