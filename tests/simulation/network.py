"""Connections between simulated processes and the brokers: they delay, break, and lose what is under way."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from aiokafka.errors import KafkaConnectionError

from tests.simulation.broker import Cluster, prepared
from tests.simulation.loop import Scheduler

if TYPE_CHECKING:
    from tests.simulation.process import Process


class Fate:
    """What becomes of a request."""

    __slots__ = ("arrives", "back", "is_answered", "there")

    def __init__(self, there: float, back: float, *, arrives: bool = True, is_answered: bool = True) -> None:
        self.there, self.back = there, back
        """Seconds until the broker has it, and from there until the answer is back."""
        self.arrives, self.is_answered = arrives, is_answered
        """Where one of them is False, the connection breaks."""


class Weather(Protocol):
    """Decides what becomes of requests."""

    def fate(self, process: "Process", request: Any) -> Fate:  # noqa: ANN401 - see prepared()
        """Of one that is being sent."""

    def arrives_from_the_dead(self, request: Any) -> bool:  # noqa: ANN401
        """Whether what a process had sent arrives though it was killed since."""

    def answered(self, process: "Process", request: Any) -> None:  # noqa: ANN401
        """The process gets an answer now."""


class Network:
    """All connections of a run."""

    def __init__(self, scheduler: Scheduler, cluster: Cluster, weather: Weather) -> None:
        self.scheduler, self.cluster, self.weather = scheduler, cluster, weather


class Connection:
    """In the place of aiokafka's own connection to one broker. A broker takes one request of it after the other."""

    def __init__(self, network: Network, process: "Process", on_close: Callable[..., None] | None) -> None:
        self._network, self._process, self._on_close = network, process, on_close
        self._scheduler = network.scheduler
        self._loop = asyncio.get_running_loop()
        self._sent: deque[tuple[Any, Fate, asyncio.Future[Any]]] = deque()
        self._is_busy = False
        self._is_open = True
        self._last_action = self._scheduler.now

    # --- What aiokafka's client asks for -----------------------------------------------------------------------------

    def connected(self) -> bool:
        """Whether it can be used."""
        return self._is_open

    def close(self, reason: object = None) -> "asyncio.Future[None]":  # noqa: ARG002 - aiokafka's signature
        """Give it up."""
        self._is_open = False
        for _, _, future in self._sent:
            future.cancel()
        closed = self._loop.create_future()
        closed.set_result(None)
        return closed

    def send(self, request: Any, expect_response: bool = True) -> "asyncio.Future[Any]":  # noqa: ANN401, ARG002
        """Send a request; the future has the answer, or the error that took its place."""
        future = self._loop.create_future()
        if not self._is_open:
            future.set_exception(KafkaConnectionError("the connection is closed"))
            return future
        struct = prepared(request)
        self._sent.append((struct, self._network.weather.fate(self._process, struct), future))
        self._go_on()
        return future

    # --- On the way --------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if self._sent and not self._is_busy:
            self._is_busy = True
            request, fate, future = self._sent[0]
            self._scheduler.call_later(fate.there, self._arrive, request, fate, future)

    def _arrive(self, request: Any, fate: Fate, future: "asyncio.Future[Any]") -> None:  # noqa: ANN401
        if not self._process.is_alive and not self._network.weather.arrives_from_the_dead(request):
            return
        if not fate.arrives:
            self._break(f"{type(request).__name__} was lost")
            return
        self._network.cluster.handle(
            self._process.name,
            request,
            lambda response: self._scheduler.call_later(fate.back, self._answer, request, fate, future, response),
        )

    def _answer(self, request: Any, fate: Fate, future: "asyncio.Future[Any]", response: Any) -> None:  # noqa: ANN401
        if not self._process.is_alive or not self._is_open:
            return
        if not fate.is_answered:
            self._break(f"the answer to {type(request).__name__} was lost")
            return
        self._sent.popleft()
        self._is_busy = False
        self._last_action = self._scheduler.now
        self._network.weather.answered(self._process, request)
        self._loop.call_soon_threadsafe(_set, future, response)
        self._go_on()

    def _break(self, why: str) -> None:
        if not self._process.is_alive or not self._is_open:
            return
        self._scheduler.trace(lambda: f"{self._process}: connection broke: {why}")
        self._is_open = False
        for _, _, future in self._sent:
            self._loop.call_soon_threadsafe(_fail, future)
        self._sent.clear()
        if self._on_close is not None:
            self._loop.call_soon_threadsafe(self._on_close, self, None)


def _set(future: "asyncio.Future[Any]", response: Any) -> None:  # noqa: ANN401
    if not future.done():
        future.set_result(response)


def _fail(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_exception(KafkaConnectionError("the connection broke"))
