"""Workers of one group in this process: their web servers are real, and so are their engines and stores."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from threading import Thread
from typing import Any, NamedTuple, Self, TypeVar

import msgspec
from aiohttp.web import AppRunner, TCPSite
from aiokafka.partitioner import DefaultPartitioner
from msgspec.structs import replace

from stream.embedded import free_port
from stream.engine import Engine, EngineSettings
from stream.events import Event
from stream.policy import RulesPolicy
from stream.settings import Settings
from stream.simulator import SimulationConfig, simulate_history
from stream.state import MemoryStore, Store, StoredShipments
from stream.worker.app import VtrApp, create_app
from stream.worker.dead_letters import RejectionLimit
from stream.worker.late import LateShipments
from stream.worker.partition import Partition
from stream.worker.watermark import Watermark
from tests.test_engine_properties import DAY, all_decoded

PARTITIONS = 4
NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
HOST = "127.0.0.1"

T = TypeVar("T")


def simulated(events: int, sellers: int) -> list[Event]:
    """A history up to now."""
    config = SimulationConfig(start=NOW - 35 * DAY, end=NOW, sellers=sellers, seed=3)
    return all_decoded(record.value for record in simulate_history(config, events))


def partition_of(seller_id: str) -> int:
    """The partition that producers send a seller to."""
    numbers = list(range(PARTITIONS))
    return int(DefaultPartitioner()(seller_id.encode(), numbers, numbers))


class Page(NamedTuple):
    """An answer; the names of the headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - a test looks for what it expects
        """The body."""
        return msgspec.json.decode(self.body)


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Awaitable[T]) -> T:
        """What a coroutine gives there."""

        async def there() -> T:
            return await coroutine

        return asyncio.run_coroutine_threadsafe(there(), self.loop).result(30)

    def close(self) -> None:
        """End it."""
        self.run(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Worker:
    """One of them."""

    def __init__(self, app: VtrApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.engines: dict[int, Engine] = {}
        self._shipments: dict[int, StoredShipments] = {}

    def hold(self, number: int, policy: RulesPolicy, store: Store | None = None) -> None:
        """Have a partition, empty so far."""
        store = MemoryStore() if store is None else store  # an empty one is false
        shipments = StoredShipments(store, self.settings.lag_days)
        engine = Engine(policy, EngineSettings.of(self.settings), shipments)
        processor = self.app.processor
        processor.shipments._stores[number] = store
        processor._partitions[number] = Partition(
            engine,
            shipments,
            Watermark(self.settings.input_topics, 1.0, 0.0),
            RejectionLimit(self.settings.reject_ratio, self.settings.reject_run),
            LateShipments(self.settings.input_topics, 1.0),
            1.0,
            Counter(),
        )
        self.engines[number], self._shipments[number] = engine, shipments

    def apply(self, number: int, events: Iterable[Event], to: datetime) -> None:
        """One step of a partition."""
        for changes in (self.engines[number].apply(list(events)), self.engines[number].advance(to)):
            self._shipments[number].save(changes.shipments)

    def get(self, path: str, method: str = "GET", **headers: str) -> Page:
        """An answer of its web server."""
        connection = HTTPConnection(HOST, self.settings.web_port, timeout=20)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            said = {name.lower(): value for name, value in response.getheaders()}
            return Page(response.status, said, response.read())
        finally:
            connection.close()


class Group:
    """Workers that share the partitions: the first has those from 0 on, and so on."""

    def __init__(self, *shares: int, policy: RulesPolicy | None = None, **changes: object) -> None:
        self._policy = policy or RulesPolicy.of(Settings())
        self._stack = ExitStack()
        # As in a worker: the web server has a thread and a loop of its own.
        self.main, self._web = (self._stack.enter_context(closing(Loop())) for _ in range(2))
        self.workers: list[Worker] = []
        numbers = iter(range(PARTITIONS))
        for share in shares:
            settings = replace(Settings(min_counted=5), web_port=free_port(), **changes)
            worker = self.main.run(_made(settings))
            for _ in range(share):
                worker.hold(next(numbers), self._policy)
            worker.app.processor._running.set()
            self.workers.append(worker)
        self.assign({worker.settings.own_web_url: list(worker.engines) for worker in self.workers})
        for worker in self.workers:
            runner = self._web.run(_served(worker))
            self._stack.callback(self._run_on_web, runner.cleanup)

    def assign(self, distribution: Mapping[str, list[int]]) -> None:
        """What the last assignment told all workers."""
        for worker in self.workers:
            topic = worker.settings.changelog_topic
            told = {url: {topic: numbers} for url, numbers in distribution.items()}
            worker.app.assignor.changelog_distribution = told  # type: ignore[attr-defined]

    def apply(self, events: Iterable[Event], to: datetime = NOW) -> None:
        """Let events happen where they belong, and time pass everywhere."""
        by_partition: dict[int, list[Event]] = {number: [] for number in range(PARTITIONS)}
        for event in events:
            by_partition[partition_of(event.seller_id)].append(event)

        async def step() -> None:
            for worker in self.workers:
                for number in worker.engines:
                    worker.apply(number, by_partition[number], to)

        self.main.run(step())

    def engine_of(self, seller_id: str) -> Engine:
        """The engine that has a seller."""
        number = partition_of(seller_id)
        return next(worker.engines[number] for worker in self.workers if number in worker.engines)

    def _run_on_web(self, make: Callable[[], Awaitable[None]]) -> None:
        self._web.run(make())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


async def _made(settings: Settings) -> Worker:
    return Worker(create_app(settings, PARTITIONS), settings)


async def _served(worker: Worker) -> AppRunner:
    server = worker.app.web
    server.init_server()
    runner: AppRunner = server._runner  # type: ignore[attr-defined]
    await runner.setup()
    await TCPSite(runner, HOST, worker.settings.web_port).start()
    return runner
