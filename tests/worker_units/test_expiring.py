"""What is restored from a changelog goes on as what was never away: grace ends, windows move on, rows are forgotten."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from faust.events import Event
from faust.types import TP, ConsumerMessage, EventT

from stream.engine import Engine, EngineSettings
from stream.events import Money, OrderShipped
from stream.policy import RulesPolicy
from stream.records import Scope
from stream.state import MemoryStore, StoredShipments
from stream.state.rows import WATERMARK_KEY, pack_watermark, shipment_key
from stream.worker.app import VtrApp
from stream.worker.changelog import ChangelogRows
from stream.worker.publisher import Outgoing
from tests.worker_units.fakes import CHANGELOG, SETTINGS, Line
from tests.worker_units.test_restoring import recover

FIRST = TP(CHANGELOG, 0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHIPPED_AT = datetime(2026, 11, 1, 10, 30, tzinfo=UTC)
PARCEL = ("A1", "028-1")
SCOPES = {Scope("A1"), Scope("A1", "DE"), Scope("A1", "DE", "Home")}
LONG_AGO = -1e9


def changelog_of_a_dead_worker() -> dict[bytes, bytes | None]:
    """It saw a parcel leave, and no tracking, until an hour later."""
    shipments = StoredShipments(MemoryStore(), SETTINGS.lag_days)
    engine = Engine(RulesPolicy.of(SETTINGS), EngineSettings.of(SETTINGS), shipments)
    shipped = OrderShipped(
        event_id="s1",
        event_time=SHIPPED_AT,
        seller_id=PARCEL[0],
        order_id=PARCEL[1],
        shipment_id=PARCEL[1],
        marketplace="DE",
        category="Home",
        carrier="DHL",
        order_value=Money(Decimal("49.90"), "EUR"),
        shipped_at=SHIPPED_AT,
        promised_delivery_by=SHIPPED_AT,
    )
    rows = shipments.save(engine.apply([shipped]).shipments)
    reached = engine.advance(SHIPPED_AT + HOUR).watermark
    assert reached is not None
    return rows | {WATERMARK_KEY: pack_watermark(reached)}


def batches(app: VtrApp, rows: dict[bytes, bytes | None]) -> Iterator[EventT[bytes]]:
    """The changelog as recovery hands it on, a row at a time."""
    for at, (key, value) in enumerate(rows.items()):
        read = cast("Any", [ChangelogRows({key: value}, at, 0, 0)])
        message = ConsumerMessage(*FIRST, at, 0.0, 0, [], None, read, None, 0, 0, FIRST, generation_id=1)
        yield Event(app, None, read, {}, message)


class Successor:
    """A worker that restored the partition, and has nothing more to read."""

    def __init__(self, line: Line) -> None:
        self.processor = line.processor

    def at(self, now: datetime) -> Outgoing:
        """What it says at an hour of the clock."""
        partition = self.processor._partition(0)
        partition._metrics_at = partition._watermark._idle_after = LONG_AGO
        return partition.idle(now, 0.0, lambda _: True)


@pytest.fixture
async def successor(line: Line) -> Successor:
    await line.processor.shipments.take(0)
    await line.processor.alerts.take(0)
    await recover(line.app, *batches(line.app, changelog_of_a_dead_worker()))
    return Successor(line)


def counts(outgoing: Outgoing) -> dict[Scope, tuple[int, int]]:
    """Pending and defects of the live window, by scope."""
    return {metric.scope: (metric.live.pending, metric.live.defects) for metric in outgoing.metrics}


async def test_a_restored_parcel_becomes_a_defect_and_leaves(successor: Successor) -> None:
    assert counts(successor.at(SHIPPED_AT + 2 * HOUR)) == dict.fromkeys(SCOPES, (1, 0)), "it is there"
    graced_until = datetime(2026, 11, 2, 11, tzinfo=UTC)
    assert counts(successor.at(graced_until - timedelta(seconds=1))) == dict.fromkeys(SCOPES, (1, 0))
    assert counts(successor.at(graced_until)) == dict.fromkeys(SCOPES, (0, 1)), "grace ends"

    left_at = datetime(2026, 12, 1, 10, tzinfo=UTC)
    assert successor.at(left_at - timedelta(seconds=1)).gone == []
    assert counts(successor.at(left_at)) == dict.fromkeys(SCOPES, (0, 0)), "the live window has moved on"
    last_day = datetime(2026, 12, 10, 23, 59, tzinfo=UTC)
    assert successor.at(last_day).gone == [], "the official window still has it"
    assert set(successor.at(last_day + timedelta(minutes=1)).gone) == SCOPES

    store = successor.processor.shipments.store(0)
    assert {key for key, _ in store.scan()} == {shipment_key(PARCEL), WATERMARK_KEY}
    forgotten = successor.at(last_day + 11 * DAY).rows
    assert forgotten == {shipment_key(PARCEL): None}, "and the changelog is told so"
    assert {key for key, _ in store.scan()} == {WATERMARK_KEY}
