"""One worker as a process: the deployed app on loops of its own, which can be killed, frozen and stopped."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import aiokafka.client
import aiokafka.producer.producer

import stream.kafka.clients
import stream.worker.app
import stream.worker.consumer_thread
import stream.worker.health
import stream.worker.processor
import stream.worker.windows
from stream.engine import KeptWindows
from stream.kafka.cluster import ClientOptions, Cluster
from stream.settings import Settings
from stream.state import MemoryStore, Store
from stream.worker.app import VtrApp, create_app
from stream.worker.run import STOP_LIMIT
from tests.simple_policy import SimplePolicy
from tests.simulation.disk import Disk
from tests.simulation.loop import Loop, Policy, Scheduler, running
from tests.simulation.network import Connection, Network


class Process:
    """A worker that was started."""

    def __init__(self, world: "World", name: str, disk: Disk) -> None:
        self.name = name
        self.disk = disk
        self.is_alive = True
        self.is_frozen = False
        self.exit_error: BaseException | None = None
        self._world = world
        self.loops = [Loop(world.scheduler, self)]  # type: ignore[abstract]
        self._stop = asyncio.Event()
        with running(self.loops[0]):
            self.app: VtrApp = create_app(world.settings, world.partitions)
            self.app.processor._clock = world.clock
            self.loops[0].create_task(self._run())

    def __str__(self) -> str:
        return self.name

    def kill(self) -> None:
        """SIGKILL."""
        self.is_alive = False
        for loop in self.loops:
            loop.kill()

    def freeze(self) -> None:
        """SIGSTOP."""
        self.is_frozen = True
        for loop in self.loops:
            loop.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        self.is_frozen = False
        for loop in self.loops:
            loop.thaw()

    def stop(self) -> None:
        """SIGTERM."""
        self.loops[0].call_soon_threadsafe(self._stop.set)

    @property
    def is_ready(self) -> bool:
        """Whether it has restored its partitions and processes events."""
        return self.is_alive and self.app.processor.is_running()

    @property
    def is_restoring(self) -> bool:
        """Whether it has partitions and has not restored them yet."""
        consumer = self.app._consumer
        return (
            self.is_alive
            and consumer is not None
            and self.app.consumer_generation_id > 0
            and not self.app.processor.is_running()
            and not self.app.should_stop
        )

    async def _run(self) -> None:
        """What faust's Worker does: run until told to stop or until an error, and then stop within the limit."""
        try:
            await self.app.start()
            ends = [asyncio.ensure_future(self._stop.wait()), asyncio.ensure_future(self.app._crashed.wait())]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except Exception as error:  # noqa: BLE001 - the process ends with it
            self.exit_error = error
        self.exit_error = self.app.crash_reason or self.exit_error
        stopping = asyncio.ensure_future(self.app.stop())
        done, _ = await asyncio.wait([stopping], timeout=STOP_LIMIT)
        self._world.scheduler.trace(lambda: f"{self}: ended{'' if done else ' by force'}, {self.exit_error!r}")
        self.kill()
        self._world.ended(self)


class World:
    """What the processes of a run have in common."""

    def __init__(self, scheduler: Scheduler, settings: Settings, partitions: int, epoch: datetime) -> None:
        self.scheduler, self.settings, self.partitions = scheduler, settings, partitions
        self._epoch = epoch
        self.ended: Callable[[Process], None] = lambda _: None
        """Called with a process that has ended by itself."""
        self.noted: Callable[[str], None] = lambda _: None
        """Called with what became of windows that a store had kept."""

    def clock(self) -> datetime:
        """The wall clock of all machines."""
        return self._epoch + timedelta(seconds=self.scheduler.now)


class _Thread:
    """A thread whose loop gets its turns from the scheduler."""

    def __init__(self, service: Any) -> None:  # noqa: ANN401 - mode's ServiceThread
        self._service = service

    def start(self) -> None:
        self._service.thread_loop.create_task(self._service._serve())

    def stop(self) -> None:
        """It has ended: whoever stops a thread has waited for that."""


@contextmanager
def simulated(world: World, network: Network) -> Iterator[None]:
    """All that would reach outside of the process reaches the simulation."""
    scheduler = world.scheduler

    async def create_conn(_host: str, _port: int, **options: Any) -> Connection:  # noqa: ANN401
        process = _running_process()
        await asyncio.sleep(0.001)
        return Connection(network, process, options.get("on_close"))

    async def reachable(cluster: Cluster) -> ClientOptions:
        await asyncio.sleep(0.001)
        return cluster.client_options() | {"bootstrap_servers": ["broker-0:9092"]}

    def open_store(settings: Settings, partition: int) -> Store:
        return MemoryStore() if settings.store == "memory" else _running_process().disk.open(partition)

    own_kept = stream.worker.windows._kept

    def kept(number: int, store: Store, watermark: int | None, fingerprint: bytes) -> KeptWindows | None:
        windows = own_kept(number, store, watermark, fingerprint)
        if store.kept():
            world.noted("kept windows outdated" if windows is None else "kept windows used")
        return windows

    def now() -> float:
        return scheduler.now

    def wall() -> float:
        return world.clock().timestamp()

    patches: list[Any] = [
        patch.object(aiokafka.client, "create_conn", create_conn),
        patch.object(stream.kafka.clients, "_reachable", reachable),
        patch.object(stream.worker.app, "open_store", open_store),
        patch.object(stream.worker.windows, "_kept", kept),
        # What only looks again whether anything is new costs turns and finds nothing here.
        patch.object(stream.worker.consumer_thread, "LOOK_AGAIN", 0.5),
        patch.object(stream.worker.health, "LOOK_EVERY", 5.0),
        patch.object(stream.worker.consumer_thread.BatchConsumerThread, "Worker", _Thread),
        patch.object(stream.worker.processor, "RulesPolicy", SimplePolicy),
        patch.object(time, "time", wall),
    ]
    patches += [patch.object(module, name, now) for module, name in _MONOTONIC]
    policy = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(Policy())
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in reversed(patches):
            each.stop()
        asyncio.set_event_loop_policy(policy)


def _running_process() -> Process:
    owner = asyncio.get_running_loop().owner  # type: ignore[attr-defined]
    assert isinstance(owner, Process)
    return owner


_MONOTONIC = [
    (module, name)
    for module in list(sys.modules.values())
    if module is time or module.__name__.partition(".")[0] in {"aiokafka", "faust", "mode", "stream"}
    for name, value in list(vars(module).items())
    if value is time.monotonic
]
"""Where the clock is read: ``time.monotonic`` and what was imported of it by name."""
