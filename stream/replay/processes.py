"""A replay in one process or in several, which share the sellers between them."""

import gc
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from multiprocessing.connection import Connection
from typing import TypeVar

from stream.kafka import BrokerError
from stream.records import encode_key
from stream.replay.run import KEPT_REJECTIONS, History, Replay, Source, Summary
from stream.replay.share import Share
from stream.replay.source import STDIN, SourceError
from stream.settings import Settings, SettingsError

T = TypeVar("T")


def replay(
    sources: Sequence[Source], settings: Settings, *, as_of: datetime | None = None, processes: int = 1
) -> Replay:
    """Replay history files, or what topics hold, up to ``as_of`` (UTC-aware; default: the last event's time).

    Events are applied in order of their versions, time passes at the end of every minute that has events and at every
    full hour. Several processes give the same result as one; standard input is read by one. Raises
    :class:`~stream.replay.source.SourceError`, :class:`~stream.kafka.BrokerError` and
    :class:`~stream.settings.SettingsError`.
    """
    if processes == 1 or STDIN in sources:
        with no_collection():
            history = History(sources, as_of)
            result = history.play(settings, as_of or history.last)
            del history  # or the first collection would look through it
            return result
    links: list[Connection] = []
    players: list[multiprocessing.Process] = []
    try:
        for number in range(processes):
            link, far_end = multiprocessing.Pipe()
            player = multiprocessing.Process(
                target=_play, args=(far_end, sources, settings, as_of, Share(number, processes)), daemon=True
            )
            player.start()
            far_end.close()
            links.append(link)
            players.append(player)
        lasts = [last for link in links if (last := _received(link, datetime)) is not None]
        end = as_of or max(lasts, default=None)
        for link in links:
            link.send(end)
        parts = [_received(link, Replay) for link in links]
        return _joined([part for part in parts if part is not None], end, sources)
    finally:
        for player in players:
            player.terminate()
            player.join()


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


def _play(
    link: Connection, sources: Sequence[Source], settings: Settings, as_of: datetime | None, share: Share
) -> None:
    """One process: says when its last event was, is told where all end, and gives its part."""
    try:
        with no_collection():
            history = History(sources, as_of, share)
            link.send(history.last)
            link.send(history.play(settings, link.recv()))
    except (SourceError, BrokerError, SettingsError) as error:
        link.send(error)
    except KeyboardInterrupt:
        pass  # the one that waits for it has been told too


def _received(link: Connection, kind: type[T]) -> T | None:
    try:
        message = link.recv()
    except EOFError:
        raise SourceError("a process of the replay has ended; perhaps memory ran out") from None
    if message is None or isinstance(message, kind):
        return message
    raise message


def _joined(parts: Sequence[Replay], end: datetime | None, sources: Sequence[Source]) -> Replay:
    """What one process would have given. No two parts speak of the same seller."""
    summaries = [part.summary for part in parts]
    places = {source: place for place, source in reversed(list(enumerate(sources)))}
    examples = sorted(
        (example for summary in summaries for example in summary.examples),
        # A place in a topic is no source, and has no line.
        key=lambda example: (places.get(example.file, len(places)), example.line, example.file),
    )
    return Replay(
        as_of=end,
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
