"""Event loops in virtual time, one for each thread of each simulated process; a seed deals their turns.

Within a loop callbacks run in their order, as asyncio promises. Between loops the seed decides who goes next, so
threads and processes interleave at every ``await``. Nothing sleeps: when nobody has anything to do, time moves to the
next timer.
"""

import asyncio
import heapq
from asyncio import Handle, TimerHandle, events
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

TURN = 2e-5
"""Virtual seconds that one turn takes: time never stands still, however busy everybody is."""


class _Future(asyncio.Future[T]):
    """Hashed by its number: sets of futures are iterated over, and addresses differ from run to run."""

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self.number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number


class _Task(asyncio.Task[T]):
    """As :class:`_Future`."""

    def __init__(
        self,
        number: int,
        coroutine: Generator[Any, None, T] | Coroutine[Any, Any, T],
        loop: asyncio.AbstractEventLoop,
        name: str | None,
        context: Context | None,
    ) -> None:
        self.number = number
        super().__init__(coroutine, loop=loop, name=name or f"task-{number}", context=context)
        self._log_destroy_pending = False  # most are still pending when their process is killed

    def __hash__(self) -> int:
        return self.number


class Loop(asyncio.AbstractEventLoop):
    """One thread's event loop. Killed, it never runs anything again; frozen, not for now."""

    def __init__(self, scheduler: "Scheduler", owner: object) -> None:
        self.scheduler = scheduler
        self.owner = owner
        self.ready: deque[Handle] = deque()
        self.is_dead = False
        self.is_frozen = False

    # --- What asyncio asks for -------------------------------------------------------------------------------------

    def time(self) -> float:
        return self.scheduler.now

    def call_soon(self, callback: Callable[..., Any], *args: object, context: Context | None = None) -> Handle:
        handle = Handle(callback, args, self, context)
        self._add(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: object, context: Context | None = None
    ) -> TimerHandle:
        return self.call_at(self.scheduler.now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: object, context: Context | None = None
    ) -> TimerHandle:
        handle = TimerHandle(when, callback, args, self, context)
        self.scheduler.call_at(when, self._fire, handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(self.scheduler.number(), self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        return _Task(self.scheduler.number(), coro, self, name, context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.is_dead:
            self.scheduler.trace(lambda: f"{self.owner}: {context.get('message')} {context.get('exception')!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held."""

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """It is skipped when its time comes."""

    # --- What the scheduler asks for -------------------------------------------------------------------------------

    def _add(self, handle: Handle) -> None:
        if self.is_dead:
            return
        if not self.ready and not self.is_frozen:
            self.scheduler.busy.append(self)
        self.ready.append(handle)

    def _fire(self, handle: TimerHandle) -> None:
        if not handle.cancelled():
            self._add(handle)

    def kill(self) -> None:
        """As by SIGKILL: no handler, no ``finally``, nothing."""
        self.freeze()
        self.is_dead = True
        self.ready.clear()

    def freeze(self) -> None:
        """As by SIGSTOP."""
        self.is_frozen = True
        if self in self.scheduler.busy:
            self.scheduler.busy.remove(self)

    def thaw(self) -> None:
        """As by SIGCONT."""
        was_frozen, self.is_frozen = self.is_frozen, False
        if was_frozen and self.ready:
            self.scheduler.busy.append(self)


class Scheduler:
    """The clock, the turns and the trace of one run."""

    def __init__(self, seed: int, tracing: bool = False) -> None:
        self.random = Random(seed)  # noqa: S311 - not for secrets
        self.now = 1000.0
        self.busy: list[Loop] = []
        self.turns = 0
        self.before_turn: Callable[[Loop], None] = lambda _: None
        """Called before each turn; it may kill or freeze the loop."""
        self.lines: list[str] | None = [] if tracing else None
        self._timers: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0

    def number(self) -> int:
        """A new one."""
        self._number += 1
        return self._number

    def call_at(self, when: float, callback: Callable[..., None], *args: Any) -> None:  # noqa: ANN401
        """Call something outside of all processes, such as a broker."""
        heapq.heappush(self._timers, (when, self.number(), callback, args))

    def call_later(self, delay: float, callback: Callable[..., None], *args: Any) -> None:  # noqa: ANN401
        """As :meth:`call_at`, in ``delay`` virtual seconds."""
        self.call_at(self.now + delay, callback, *args)

    def trace(self, line: Callable[[], str]) -> None:
        """Note what happens, where anybody wants to know."""
        if self.lines is not None:
            self.lines.append(f"{self.now - 1000:10.4f} {line()}")

    def run_until(self, is_over: Callable[[], bool], limit: float) -> bool:
        """Deal turns until it is over, or for ``limit`` virtual seconds. Returns whether it is over."""
        deadline = self.now + limit
        while self.now < deadline:
            if not self.busy:
                if is_over():
                    return True
                if not self._timers:
                    return False
                self.now = max(self.now, self._timers[0][0])
            timers, now = self._timers, self.now
            while timers and timers[0][0] <= now:
                _, _, callback, args = heapq.heappop(timers)
                callback(*args)
            if self.busy:
                self._turn()
                events._set_running_loop(None)
        return is_over()

    def _turn(self) -> None:
        busy = self.busy
        place = int(self.random.random() * len(busy)) if len(busy) > 1 else 0
        loop = busy[place]
        self.turns += 1
        self.now += TURN
        self.before_turn(loop)
        if loop.is_frozen:
            return
        handle = loop.ready.popleft()
        if not loop.ready:
            busy.remove(loop)
        if not handle.cancelled():
            events._set_running_loop(loop)
            handle._run()


class running:  # noqa: N801 - reads as a function
    """Makes a loop the one that runs."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def __enter__(self) -> None:
        events._set_running_loop(self._loop)

    def __exit__(self, *_: object) -> None:
        events._set_running_loop(None)


class Policy(asyncio.DefaultEventLoopPolicy):
    """Makes the loops of threads that a process starts: they are its own, and die with it."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A loop of the running process."""
        current = events._get_running_loop()
        if not isinstance(current, Loop):
            return super().new_event_loop()
        loop = Loop(current.scheduler, current.owner)  # type: ignore[abstract]
        current.owner.loops.append(loop)  # type: ignore[attr-defined]
        return loop
