"""``python -m tests.simulation --seed N`` for one seed with all that happened, ``--seeds N`` for the first N, and
``--mutations`` for whether mistakes would be found."""

import argparse
import os
import sys

from tests.simulation.mutations import MUTATIONS
from tests.simulation.seeds import found_in, report, run_seeds


def main() -> int:
    """Returns 1 where a seed failed, where a kind of fault never happened in many, or where a mistake was not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="A seeded simulation of workers.")
    parser.add_argument("--seed", type=int, help="run this one, and tell what happened")
    parser.add_argument("--seeds", type=int, default=1000, help="run so many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1), help="how many run at once")
    parser.add_argument("--mutation", choices=list(MUTATIONS), help="give the worker a mistake")
    parser.add_argument("--mutations", action="store_true", help="give it each of them, one after the other")
    options = parser.parse_args()
    if options.seed is not None:
        (outcome,) = run_seeds([options.seed], options.mutation, processes=1, tracing=True)
        print("\n".join(outcome.trace))
        print(f"seed {outcome.seed}: {outcome.error or 'all is as it must be'}")
        return 1 if outcome.error else 0
    seeds = range(options.first, options.first + options.seeds)
    if options.mutations or options.mutation is not None:
        found = {}
        for mutation in MUTATIONS if options.mutations else [options.mutation]:
            seed = found[mutation] = found_in(seeds, mutation, options.processes)
            print(f"{mutation}: {'not found' if seed is None else f'found by seed {seed}'}", flush=True)
        return 1 if None in found.values() else 0
    text, is_good = report(run_seeds(seeds, processes=options.processes, says=print))
    print(text)
    return 0 if is_good else 1


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of strings are iterated over on the way, so a run is the same again only where their hashes are.
        os.execve(  # noqa: S606 - itself
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            os.environ | {"PYTHONHASHSEED": "0"},
        )
    code = main()
    sys.stdout.flush()
    os._exit(code)  # what a run leaves in the middle of something need not end
