"""One seed of the chaos, once: the run that every change must pass. ``python -m tests.chaos`` makes longer ones."""

from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.faults import ROUNDS
from tests.chaos.run import run

SEED = 2


@pytest.mark.kafka_only(reason="it is one broker that keeps nothing")
async def test_whatever_fails_every_number_is_exact(tmp_path: Path) -> None:
    try:
        outcome = await run(SEED, tmp_path, print)
    except BaseException:
        print(f"again with: python -m tests.chaos --seed {SEED}; the workers' logs are in {tmp_path}")
        raise
    planned = Counter(fault for faults in ROUNDS for fault in faults)
    assert Counter(each.fault for each in outcome.happened) == planned
    assert all(each.flowed > 0 for each in outcome.happened)
    assert outcome.dead_letters > 0
    assert outcome.alerts > outcome.scopes / 10
