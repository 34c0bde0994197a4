"""From the sellers to the topic: what arrives twice, out of order, late or broken."""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

import msgspec

from stream.simulator.config import SimulationConfig
from stream.simulator.record import Fact


class Delays(NamedTuple):
    """Seconds from .. to between an event and what arrives of it. ``late`` is None where nothing may be late."""

    duplicate: tuple[float, float]
    out_of_order: tuple[float, float]
    late: tuple[float, float] | None


class Transport:
    """Carries facts, each with at most one mishap."""

    def __init__(self, random: Random, config: SimulationConfig, delays: Delays) -> None:
        self._random = random
        self._delays = delays
        self._malformed = config.malformed
        self._duplicated = self._malformed + config.duplicates
        self._reordered = self._duplicated + config.out_of_order
        self._mishaps = self._reordered + (config.late if delays.late else 0)

    def carry(self, fact: Fact) -> Sequence[tuple[float, bytes]]:
        """When (seconds since 1970) and with which bytes the fact arrives; twice for a duplicate."""
        at, value = fact.at, fact.value
        draw = self._random.random()
        if draw >= self._mishaps:
            return ((at, value),)
        if draw < self._malformed:
            return ((at, self._random.choice(_BREAKAGES)(value)),)
        if draw < self._duplicated:
            return ((at, value), (at + self._random.uniform(*self._delays.duplicate), value))
        late = self._delays.late
        if draw < self._reordered or late is None:
            return ((at + self._random.uniform(*self._delays.out_of_order), value),)
        return ((at + self._random.uniform(*late), value),)


def _cut_off(value: bytes) -> bytes:
    return value[: len(value) // 2]


def _empty(value: bytes) -> bytes:  # noqa: ARG001 - nothing is left of it
    return b""


def _without(field: str) -> Callable[[bytes], bytes]:
    def drop(value: bytes) -> bytes:
        event = msgspec.json.decode(value)
        del event[field]
        return msgspec.json.encode(event)

    return drop


def _with(field: str, content: object) -> Callable[[bytes], bytes]:
    def replace(value: bytes) -> bytes:
        return msgspec.json.encode(msgspec.json.decode(value) | {field: content})

    return replace


_BREAKAGES: tuple[Callable[[bytes], bytes], ...] = (
    _cut_off,
    _empty,
    _without("event_id"),
    _without("seller_id"),
    _with("seller_id", 4711),
    _with("event_time", "yesterday"),
    _with("event_time", "1970-01-01T00:00:00Z"),
    _with("event_time", "2026-02-31T25:61:00Z"),
    _with("type", "order-teleported"),
)
"""Each makes any event one that cannot be used."""
