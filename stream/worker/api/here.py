"""What this worker knows of its own partitions, asked from the web server's thread.

What takes long (finding a seller's scopes and shipments, judging them) is done in threads of its own, on copies. What
must belong together (rows, sums and time) is taken by the event loop between two steps, in which everything is settled;
that takes it some milliseconds.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from aiokafka.partitioner import DefaultPartitioner
from faust.assignor.partition_assignor import PartitionAssignor
from faust.types.assignor import HostToPartitionMap

from stream.engine import Engine
from stream.engine.scope import ScopeState, Totals
from stream.policy import RulesPolicy
from stream.records import Metric, Scope
from stream.report import DefectReport, Selection, Window, defect_report
from stream.report.judged import Judged, judged, scope_sums
from stream.settings import Settings
from stream.shipment import EPOCH, Shipment, hour_of
from stream.state.rows import shipment_key, split_key, unpack
from stream.worker.api.answers import ScopePage, WorkerHealth
from stream.worker.api.problems import not_found, unavailable
from stream.worker.api.scopes import Wanted, cursor, place
from stream.worker.health import troubles

if TYPE_CHECKING:
    from stream.worker.app import VtrApp
    from stream.worker.partition import Partition

LOOP_PATIENCE = 5.0
"""Seconds to wait for the end of a step. One takes a tenth of a second; deriving the windows of a partition, longer."""

ROWS_AT_ONCE = 20_000
"""Shipments whose rows the event loop reads in one go: in 5 to 50 ms. Few sellers have more in 30 days."""

TRIES = 5
"""How often a seller's shipments are read anew because some came while they were being read."""

T = TypeVar("T")
ScopeSums = dict[tuple[Scope, Window], Totals]
"""Those of every scope and window that have any shipment."""


class _Rows(NamedTuple):
    values: list[bytes | None]
    hour: int
    sums: ScopeSums


