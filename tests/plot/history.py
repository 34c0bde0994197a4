"""Histories to plot."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stream.plot import Series, read_series
from stream.records import Scope
from stream.replay import Replay, Summary
from stream.settings import Settings
from stream.simulator import SimulationConfig, simulate_history
from tests.test_engine_properties import Line, shipped, tracked

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
END = datetime(2026, 11, 1, tzinfo=UTC)
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)

SETTINGS = Settings(min_counted=5)


def simulated() -> list[Line]:
    """38 days of a few sellers."""
    config = SimulationConfig(start=END - 38 * DAY, end=END, sellers=5, seed=5)
    return [record.value for record in simulate_history(config, 1500)]


def with_gap() -> list[Line]:
    """Ten parcels, one without tracking, and after the window has left them behind two more: first undefined while they
    are pending, then 90 %, then undefined for a month, and 100 % at the end."""
    early = [shipped(str(n), NOON) for n in range(10)] + [tracked(str(n), NOON + 3 * HOUR) for n in range(9)]
    late = NOON + 60 * DAY
    return [*early, shipped("20", late), tracked("20", late + HOUR), shipped("z", late + 2 * DAY, seller_id="B")]


def written(file: Path, lines: Sequence[Line]) -> str:
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(file)


def series_of(file: str, scope: Scope, settings: Settings = SETTINGS, as_of: datetime | None = None) -> Series:
    return read_series([file], scope, settings, Summary(), as_of=as_of)


def scopes(whole: Replay) -> list[Scope]:
    """Of each width the one with the most alerts."""
    counts: dict[Scope, int] = {}
    for alert in whole.alerts:
        counts[alert.scope] = counts.get(alert.scope, 0) + 1
    widths = [[scope for scope in counts if scope.count(None) == blanks] for blanks in (2, 1, 0)]
    return [max(each, key=lambda scope: (counts[scope], scope)) for each in widths]
