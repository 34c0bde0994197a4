"""Many seeds, each in a process of its own: a killed worker leaves coroutines in the middle of something, and all seeds
must begin with the same memory. That is one in which a seed has run before: Python has made the code fast by then, and
filled its caches, which takes a third of a first seed's time."""

import gc
import os
import pickle
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from time import perf_counter

from tests.simulation.faults import FAULTS
from tests.simulation.mutations import MUTATIONS
from tests.simulation.run import Outcome, run_seed

ENOUGH_FOR_ALL_FAULTS = 500
"""Seeds among which every kind of fault must have happened."""

WARM_UP = 0
"""The seed that has run before."""


def run_seeds(
    seeds: Iterable[int],
    mutation: str | None = None,
    *,
    processes: int,
    tracing: bool = False,
    says: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Run seeds, and tell at once how to run one again that failed."""
    outcomes = []
    for outcome in _outcomes(seeds, mutation, processes, tracing):
        outcomes.append(outcome)
        if outcome.error is not None:
            says(f"seed {outcome.seed} failed: {outcome.error}")
            says(f"  again: python -m tests.simulation --seed {outcome.seed}")
    return outcomes


def found_in(seeds: Iterable[int], mutation: str, processes: int) -> int | None:
    """A seed that fails where workers have this mistake: the one that did so before, or else the first of these."""
    for some in ([MUTATIONS[mutation].found_by], seeds):
        for outcome in _outcomes(some, mutation, processes, tracing=False):
            if outcome.error is not None:
                return outcome.seed
    return None


def report(outcomes: list[Outcome]) -> tuple[str, bool]:
    """What happened in all, and whether that is as it must be."""
    faults: Counter[str] = Counter()
    for outcome in outcomes:
        faults += outcome.faults
    failed = sorted(outcome.seed for outcome in outcomes if outcome.error is not None)
    lines = [f"{len(outcomes)} seeds, {len(failed)} failed{''.join(f' {seed}' for seed in failed)}"]
    lines += [f"{faults[fault]:8} {fault}" for fault in FAULTS]
    missing = [fault for fault in FAULTS if not faults[fault]] if len(outcomes) >= ENOUGH_FOR_ALL_FAULTS else []
    if missing:
        lines.append(f"never happened: {', '.join(missing)}")
    return "\n".join(lines), not failed and not missing


@cache
def _warm_up() -> None:
    gc.disable()  # it would end what the seed leaves in the middle of something
    run_seed(WARM_UP)
    gc.freeze()  # a child would copy what a collection touches


def _outcomes(seeds: Iterable[int], mutation: str | None, processes: int, tracing: bool) -> Iterator[Outcome]:
    _warm_up()
    running: list[tuple[int, int]] = []
    try:
        for seed in seeds:
            if len(running) == processes:
                yield _ended(*running.pop(0))
            running.append(_begun(seed, mutation, tracing))
        while running:
            yield _ended(*running.pop(0))
    finally:
        for child, pipe in running:
            os.close(pipe)
            os.waitpid(child, 0)


def _begun(seed: int, mutation: str | None, tracing: bool) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        os.close(reading)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 2)  # mode prints what goes wrong in a thread
        began = perf_counter()
        try:
            outcome = run_seed(seed, mutation, tracing=tracing)
        except BaseException:  # noqa: BLE001 - a fault of the simulation itself
            outcome = Outcome(seed, traceback.format_exc(), Counter(), [], 0)
        outcome.seconds = perf_counter() - began
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(outcome, pipe)
    finally:
        os._exit(0)


def _ended(child: int, pipe: int) -> Outcome:
    with os.fdopen(pipe, "rb") as written:
        outcome = pickle.load(written)  # noqa: S301 - of our own child
    os.waitpid(child, 0)
    assert isinstance(outcome, Outcome)
    return outcome
