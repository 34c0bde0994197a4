"""A replay in one process or in several, which share the sellers between them."""

import gc
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from stream.records import encode_key
from stream.replay.run import KEPT_REJECTIONS, History, Replay, Summary
from stream.replay.share import Share
from stream.replay.source import STDIN, SourceError
from stream.settings import Settings, SettingsError

T = TypeVar("T")


def replay(files: Sequence[str], settings: Settings, *, as_of: datetime | None = None, processes: int = 1) -> Replay:
    """Replay history files up to ``as_of`` (UTC-aware; default: the last event's time).

    Events are applied in order of their versions, time passes at the end of every minute that has events and at every
    full hour. Several processes give the same result as one; standard input is read by one. Raises
    :class:`~stream.replay.source.SourceError` and :class:`~stream.settings.SettingsError`.
    """
    parts = in_shares(files, as_of, processes, partial(_replayed, settings))
    return joined(parts, files)


def in_shares(
    files: Sequence[str], as_of: datetime | None, processes: int, play: Callable[[History, datetime | None], T]
) -> list[T]:
    """What ``play`` gives of the history up to its end: of each share of the sellers, where several processes have one
    each. Then it is called in them, so it and what it gives can be pickled. Raises what :func:`replay` raises."""
    if processes == 1 or STDIN in files:
        with _no_collection():
            history = History(files, as_of)
            result = play(history, as_of or history.last)
            del history  # or the first collection would look through it
            return [result]
    links: list[Connection] = []
    players: list[multiprocessing.Process] = []
    try:
        for number in range(processes):
            link, far_end = multiprocessing.Pipe()
            player = multiprocessing.Process(
                target=_play, args=(far_end, files, as_of, Share(number, processes), play), daemon=True
            )
            player.start()
            far_end.close()
            links.append(link)
            players.append(player)
        lasts: list[datetime] = [last for link in links if (last := _received(link)) is not None]
        end = as_of or max(lasts, default=None)
        for link in links:
            link.send(end)
        return [_received(link) for link in links]
    finally:
        for player in players:
            player.terminate()
            player.join()


def usable_cores() -> int:
    """How many processors this process may run on."""
    # Only Linux tells.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _no_collection() -> Iterator[None]:
    """A million events are no garbage, and looking for cycles among them takes as long as reading them."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _replayed(settings: Settings, history: History, end: datetime | None) -> Replay:
    return history.play(settings, end)


def _play(
    link: Connection,
    files: Sequence[str],
    as_of: datetime | None,
    share: Share,
    play: Callable[[History, datetime | None], object],
) -> None:
    """One process: says when its last event was, is told where all end, and gives its part."""
    try:
        with _no_collection():
            history = History(files, as_of, share)
            link.send(history.last)
            link.send(play(history, link.recv()))
    except (SourceError, SettingsError) as error:
        link.send(error)
    except KeyboardInterrupt:
        pass  # the one that waits for it has been told too


def _received(link: Connection) -> Any:  # noqa: ANN401 - what the process of this module at the other end sends
    try:
        message = link.recv()
    except EOFError:
        raise SourceError("a process of the replay has ended; perhaps memory ran out") from None
    if isinstance(message, Exception):
        raise message
    return message


def joined(parts: Sequence[Replay], files: Sequence[str]) -> Replay:
    """What one process would have given. No two parts speak of the same seller."""
    if len(parts) == 1:
        return parts[0]
    summaries = [part.summary for part in parts]
    places = {file: place for place, file in reversed(list(enumerate(files)))}
    examples = sorted(
        (example for summary in summaries for example in summary.examples),
        key=lambda example: (places[example.file], example.line),
    )
    return Replay(
        as_of=parts[0].as_of,
        metrics=sorted((each for part in parts for each in part.metrics), key=lambda each: encode_key(each.scope)),
        alerts=sorted((a for part in parts for a in part.alerts), key=lambda a: (a.since, encode_key(a.scope))),
        summary=Summary(
            events=sum(summary.events for summary in summaries),
            accepted=sum(summary.accepted for summary in summaries),
            after_as_of=sum(summary.after_as_of for summary in summaries),
            rejected=sum((summary.rejected for summary in summaries), Counter()),
            examples=examples[:KEPT_REJECTIONS],
            alerts=sum((summary.alerts for summary in summaries), Counter()),
            scopes=sum(summary.scopes for summary in summaries),
        ),
    )
