"""What goes wrong in a seed, and the counts of what did."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition

from stream.settings import Settings
from tests.simulation.broker import COMMIT, JOIN, PRODUCE, SYNC
from tests.simulation.log import Row
from tests.simulation.loop import Loop, Scheduler
from tests.simulation.network import Fate

if TYPE_CHECKING:
    from tests.simulation.process import Process

MOMENTS = (
    "killed before the changelog",
    "killed between changelog and alerts",
    "killed between produce and commit",
    "killed during a commit",
    "killed while restoring",
    "killed anywhere",
)
"""When a process may be killed, or frozen."""

FAULTS = (
    *MOMENTS,
    "frozen past its session",
    "stopped",
    "started beside others",
    "ended by an error of its own",
    "request lost",
    "answer lost",
    "produce arrived from the dead",
    "produce refused",
    "commit lost",
    "commit fenced",
    "redelivered",
    "rebalanced while restoring",
    "topics reordered",
    "changelog compacted",
    "store kept",
    "store stale",
    "store lost",
    "kept windows used",
    "kept windows outdated",
)
"""Each must happen in a run of many seeds, else the run proves less than it says."""

QUIET = 0.2
"""Seconds that a fetch is held at least when nothing goes wrong any more: most of a seed's fetches are then, and find
nothing."""


@dataclass
class _Strike:
    moment: str
    is_freeze: bool
    """Whether the process is frozen and goes on later, or killed."""
    passes: int
    """How many such moments to let pass."""
    turns: int
    """How many turns later."""


class Faults:
    """The weather, the brokers' chances, and the deaths of one seed, until :meth:`end`."""

    def __init__(self, scheduler: Scheduler, settings: Settings) -> None:
        random = self._random = Random(scheduler.random.random())  # noqa: S311 - not for secrets
        self._scheduler, self._settings = scheduler, settings
        self.happened: Counter[str] = Counter()
        self.is_over = False
        self._lost = random.choice((0.0, 0.01, 0.04))
        self._refused = random.choice((0.0, 0.02, 0.1))
        self._slow = random.choice((0.0, 0.02, 0.1))
        self._strikes = [
            _Strike(
                random.choice(MOMENTS), random.random() < 0.3, random.randrange(6), random.choice((0, 0, 1, 3, 10, 40))
            )
            for _ in range(random.choice((0, 1, 1, 2, 3)))
        ]
        self._doomed: dict[Process, tuple[int, _Strike]] = {}
        self._handed: dict[TopicPartition, int] = {}
        scheduler.before_turn = self._before_turn
        self.on_kill: Callable[[Process], None] = lambda _: None
        self.on_freeze: Callable[[Process], None] = lambda _: None

    def count(self, fault: str, times: int = 1) -> None:
        """It happened."""
        assert fault in FAULTS, fault
        if times:
            self.happened[fault] += times
            self._scheduler.trace(lambda: f"** {fault}")

    def end(self) -> None:
        """Nothing goes wrong from now on."""
        self.is_over = True
        self._strikes.clear()
        self._doomed.clear()

    # --- Deaths ------------------------------------------------------------------------------------------------------

    def _before_turn(self, loop: Loop) -> None:
        if self._doomed and (doom := self._doomed.get(loop.owner)):  # type: ignore[call-overload]
            turns, strike = doom
            if turns:
                self._doomed[loop.owner] = turns - 1, strike  # type: ignore[index]
            else:
                self._strike(loop.owner, strike)  # type: ignore[arg-type]

    def reached(self, process: "Process", moment: str) -> None:
        """The process is at a moment at which it may be killed."""
        for strike in self._strikes:
            if strike.moment == moment and process not in self._doomed:
                if strike.passes:
                    strike.passes -= 1
                    continue
                self._strikes.remove(strike)
                self._doomed[process] = strike.turns, strike
                return

    def _strike(self, process: "Process", strike: _Strike) -> None:
        del self._doomed[process]
        if not process.is_alive:
            return
        if strike.is_freeze:
            self.on_freeze(process)
        else:
            self.count(strike.moment)
            self.on_kill(process)

    # --- Weather -----------------------------------------------------------------------------------------------------

    def fate(self, process: "Process", request: Any) -> Fate:  # noqa: ANN401
        """See :class:`~tests.simulation.network.Weather`."""
        random = self._random
        key = request.API_KEY
        if self.is_over:
            return Fate(0.001, 0.001)
        if key == PRODUCE and any(topic == self._settings.changelog_topic for topic, _ in request.topics):
            self.reached(process, "killed before the changelog")
        elif key == COMMIT:
            self.reached(process, "killed during a commit")
        elif process.is_restoring:
            self.reached(process, "killed while restoring")
        if random.random() < 0.02:
            self.reached(process, "killed anywhere")
        there, back = (
            random.uniform(0.1, 1.0) if random.random() < self._slow else random.uniform(0.0005, 0.02) for _ in range(2)
        )
        fate = random.random()
        arrives, is_answered = fate >= self._lost, fate >= 2 * self._lost
        if not is_answered and key in (JOIN, SYNC):  # a rebalance is slow enough
            arrives = is_answered = True
        if not arrives:
            self.count("request lost")
        elif not is_answered:
            self.count("answer lost")
        if not is_answered and key == COMMIT:
            self.count("commit lost")
        return Fate(there, back, arrives=arrives, is_answered=is_answered)

    def arrives_from_the_dead(self, request: Any) -> bool:  # noqa: ANN401
        """See :class:`~tests.simulation.network.Weather`."""
        arrives = self._random.random() < 0.5
        if arrives and request.API_KEY == PRODUCE:
            self.count("produce arrived from the dead")
        return arrives

    def answered(self, process: "Process", request: Any) -> None:  # noqa: ANN401
        """See :class:`~tests.simulation.network.Weather`."""
        if request.API_KEY == PRODUCE and not self.is_over:
            topics = {topic for topic, _ in request.topics}
            if self._settings.changelog_topic in topics:
                self.reached(process, "killed between changelog and alerts")
            if topics & {self._settings.alerts_topic, self._settings.metrics_topic}:
                self.reached(process, "killed between produce and commit")

    # --- Brokers' chances --------------------------------------------------------------------------------------------

    def share(self, rows: dict[TopicPartition, list[Row]]) -> dict[TopicPartition, list[Row]]:
        """See :class:`~tests.simulation.broker.Chance`."""
        random = self._random
        if self.is_over or random.random() < 0.3:
            taken = rows
        else:
            names = list(rows)
            chosen = random.sample(names, random.randint(1, len(names)))
            taken = {tp: rows[tp][: random.randint(1, len(rows[tp]))] for tp in chosen}
            inputs = [tp for tp in rows if tp.topic in self._settings.input_topics]
            if len(inputs) > 1 and len([tp for tp in inputs if tp in taken]) < len(inputs):
                self.count("topics reordered")
        for tp, some in taken.items():
            if tp.topic in self._settings.input_topics:
                if some[0].offset < self._handed.get(tp, 0):
                    self.count("redelivered")
                self._handed[tp] = max(self._handed.get(tp, 0), some[-1].offset + 1)
        return taken

    def holds(self, seconds: float) -> float:
        """See :class:`~tests.simulation.broker.Chance`."""
        return max(seconds, QUIET) if self.is_over else seconds

    def refuses(self, partition: TopicPartition) -> bool:
        """See :class:`~tests.simulation.broker.Chance`."""
        refused = not self.is_over and self._random.random() < self._refused
        if refused:
            self.count("produce refused")
            self._scheduler.trace(lambda: f"broker: refused a batch of {partition.topic}/{partition.partition}")
        return refused
