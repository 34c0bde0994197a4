"""One seed, from its first event to its drained end."""

import logging
import random as global_random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from aiokafka import TopicPartition

from stream.settings import Settings
from stream.state.rows import WATERMARK_KEY
from tests.simulation.broker import Cluster
from tests.simulation.disk import Disk
from tests.simulation.faults import Faults
from tests.simulation.inputs import Input, Inputs, Kind, inputs
from tests.simulation.loop import Scheduler
from tests.simulation.mutations import mutated
from tests.simulation.network import Network
from tests.simulation.process import Process, World, simulated

FAULTY_SECONDS = 10.0
"""How long things go wrong, in virtual seconds."""

DRAIN_LIMIT = 120.0
"""Virtual seconds within which all must be processed once nothing goes wrong any more."""

SETTLED = 1.5
"""Virtual seconds without a new record anywhere after which all is said, once time has come to the clock: longer than a
metric or a look at the clock waits."""

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)


class SimulationError(AssertionError):
    """Something that must be true is not."""


@dataclass
class Outcome:
    """What a seed came to."""

    seed: int
    error: str | None
    faults: Counter[str]
    trace: list[str]
    turns: int
    seconds: float = 0.0


class Run:
    """The cluster, the workers, and the driver of one seed."""

    def __init__(self, seed: int, *, tracing: bool = False) -> None:
        self.scheduler = Scheduler(seed, tracing)
        random = self.random = self.scheduler.random
        self.partitions = 2
        self.settings = Settings(
            web_port=0,
            threshold=Decimal("0.5"),
            warn_level=Decimal("0.75"),
            recover_margin=Decimal(random.choice(("0", "0.04"))),
            min_counted=random.randint(1, 3),
            grace_hours=random.choice((24, 2)),
            batch_size=random.choice((3, 10, 100)),
            idle_after=1.0,
            metrics_interval=0.5,
            session_timeout=3.0,
            rebalance_timeout=4.0,
            store=random.choice(("memory", "rocksdb")),
        )
        # An hour passes while the workers run, or not.
        start = MIDNIGHT + random.randint(0, 23) * timedelta(hours=1) - random.uniform(-20, 30) * timedelta(seconds=1)
        self.world = World(
            self.scheduler, self.settings, self.partitions, start - timedelta(seconds=self.scheduler.now)
        )
        self.world.ended = self._ended
        self.faults = Faults(self.scheduler, self.settings)
        self.world.noted = self.faults.count
        self.faults.on_kill, self.faults.on_freeze = self._killed, self._freeze
        settings = self.settings
        topics = [
            *settings.input_topics,
            settings.changelog_topic,
            settings.metrics_topic,
            settings.alerts_topic,
            settings.dead_letters_topic,
        ]
        self.cluster = Cluster(self.scheduler, topics, self.partitions, self.faults)
        self.cluster.on_join = self._joins
        self.network = Network(self.scheduler, self.cluster, self.faults)
        self.inputs: Inputs = inputs(random, settings, self.partitions, start, FAULTY_SECONDS)
        self.kinds: dict[tuple[TopicPartition, int], Kind] = {}
        self.backlog_ends: dict[TopicPartition, int] = {}
        self.processes: list[Process] = []
        self._disks: list[Disk] = []
        self._to_come = len(self.inputs.later)
        self._names = 0
        self._ends: dict[TopicPartition, int] = {}
        self._settled_at = 0.0
        self._is_drained = False

    # --- The schedule ------------------------------------------------------------------------------------------------

    def go(self) -> None:
        """Run to the drained end. Raises :class:`SimulationError` where there is none."""
        random, scheduler = self.random, self.scheduler
        for each in self.inputs.backlog:
            self._append(each)
        self.backlog_ends = {tp: log.end for tp, log in self.cluster.logs.items()}
        for _ in range(random.choice((1, 2, 2, 3))):
            scheduler.call_later(random.uniform(0, 2), self._start, Disk())
        for later in self.inputs.later:
            scheduler.call_later(later.at, self._append_later, later.input)
        for action in (self._stop_one, self._stop_all, self._join, self._freeze_one, self._compact, self._compact):
            if random.random() < 0.35:
                scheduler.call_later(random.uniform(1, FAULTY_SECONDS), action)
        scheduler.call_later(FAULTY_SECONDS, self._end_faults)
        scheduler.call_later(FAULTY_SECONDS + 1, self._look)
        scheduler.run_until(lambda: self._is_drained, FAULTY_SECONDS + DRAIN_LIMIT)
        if not self._is_drained:
            raise SimulationError(f"not drained within {DRAIN_LIMIT} s: {self._state()}")

    def _start(self, disk: Disk) -> None:
        self._names += 1
        if self.alive():
            self.faults.count("started beside others")
        process = Process(self.world, f"worker-{self._names}", disk)
        self.scheduler.trace(lambda: f"{process}: started")
        self.processes.append(process)

    def alive(self) -> list[Process]:
        """The workers that run, or are frozen."""
        return [process for process in self.processes if process.is_alive]

    def _append(self, each: Input) -> None:
        offset = self.cluster.append(each.tp, [(each.key, each.value)])
        self.kinds[each.tp, offset] = each.kind

    def _append_later(self, each: Input) -> None:
        # Too late is what comes after time has passed, so time must be known to have.
        changelog = self.cluster.logs[TopicPartition(self.settings.changelog_topic, each.tp.partition)]
        if each.kind == "too late" and not any(row.key == WATERMARK_KEY for row in changelog.rows):
            self.scheduler.call_later(0.5, self._append_later, each)
            return
        self._append(each)
        self._to_come -= 1

    # --- What goes wrong ---------------------------------------------------------------------------------------------

    def _joins(self, name: str) -> None:
        if any(process.is_restoring for process in self.alive() if process.name != name):
            self.faults.count("rebalanced while restoring")

    def _killed(self, process: Process) -> None:
        process.kill()
        self.scheduler.trace(lambda: f"{process}: killed")
        if self.settings.store == "rocksdb":
            self.faults.count(f"store {process.disk.crash(self.random)}")
        self._restart(process)

    def _ended(self, process: Process) -> None:
        if process.exit_error is not None:
            self.faults.count("ended by an error of its own")
        self._restart(process)

    def _restart(self, process: Process) -> None:
        if not self.alive() or self.random.random() < 0.6 or self.faults.is_over:
            self.scheduler.call_later(self.random.choice((0.1, 1.0, 3.0)), self._start, process.disk)

    def _one(self) -> Process | None:
        candidates = [process for process in self.alive() if not process.is_frozen]
        return self.random.choice(candidates) if candidates else None

    def _stop_one(self) -> None:
        if process := self._one():
            self.faults.count("stopped")
            process.stop()

    def _stop_all(self) -> None:
        for process in self.alive():
            if not process.is_frozen:
                self.faults.count("stopped")
                process.stop()

    def _join(self) -> None:
        if len(self.alive()) < 4:
            self._start(Disk())

    def _freeze_one(self) -> None:
        if process := self._one():
            self._freeze(process)

    def _freeze(self, process: Process) -> None:
        self.scheduler.trace(lambda: f"{process}: frozen")
        process.freeze()
        seconds = self.random.choice((1.0, 4.0, 6.0))
        if seconds > self.settings.session_timeout:
            self.faults.count("frozen past its session")
        self.scheduler.call_later(seconds, self._thaw, process)

    def _thaw(self, process: Process) -> None:
        if process.is_alive:
            self.scheduler.trace(lambda: f"{process}: goes on")
            process.thaw()

    def _compact(self) -> None:
        for topic in (self.settings.changelog_topic, self.settings.metrics_topic):
            for number in range(self.partitions):
                if self.cluster.logs[TopicPartition(topic, number)].compact(self.random):
                    self.faults.count("changelog compacted")

    def _end_faults(self) -> None:
        self.scheduler.trace(lambda: "-- nothing goes wrong from now on")
        self.faults.end()
        for process in self.alive():
            if process.is_frozen:
                process.thaw()

    # --- The end -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        ends = {tp: log.end for tp, log in self.cluster.logs.items()}
        clock = self.world.clock()
        if ends != self._ends or self._to_come or not self._is_committed() or clock.minute * 60 + clock.second < 5:
            self._ends, self._settled_at = ends, self.scheduler.now
        elif self.scheduler.now - self._settled_at >= SETTLED:
            self._is_drained = True
            return
        self.scheduler.call_later(0.25, self._look)

    def _is_committed(self) -> bool:
        alive = self.alive()
        return (
            bool(alive)
            and self.cluster.group.is_stable_with(len(alive))
            and all(process.is_ready for process in alive)
            and self.uncommitted() == {}
            and self._time_has_come()
        )

    def _time_has_come(self) -> bool:
        """Whether all partitions are as of now: idle topics hold nothing back."""
        engines = [each.engine for process in self.alive() for each in process.app.processor.partitions().values()]
        recently = self.world.clock() - timedelta(seconds=1)
        return len(engines) == self.partitions and all(engine.as_of >= recently for engine in engines)

    def uncommitted(self) -> dict[TopicPartition, tuple[int | None, int]]:
        """The input partitions whose committed offset is not their end, with both."""
        offsets = self.cluster.group.offsets
        return {
            tp: (offsets.get(tp), log.end)
            for tp, log in self.cluster.logs.items()
            if tp.topic in self.settings.input_topics and log.end and offsets.get(tp) != log.end
        }

    def _state(self) -> str:
        workers = {str(process): process.is_ready for process in self.alive()}
        return f"workers that are ready {workers}, committed and ends {self.uncommitted()}, {self._to_come} to come"


_OVER: list[Run] = []
"""Runs that are over, kept: what was killed in the middle of something would try to go on when it is freed."""


def run_seed(seed: int, mutation: str | None = None, *, tracing: bool = False) -> Outcome:
    """Run one seed. Never raises for what the seed finds. The interpreter is of little use afterwards: what was killed
    in the middle of something is still there, so this is for a process that ends with it."""
    from tests.simulation.check import check

    global_random.seed(seed)
    logging.disable(logging.CRITICAL)
    run = Run(seed, tracing=tracing)
    _OVER.append(run)
    error = None
    with mutated(mutation), simulated(run.world, run.network):
        try:
            run.go()
            check(run)
        except SimulationError as found:
            error = str(found)
    run.faults.count("commit fenced", run.cluster.group.fenced)
    return Outcome(seed, error, run.faults.happened, run.scheduler.lines or [], run.scheduler.turns)
