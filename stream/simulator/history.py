"""A history: exactly as many records as asked for, in the order of their arrival."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate

from stream.simulator.config import SimulationConfig
from stream.simulator.incidents import active_at, plan_incidents
from stream.simulator.pace import AS_IN_LIFE, EARLIEST
from stream.simulator.pilot import arrival_lags
from stream.simulator.record import Kind, Record
from stream.simulator.rhythm import SLICE, Slice, slices
from stream.simulator.sellers import Seller, by_size, draw_sellers
from stream.simulator.shipments import Shipments
from stream.simulator.transport import Delays, Transport

_DELAYS = Delays(duplicate=(1, 3 * 3600), out_of_order=(2, 300), late=(2 * 3600, 48 * 3600))
"""Clients retry and outboxes are flushed within hours; a seller's system is offline for days at most."""


def simulate_history(config: SimulationConfig, events: int) -> Iterator[Record]:
    """Exactly ``events`` records of ``config.start`` to ``config.end``, duplicates and malformed ones included.

    They come in order of arrival. What would happen or arrive after the end is no part of the history, so the last
    days' shipments are not all tracked and delivered yet. Memory holds what is under way, not the history.
    Raises ValueError when ``events`` is negative.
    """
    if events < 0:
        raise ValueError(f"`events` is negative: {events}")
    return _in_order_of_arrival(config, events)


class _Pending:
    """Records under way, by the hour of their arrival: sorting an hour at a time is cheaper than a heap of all."""

    def __init__(self) -> None:
        self._hours: dict[int, list[tuple[float, int, Kind, bytes, bytes]]] = {}
        self._added = 0

    def add(self, arrival: float, kind: Kind, key: bytes, value: bytes) -> None:
        # The running number decides between equal arrivals, so nothing depends on the bytes.
        self._added += 1
        self._hours.setdefault(int(arrival // 3600), []).append((arrival, self._added, kind, key, value))

    def take_until(self, moment: float) -> Iterator[Record]:
        """Removes the records of the whole hours before ``moment``, in order of arrival."""
        for hour in sorted(hour for hour in self._hours if hour < moment // 3600):
            for arrival, _, kind, key, value in sorted(self._hours.pop(hour)):
                yield Record(kind, key, value, datetime.fromtimestamp(arrival, UTC))


def _in_order_of_arrival(config: SimulationConfig, events: int) -> Iterator[Record]:
    random = config.random("history")
    sellers = draw_sellers(config)
    sizes = by_size(sellers)
    incidents = plan_incidents(config, sellers)
    shipments = Shipments(random, config.scanned, AS_IN_LIFE, first_serial=0)
    transport = Transport(random, config, _DELAYS)
    pending = _Pending()
    end = config.end.timestamp()
    kept = 0
    for part, goal in _goals(config, sellers, events):
        active = active_at(incidents, part.start)
        while kept < goal:
            seller = sizes.pick(random.random())
            shipped_at = random.uniform(part.start, part.end)
            for fact in shipments.order(seller, shipped_at, active):
                for arrival, value in transport.carry(fact):
                    if arrival <= end and kept < events:
                        pending.add(arrival, fact.kind, seller.key, value)
                        kept += 1
        # Later slices add nothing that arrives before this.
        yield from pending.take_until(part.end - EARLIEST)
    yield from pending.take_until(end + SLICE)


def _goals(config: SimulationConfig, sellers: list[Seller], events: int) -> Iterator[tuple[Slice, int]]:
    """Each slice of the history, and how many records there are of all shipments up to its end.

    The number of shipments follows the rhythm; a slice near the end has fewer records for them, because the
    others arrive too late.
    """
    lags = arrival_lags(config, sellers, AS_IN_LIFE, _DELAYS)
    end = config.end.timestamp()
    parts = list(slices(config.start, config.end))
    totals = list(accumulate(part.weight * bisect_right(lags, end - part.start) for part in parts))
    for part, total in zip(parts, totals, strict=True):
        yield part, round(events * total / totals[-1])
