"""One giant and a crowd, their metrics beside what they must be, and what a scope costs in memory."""

import gc
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from msgspec import Struct

from stream.engine import Changes, Engine, EngineSettings
from stream.events import Event, OrderShipped, TrackingUploaded, decode, encode
from stream.policy import RulesPolicy
from stream.records import Metric, Scope
from stream.settings import Settings
from stream.simulator.tracking_numbers import dhl
from stream.state import MemoryStore, StoredShipments

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
GIANT = "giant"
BATCH = 4_000
FORGOTTEN = timedelta(days=41 + 10)
"""After so long without events nothing is left: 40 days are kept, and each sweep takes ten (the engine's own)."""

_EVERY = 7
"""Each seventh shipment has no usable number."""


class Crowd(Struct):
    """What a run showed. ``wrong`` are scopes whose metric is not what it must be; bytes are of Python's objects."""

    sellers: int
    scopes: int
    wrong: list[Scope]
    seconds: float
    bytes_at_half: int
    bytes_at_end: int
    bytes_afterwards: int

    @property
    def bytes_per_scope(self) -> float:
        """What each more scope of the second half has cost, its shipments and those of the giant included."""
        return (self.bytes_at_end - self.bytes_at_half) / (self.scopes / 2)


def measure(sellers: int) -> Crowd:
    """A crowd of so many sellers with one shipment each, and the giant with as many as all of them."""
    settings = Settings()
    shipments = StoredShipments(MemoryStore(), settings.lag_days)
    engine = Engine(RulesPolicy.of(settings), EngineSettings.of(settings), shipments)
    started = time.perf_counter()
    save(shipments, engine.advance(NOW))
    tracemalloc.start()
    sizes: list[int] = []
    for numbers in (range(sellers // 2), range(sellers // 2, sellers)):
        events = (event for number in numbers for event in events_of(number))
        while batch := list(islice(events, BATCH)):
            save(shipments, engine.apply(batch))
            save(shipments, engine.advance(NOW))
            engine.take_metrics()
        sizes.append(_size())
    metrics = engine.metrics()
    wrong = [metric.scope for metric in metrics if said(metric) != expected(metric.scope, sellers)]
    scopes = len(metrics)
    assert scopes == 3 * (sellers + 1)
    del metrics
    save(shipments, engine.advance(NOW + FORGOTTEN))
    engine.take_gone()
    assert engine.metrics() == []
    afterwards = _size()
    tracemalloc.stop()
    at_half, at_end = sizes
    return Crowd(sellers, scopes, wrong, time.perf_counter() - started, at_half, at_end, afterwards)


def save(shipments: StoredShipments, changes: Changes) -> None:
    """Keep what changed, as a worker does."""
    assert not changes.rejected
    shipments.save(changes.shipments)


def _size() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def events_of(number: int) -> Iterator[Event]:
    """The shipment of the seller of that number, and one of the giant, some days to four weeks old."""
    at = NOW - timedelta(hours=49 + number % 600)
    for seller_id in (f"seller-{number}", GIANT):
        order_id = f"{seller_id}-{number}"
        shipped = OrderShipped(
            event_id="s",
            event_time=at,
            seller_id=seller_id,
            order_id=order_id,
            marketplace="DE",
            shipped_at=at,
            category="Home",
            carrier="DHL",
            ship_from="DE",
            ship_to="DE",
        )
        tracking = TrackingUploaded(
            event_id="t",
            event_time=at,
            seller_id=seller_id,
            order_id=order_id,
            carrier="DHL",
            tracking_number="N/A" if number % _EVERY == 0 else dhl(1, number),
        )
        for event in (shipped, tracking):
            decoded = decode(encode(event))
            assert isinstance(decoded, Event)
            yield decoded


def expected(scope: Scope, sellers: int) -> tuple[int, int, int, int]:
    """Valid ones, defects, and pending and exempt ones: by arithmetic, whatever the engine does."""
    if scope.seller_id == GIANT:
        defects = -(-sellers // _EVERY)
        return sellers - defects, defects, 0, 0
    defects = int(int(scope.seller_id.removeprefix("seller-")) % _EVERY == 0)
    return 1 - defects, defects, 0, 0


def said(metric: Metric) -> tuple[int, int, int, int]:
    """The same of a metric's live window."""
    live = metric.live
    return live.valid, live.defects, live.pending, live.exempt
