"""A replay in one process or in several, which share the sellers between them."""

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple, TypeVar

from stream.kafka.clients import BrokerError
from stream.replay.checkpoint import Checkpoint
from stream.replay.errors import ReplayError, SourceError, WorkFileError
from stream.replay.memory import memory_for_sorting
from stream.replay.meter import Meter, Numbers, new_numbers, shared_numbers
from stream.replay.rejects import join_rejects
from stream.replay.run import History
from stream.replay.share import WHOLE, Share
from stream.replay.share_state import ShareState
from stream.replay.sorting import temporary_folder
from stream.replay.sources import FoundSources, Source, find_sources
from stream.replay.summary import Replay, joined
from stream.settings import Settings, SettingsError

T = TypeVar("T")

Play = Callable[[History, datetime | None], T]
"""What is done with a history up to an end."""

Show = Callable[[Sequence[Numbers]], None]
"""Shows how far the processes are; called some times a second at least, and hundreds of times at most."""

_ENDS = (signal.SIGINT, signal.SIGTERM)

SHOW_SECONDS = 0.2
ORPHAN_SECONDS = 1.0
"""A process looks so often whether the one that waits for it is still there."""

CHECKPOINT_SECONDS = 30.0
"""Between two states that are kept, where that does not take more than a small part of the time."""


class _Part(NamedTuple):
    """What a process is to read, and where it keeps what."""

    found: FoundSources
    as_of: datetime | None
    share: Share
    memory: int
    rejects: Path | None
    state: ShareState | None

    def history(self, meter: Meter) -> History:
        """The first half."""
        return History(
            self.found.sources,
            self.as_of,
            self.share,
            memory=self.memory,
            rejects=self.rejects,
            state=self.state,
            meter=meter,
        )


def replay(
    sources: Sequence[str | Source],
    settings: Settings,
    *,
    as_of: datetime | None = None,
    processes: int = 1,
    memory: int | None = None,
    rejects: BinaryIO | None = None,
    checkpoint: Checkpoint | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    hash_state: bool = False,
    show: Show | None = None,
) -> Replay:
    """Replay history files, or what topics hold, up to ``as_of`` (UTC-aware; default: the last event's time).

    Events are applied in order of their versions, time passes at the end of every minute that has events and at every
    full hour. Several processes give the same result as one. With a ``checkpoint`` the replay goes on where it was
    interrupted. For the rest, and for what is raised, see :func:`in_shares`.
    """
    found = find_sources(sources)
    parts = in_shares(
        found,
        as_of,
        processes,
        partial(_replayed, settings, hash_state),
        memory=memory,
        rejects=rejects,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        show=show,
    )
    return joined(parts, found.paths)


def in_shares(
    found: FoundSources,
    as_of: datetime | None,
    processes: int,
    play: Play[T],
    *,
    memory: int | None = None,
    rejects: BinaryIO | None = None,
    checkpoint: Checkpoint | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    show: Show | None = None,
) -> list[T]:
    """What ``play`` gives of the history up to its end: of each share of the sellers, where several processes have one
    each. Then it is called in them, so it and what it gives can be pickled. Pipes are read by one.

    Sorting takes ``memory`` bytes in all (default: by what is available) and then the disk. Lines that are no events
    are written to ``rejects``. Raises :class:`~stream.replay.errors.ReplayError`,
    :class:`~stream.settings.SettingsError`, and :class:`~stream.kafka.probe.BrokerError` for topics.
    """
    if found.has_pipe:
        processes = 1
    memory = (memory_for_sorting() if memory is None else memory) // processes
    with ExitStack() as stack:
        folder = None
        if rejects is not None and checkpoint is None:
            folder = Path(stack.enter_context(_work_folder()))
        parts = []
        for number in range(processes):
            share = WHOLE if processes == 1 else Share(number, processes)
            state = None if checkpoint is None else ShareState(checkpoint.share(number), checkpoint_seconds)
            own_rejects = state.rejects if state is not None else folder and folder / str(number)
            parts.append(_Part(found, as_of, share, memory, own_rejects, state))
        results = [_alone(parts[0], play, show)] if processes == 1 else _together(parts, play, show)
        if rejects is not None:
            _join_rejects(parts, rejects)
    return results


