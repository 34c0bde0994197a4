"""What is seen of a worker each second, and whether it grows."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

NOISE_MB = 6.0
"""Megabytes that memory may grow whatever the time: the allocators of Python and of C take arenas of one megabyte, each
thread its own, and the highest of many moments decides."""

LEAK_BYTES = 4
"""Bytes that memory may grow per event besides, for heaps that fragment. The least that a program can keep of an event
is one reference in a list, which takes twice as much: an hour finds it, and seconds find what is as large as an event.
"""

CAPACITY = 4
"""Open files, threads or tasks that may be more at the end: connections and requests that come and go."""

LAG_SECONDS = 10.0
"""Seconds of events that may wait: more, and the worker does not keep up."""

COMMIT_SECONDS = 15.0
"""Seconds between two commits at most; one is made every second."""


class Sample(NamedTuple):
    """One look. ``seconds`` are since the first."""

    seconds: float
    events: int
    rss_mb: float
    open_files: int
    threads: int
    tasks: int
    shipments: int
    lag: int
    commits: int
    commit_age: float


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How fast the second grows with the first: the median of the slopes between each point and the one half of them
    later, which single peaks do not move."""
    half = len(points) // 2
    pairs = zip(points[: len(points) - half], points[half:], strict=True)
    return median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairs)


def troubles(samples: Sequence[Sample], rate: float) -> list[str]:
    """What grows, or does not keep up, in these samples from after the warm-up; nothing where all is well."""
    found = []
    first, last = samples[0], samples[-1]
    events = last.events - first.events
    seconds = last.seconds - first.seconds
    grown = slope([(each.seconds, each.rss_mb) for each in samples]) * seconds
    allowed = NOISE_MB + events * LEAK_BYTES / 1e6
    if grown > allowed:
        found.append(f"memory has grown by {grown:.1f} MB in {seconds:.0f} s, and {allowed:.1f} are allowed")
    quarter = max(1, len(samples) // 4)
    looks: dict[str, Callable[[Sample], int]] = {
        "open files": lambda each: each.open_files,
        "threads": lambda each: each.threads,
        "tasks": lambda each: each.tasks,
    }
    for name, of in looks.items():
        before, after = (median(map(of, part)) for part in (samples[:quarter], samples[-quarter:]))
        if after > before + CAPACITY:
            found.append(f"{name} were {before:g} and are {after:g}")
    if events < 0.9 * rate * seconds:
        found.append(f"{events / seconds:.0f} events/s were processed, and {rate:.0f} were sent")
    if median(each.lag for each in samples[-quarter:]) > LAG_SECONDS * rate:
        found.append(f"the lag is {last.lag}")
    if (longest := max(each.commit_age for each in samples)) > COMMIT_SECONDS:
        found.append(f"nothing was committed for {longest:.0f} s")
    if last.shipments != first.shipments:
        found.append(f"there were {first.shipments} shipments and are {last.shipments}: the state itself has grown")
    return found
