"""What all measurements share: the options, the broker, the histories and the report."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import history
from tests.benchmarks.history import Dataset
from tests.benchmarks.report import Report
from tests.brokers import Broker

_numbers = count(1)


class Options(NamedTuple):
    """How much is measured. ``rate`` (events per second) and ``seconds`` are those of the latency's feed."""

    events: int = 1_000_000
    faust_events: int = 30_000
    quix_events: int = 100_000
    rounds: int = 3
    sellers: int = 300
    partitions: int = 4
    rate: int = 5_000
    seconds: float = 20.0


class Bench:
    """One run. ``folder`` holds what it writes besides the report."""

    def __init__(self, options: Options, report: Report, folder: Path, broker: Callable[[], Broker]) -> None:
        self.options = options
        self.report = report
        self.folder = folder
        self._broker = broker
        self._histories: dict[tuple[int, int], Path] = {}

    @property
    def broker(self) -> Broker:
        """The broker, started where it is not running yet."""
        return self._broker()

    def history(self, events: int, sellers: int) -> Path:
        """The file of a history, simulated where it is not there yet."""
        key = events, sellers
        if key not in self._histories:
            file = self.folder / f"history-{events}-{sellers}.ndjson"
            self._histories[key] = history.simulate(events, sellers, file)
        return self._histories[key]

    def dataset(self, file: Path, partitions: int | None = None) -> Dataset:
        """A history in topics of its own."""
        name = f"set{next(_numbers)}"
        settings = history.topics(self.broker.url, name, partitions or self.options.partitions)
        return history.produce(file, settings)
