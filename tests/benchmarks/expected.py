"""What must come out, counted in plain Python from the history's file: no stream, no window, no state."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from stream.events import Event, OrderShipped, TrackingUploaded, decode
from stream.records import Scope
from stream.replay import replay
from stream.settings import Settings
from tests.benchmarks.peers.job import WINDOW_DAYS, is_valid
from tests.benchmarks.process import BenchmarkError

LIVE_HOURS = timedelta(hours=720)

K = TypeVar("K")
V = TypeVar("V")
_Fact = TypeVar("_Fact", OrderShipped, TrackingUploaded)


def peer_counts(file: Path) -> dict[str, tuple[int, int]]:
    """Counted and valid of each scope by the peers' rules, in the 30 days that end with the scope's latest shipment."""
    events = _events(file)
    tracking = _latest(event for event in events if isinstance(event, TrackingUploaded))
    members: dict[str, list[tuple[date, bool]]] = defaultdict(list)
    for key, shipped in _latest(event for event in events if isinstance(event, OrderShipped)).items():
        if shipped.fulfilled_by == "merchant":
            upload = tracking.get(key)
            number, carrier = (upload.tracking_number, upload.carrier) if upload else (None, None)
            valid = is_valid(number, carrier or shipped.carrier, shipped.order_id)
            for scope in _scopes(shipped):
                members["|".join(part for part in scope if part)].append((shipped.shipped_at.date(), valid))
    counts = {}
    for name, shipments in members.items():
        first = max(day for day, _ in shipments) - timedelta(days=WINDOW_DAYS - 1)
        inside = [valid for day, valid in shipments if day >= first]
        counts[name] = len(inside), sum(inside)
    return counts


def live_shipments(file: Path, as_of: datetime) -> dict[Scope, int]:
    """How many shipments of each scope are in the live window of ``as_of``, whatever the rules make of them."""
    end = as_of.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    shipped = _latest(event for event in _events(file) if isinstance(event, OrderShipped))
    inside = [fact for fact in shipped.values() if end - LIVE_HOURS <= fact.shipped_at < end]
    return dict(Counter(scope for fact in inside for scope in _scopes(fact)))


def replayed(file: Path, as_of: datetime) -> dict[Scope, tuple[int, int]]:
    """Counted and valid of each scope by the product's own rules, from a replay: one process, no broker, no batches."""
    metrics = replay([str(file)], Settings(), as_of=as_of).metrics
    return {metric.scope: (metric.live.counted, metric.live.valid) for metric in metrics}


def shipments(file: Path) -> int:
    """How many shipments a history is about, those that have not shipped yet included."""
    return len({(event.seller_id, event.shipment_id) for event in _events(file)})


def require(found: Mapping[K, V], wanted: Mapping[K, V]) -> None:
    """Raises :class:`BenchmarkError`, with an example, where the scopes found or their counts are not those wanted."""
    wrong = [scope for scope in found.keys() | wanted.keys() if found.get(scope) != wanted.get(scope)]
    if wrong:
        example = f"{wrong[0]}: {found.get(wrong[0])} and not {wanted.get(wrong[0])}"
        raise BenchmarkError(f"wrong final counts in {len(wrong)} of {len(wanted)} scopes, such as {example}")


def _events(file: Path) -> list[Event]:
    with file.open("rb") as lines:
        return [event for line in lines if isinstance(event := decode(line), Event)]


def _latest(events: Iterable[_Fact]) -> dict[tuple[str, str], _Fact]:
    in_order = sorted(events, key=lambda event: (event.event_time, event.event_id))
    return {(event.seller_id, event.shipment_id): event for event in in_order}


def _scopes(shipped: OrderShipped) -> tuple[Scope, Scope, Scope]:
    seller, marketplace = shipped.seller_id, shipped.marketplace
    return Scope(seller), Scope(seller, marketplace), Scope(seller, marketplace, shipped.category)


def now() -> datetime:
    """The clock, in UTC."""
    return datetime.now(UTC)
