"""Workers under simulated faults, and whether mistakes in them would be found. See :mod:`tests.simulation`."""

import os
import subprocess
import sys

import pytest

from tests.environment import in_ci
from tests.simulation.mutations import MUTATIONS

IN_CI = in_ci(os.environ)

SEEDS = int(os.environ.get("VTR_SIMULATION_SEEDS", "1000" if IN_CI else "16"))
"""A second or two of them on a developer's machine; ``VTR_SIMULATION_SEEDS`` for more."""

SEEDS_PER_MISTAKE = 300
"""Within which each mistake must be found where the seed that found it before does not."""


def simulation(*arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_whatever_goes_wrong_all_is_as_it_must_be_in_the_end() -> None:
    ended = simulation("--seeds", str(SEEDS), seconds=900)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_seed_is_the_same_again() -> None:
    """Also alone, and in another process."""
    first, again = (simulation("--seed", "3", seconds=60).stdout for _ in range(2))
    assert len(first.splitlines()) > 20
    assert first == again


@pytest.mark.skipif(not IN_CI, reason="takes seconds")
def test_each_mistake_is_found() -> None:
    ended = simulation("--mutations", "--seeds", str(SEEDS_PER_MISTAKE), seconds=900)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [line.partition(": found by seed ")[0] for line in ended.stdout.splitlines()] == list(MUTATIONS)
