"""``python -m tests.sellers``: the same with as many sellers as the machine has memory and patience for."""

import sys

import click

from tests.sellers.crowd import measure


@click.command
@click.option("--sellers", type=click.IntRange(min=100), default=50_000, show_default=True, help="How many sellers.")
def main(sellers: int) -> None:
    """One seller with half of all shipments, and many with one each: are the metrics right, and what does a scope cost.

    Ends with 1 where a metric is wrong. A million sellers take 3.8 GB and some ten minutes, much of it for counting the
    memory; fewer take in proportion. What is left when all are forgotten are tables that Python does not shrink.
    """
    crowd = measure(sellers)
    click.echo(
        f"{crowd.sellers:,} sellers and a giant, {crowd.scopes:,} scopes, in {crowd.seconds:.0f} s: "
        f"{len(crowd.wrong)} wrong metrics, {crowd.bytes_at_end / 1e6:,.0f} MB, "
        f"{crowd.bytes_per_scope:,.0f} bytes for each more scope, {crowd.bytes_afterwards / 1e6:,.1f} MB "
        "when all are forgotten"
    )
    sys.exit(1 if crowd.wrong else 0)


if __name__ == "__main__":
    main()