class Here:
    """One worker's own part of the answers."""

    def __init__(self, app: "VtrApp", settings: Settings, partitions: int) -> None:
        self._app = app
        self._settings = settings
        self._numbers = list(range(partitions))
        self._partition_of = DefaultPartitioner()
        self._policy: RulesPolicy | None = None
        self._reporting = asyncio.Semaphore(1)

    # --- Who has what ------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Under which other workers know this one."""
        return str(self._app.conf.canonical_url)

    @property
    def numbers(self) -> list[int]:
        """All partitions that there are."""
        return self._numbers

    def partition_of(self, seller_id: str) -> int:
        """The partition that producers send a seller's events to."""
        return int(self._partition_of(seller_id.encode(), self._numbers, self._numbers))

    def partitions(self) -> dict[int, "Partition"]:
        """The partitions that can be asked now. Raises :class:`~stream.worker.api.problems.ProblemError` while they
        move."""
        processor = self._app.processor
        found = processor.partitions()
        if not processor.is_running():
            raise unavailable("the partitions are being assigned or restored")
        return found

    def owners(self) -> dict[int, str]:
        """The address of each partition's worker, as the group's last assignment told all of them.

        A partition is missing whose worker has no web server, or gives the same address as another.
        """
        topic = self._settings.changelog_topic
        return {number: url for url, topics in self._distribution.items() for number in topics.get(topic, ())}

    def workers(self) -> set[str]:
        """The addresses of all workers, as that assignment told them: also of those without partitions."""
        return {*self._distribution}

    @property
    def _distribution(self) -> HostToPartitionMap:
        return cast("PartitionAssignor", self._app.assignor).changelog_distribution

    # --- Answers -----------------------------------------------------------------------------------------------------

    async def metrics_of(self, seller_id: str) -> list[Metric]:
        """The metrics of all scopes of a seller in one of this worker's partitions, the widest first."""
        number = self.partition_of(seller_id)
        partition = self._held(number)
        states = await asyncio.to_thread(_states_of, partition.engine, seller_id)
        found = await self._on_loop(lambda: [self._held(number, partition).engine.metric_of(each) for each in states])
        if not found:
            raise not_found(f"there is no seller {seller_id} with shipments in a window in {_place(number)}")
        return found

    async def page(self, wanted: Wanted) -> tuple[ScopePage, list[int]]:
        """The first wanted scopes of this worker's partitions, and which these are."""
        partitions = self.partitions()
        engines = [partition.engine for partition in partitions.values()]

        def find() -> list[tuple[ScopeState, Engine]]:
            return wanted.first((state, engine) for engine in engines for state in engine.scopes())

        candidates = await asyncio.to_thread(find)
        chosen = candidates[: wanted.limit]

        def settled() -> list[Metric]:
            for number, partition in partitions.items():
                self._held(number, partition)
            return [engine.metric_of(state) for state, engine in chosen]

        # What has changed since it was found may not be wanted any more.
        scopes = [metric for metric in await self._on_loop(settled) if wanted.has_metric(metric)]
        is_more = len(candidates) > len(chosen)
        return ScopePage(scopes=scopes, next_cursor=cursor(chosen[-1][0].scope) if is_more else None), list(partitions)

    async def report(self, seller_id: str, selection: Selection) -> DefectReport:
        """The defects of a seller in one of this worker's partitions: exactly those that its metrics count."""
        # One at a time: they share the interpreter with the processing.
        async with self._reporting:
            shipments, hour = await self._judged(seller_id)
        as_of = EPOCH + timedelta(hours=hour)
        return await asyncio.to_thread(defect_report, seller_id, shipments, selection, self._settings.lag_days, as_of)

    def health(self) -> WorkerHealth:
        """Whether the worker does its work."""
        known = self._app.health.facts()
        why_not = [trouble.text for trouble in troubles(known)]
        inputs = len(known.assigned_partitions) * len(self._settings.input_topics)
        return WorkerHealth(
            url=self.url,
            ready=not why_not,
            why_not=why_not,
            partitions=known.assigned_partitions,
            lag_records=sum(known.lag_records.values()) if len(known.lag_records) == inputs else None,
        )

    # --- Their parts -------------------------------------------------------------------------------------------------

    def _held(self, number: int, partition: "Partition | None" = None) -> "Partition":
        """A partition that can be asked now, and is still the same where one is given."""
        found = self.partitions().get(number)
        if found is None or partition not in (None, found):
            raise unavailable(f"partition {number} is being restored or goes to another worker")
        return found

    async def _on_loop(self, ask: Callable[[], T]) -> T:
        """What the worker's event loop answers between two steps."""

        async def answer() -> T:
            return ask()

        try:
            async with asyncio.timeout(LOOP_PATIENCE):
                return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(answer(), self._app.loop))
        except TimeoutError:
            raise unavailable("the worker is busy") from None

    async def _judged(self, seller_id: str) -> tuple[list[Judged], int]:
        """The seller's shipments in a window, and the hour in which they were judged."""
        number = self.partition_of(seller_id)
        partition = self._held(number)
        try:
            store = self._app.processor.shipments.store(number)
        except KeyError:  # it has just been given up
            raise unavailable(f"partition {number} goes to another worker") from None
        for _ in range(TRIES):
            keys = await asyncio.to_thread(store.keys_with, shipment_key((seller_id, "")))
            if not keys:
                self._held(number, partition)  # else the store may have been closed under our hands
                raise not_found(f"there is no seller {seller_id} in {_place(number)}")
            states = await asyncio.to_thread(_states_of, partition.engine, seller_id)
            values: list[bytes | None] = []
            for some in _cut(keys):

                def read(some: Sequence[bytes] = some) -> _Rows:
                    engine = self._held(number, partition).engine
                    return _Rows(store.get_many(some), hour_of(engine.as_of), _sums_of(states))  # noqa: B023 - at once

                rows = await self._on_loop(read)
                values += rows.values
            found = await asyncio.to_thread(self._judge, keys, values, rows.hour)
            # A shipment may have come since the keys were read, or changed since its own row was.
            if scope_sums(found) == rows.sums:
                return found, rows.hour
        raise unavailable(f"the shipments of seller {seller_id} change faster than they can be read")

    def _judge(self, keys: Sequence[bytes], values: Sequence[bytes | None], hour: int) -> list[Judged]:
        # Of its own: the one of the processing is used by another thread.
        policy = self._policy = self._policy or RulesPolicy.of(self._settings)
        shipments: dict[str, Shipment] = {}
        for key, value in zip(keys, values, strict=True):
            if value is not None:
                shipment_id = split_key(key)
                shipments[shipment_id[1]] = unpack(shipment_id, value)
        return list(judged(policy, self._settings.lag_days, shipments, hour))


def _place(number: int) -> str:
    # Producers may have used another partitioner, all of them the same one: then it is elsewhere.
    return f"partition {number}, where Kafka's default partitioner puts it"


def _states_of(engine: Engine, seller_id: str) -> list[ScopeState]:
    states = [state for state in engine.scopes() if state.scope.seller_id == seller_id]
    return sorted(states, key=lambda state: place(state.scope))


def _sums_of(states: Sequence[ScopeState]) -> ScopeSums:
    found: ScopeSums = {}
    for state in states:
        live, official = state.live.totals(), state.official.totals()
        if any(live):
            found[state.scope, "live"] = live
        if any(official):
            found[state.scope, "official"] = official
    return found


def _cut(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), ROWS_AT_ONCE):
        yield keys[start : start + ROWS_AT_ONCE]