def _replayed(settings: Settings, hash_state: bool, history: History, end: datetime | None) -> Replay:
    return history.play(settings, end, hash_state=hash_state)


def _work_folder() -> TemporaryDirectory[str]:
    where = temporary_folder()
    try:
        return TemporaryDirectory(prefix="vtr-replay-", dir=where)
    except OSError as error:
        raise WorkFileError(f"cannot write to {where}: {error.strerror}") from error


def usable_cores() -> int:
    """How many processors this process may run on."""
    # Only Linux tells.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def no_collection() -> Iterator[None]:
    """A million events are no garbage, and looking for cycles among them takes as long as reading them."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _alone(part: _Part, play: Play[T], show: Show | None) -> T:
    numbers = new_numbers()
    meter = Meter(numbers) if show is None else Meter(numbers, lambda: show([numbers]))
    # Closed before there is any collection, which would look through its events.
    with no_collection(), closing(part.history(meter)) as history:
        return play(history, part.as_of or history.last)


def _together(parts: Sequence[_Part], play: Play[T], show: Show | None) -> list[T]:
    links: list[Connection] = []
    players: list[BaseProcess] = []
    numbers = [shared_numbers() for _ in parts]
    # A copy of a process with more threads may wait for ever for a lock that one of them held. A server of processes,
    # Python's default from 3.14 on, would be their parent, by which they know whether this one is still there.
    can_fork = sys.platform == "linux" and threading.active_count() == 1
    context: ForkContext | SpawnContext = (
        multiprocessing.get_context("fork") if can_fork else multiprocessing.get_context("spawn")
    )
    try:
        for part, own in zip(parts, numbers, strict=True):
            link, far_end = context.Pipe()
            player: BaseProcess = context.Process(
                target=_play, args=(far_end, part, play, own, os.getpid()), daemon=True
            )
            with _undisturbed():
                player.start()
            far_end.close()
            links.append(link)
            players.append(player)
        tell = None if show is None else lambda: show(numbers)
        lasts: list[datetime] = [last for last in _received(links, tell) if last is not None]
        end = parts[0].as_of or max(lasts, default=None)
        for link in links:
            link.send(end)
        return _received(links, tell)
    finally:
        for player in players:
            player.terminate()
            player.join()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals that would end this process wait. Before it is itself, a copy of it would take them as this one does, and
    clean up what is this one's."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _received(links: Sequence[Connection], show: Callable[[], None] | None) -> list[Any]:
    """What each process says next."""
    said: dict[Connection, object] = {}
    while len(said) < len(links):
        waiting = [link for link in links if link not in said]
        ready = wait(waiting, None if show is None else SHOW_SECONDS)
        for link in waiting:
            if link not in ready:
                continue
            try:
                message = link.recv()
            except EOFError:
                raise SourceError("a process of the replay has ended; perhaps memory ran out") from None
            if isinstance(message, Exception):
                raise message
            said[link] = message
        if show is not None:
            show()
    return [said[link] for link in links]


def _play(link: Connection, part: _Part, play: Play[object], numbers: Numbers, parent: int) -> None:
    """One process: says when its last event was, is told where all end, and gives its part."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever the one that starts it does then

    def go_on() -> None:
        if os.getppid() != parent:
            # It was killed, and nobody waits for the result; whoever goes on with the replay needs its files.
            raise SystemExit(1)

    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
        with no_collection(), closing(part.history(Meter(numbers, go_on))) as history:
            link.send(history.last)
            while not link.poll(ORPHAN_SECONDS):
                go_on()
            link.send(play(history, link.recv()))
    except (ReplayError, BrokerError, SettingsError) as error:
        link.send(error)
    except (KeyboardInterrupt, EOFError, BrokenPipeError):
        pass  # the one that waits for it has been told too, or is no more


def _join_rejects(parts: Sequence[_Part], out: BinaryIO) -> None:
    try:
        join_rejects([part.rejects for part in parts if part.rejects], parts[0].found.paths, out)
    except OSError as error:
        raise WorkFileError(f"cannot write {out.name}: {error.strerror}") from error
