"""What the soak takes for growth, and what for noise."""

from random import Random

import pytest

from tests.soak.samples import CAPACITY, NOISE_MB, Sample, slope, troubles

RATE = 2000
WELL = Sample(0.0, 0, 80.0, 30, 6, 25, 10_000, 500, 0, 1.0)


def samples(seconds: int, mb_per_hour: float = 0.0, **changes: int) -> list[Sample]:
    """A worker that is well, but for what grows; ``changes`` come half-way."""
    random = Random(1)  # noqa: S311 - noise, not a secret
    return [
        WELL._replace(
            seconds=float(at),
            events=RATE * at,
            rss_mb=80 + mb_per_hour * at / 3600 + random.uniform(-2, 2) + (30 if at % 50 == 7 else 0),
            commits=at,
            **(changes if at > seconds / 2 else {}),
        )
        for at in range(seconds)
    ]


@pytest.mark.parametrize("seconds", [25, 3600])
def test_noise_and_single_peaks_are_no_growth(seconds: int) -> None:
    assert troubles(samples(seconds), RATE) == []


@pytest.mark.parametrize(
    ("seconds", "bytes_per_event"), [(25, 400), (300, 50), (3600, 8)], ids=["short", "minutes", "an hour"]
)
def test_what_is_kept_of_every_event_is_found(seconds: int, bytes_per_event: int) -> None:
    (trouble,) = troubles(samples(seconds, bytes_per_event * RATE * 3600 / 1e6), RATE)
    assert trouble.startswith("memory has grown by")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"open_files": 30 + CAPACITY + 1}, "open files were 30 and are 35"),
        ({"threads": 20}, "threads were 6 and are 20"),
        ({"tasks": 2500}, "tasks were 25 and are 2500"),
        ({"lag": 100_000}, "the lag is 100000"),
        ({"commit_age": 16}, "nothing was committed for 16 s"),
        ({"shipments": 10_001}, "there were 10000 shipments and are 10001: the state itself has grown"),
        ({"events": 1000}, "events/s were processed, and 2000 were sent"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_other_troubles(changes: dict[str, int], text: str) -> None:
    grown = samples(600)
    at = len(grown) // 2
    grown[at:] = [each._replace(**changes) for each in grown[at:]]
    (trouble,) = troubles(grown, RATE)
    assert text in trouble


def test_a_slope() -> None:
    assert slope([(x, 3.0 * x + 5) for x in range(10)]) == 3.0
    assert NOISE_MB > 0
