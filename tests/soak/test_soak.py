"""The soak for seconds: its parts work, and nothing grows fast. ``python -m tests.soak`` makes the long run."""

from pathlib import Path

from msgspec.structs import replace

from tests.brokers import Broker
from tests.environment import own_settings
from tests.soak.run import soak

RATE = 1000
"""What a machine that does much else besides keeps up with."""


async def test_nothing_grows_at_a_steady_rate(broker: Broker, prefix: str, tmp_path: Path) -> None:
    settings = replace(own_settings(broker.url, prefix), session_timeout=6.0, log_format="text")
    soaked = await soak(settings, tmp_path, rate=RATE, warm_up=14, seconds=18, say=print)
    assert len(soaked.samples) > 10
    assert soaked.troubles == []
    assert soaked.samples[-1].commits > soaked.samples[0].commits
