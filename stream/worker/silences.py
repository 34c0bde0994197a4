"""The silences of a worker's partitions, looked for as often as that is cheap."""

from collections.abc import Mapping
from time import monotonic, thread_time
from typing import NamedTuple

from stream.engine import Engine

_REST = 50
"""Until the next look passes so many times what the last one took: a look costs two hundredths of a processor at most,
whether a day has a hundred shipments or a million."""


class _Look(NamedTuple):
    """What was seen of an engine, and the monotonic seconds until which that is good enough."""

    engine: Engine
    hours: dict[str, int]
    until: float


class Silences:
    """Keeps what was last seen of each partition."""

    def __init__(self) -> None:
        self._looks: dict[int, _Look] = {}

    def of(self, engines: Mapping[int, Engine]) -> dict[int, dict[str, int]]:
        """The hours of silence of the sellers of each partition; see :mod:`stream.engine.silence`."""
        looks = {}
        for number, engine in engines.items():
            look = self._looks.get(number)
            if look is None or look.engine is not engine or monotonic() >= look.until:
                began = thread_time()
                hours = engine.silences()
                look = _Look(engine, hours, monotonic() + _REST * (thread_time() - began))
            looks[number] = look
        self._looks = looks
        return {number: look.hours for number, look in looks.items()}
