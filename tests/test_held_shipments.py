"""The shipments of a replay: what a sweep may forget."""

from datetime import UTC, datetime, timedelta

from stream.shipment import ShipmentId, hour_of
from stream.span import KEEP_HOURS
from stream.state import HeldShipments
from tests.test_engine_properties import decoded, tracked

OLD, NEW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
HORIZON = NEW - timedelta(hours=KEEP_HOURS)


def held_with(*ids: ShipmentId) -> HeldShipments:
    held = HeldShipments(10)
    for each in ids:
        merge(held, each, OLD)
    return held


def merge(held: HeldShipments, shipment_id: ShipmentId, at: datetime) -> None:
    (shipment,) = held.load([shipment_id])
    shipment.merge(decoded(tracked(shipment_id[1], at)))


def test_one_that_comes_back_is_not_forgotten_for_what_it_was() -> None:
    first, second = ("A", "1"), ("A", "2")
    held = held_with(first, second)
    hour = hour_of(NEW)
    # Hours pass at once, so that a new round begins before what the last one found is forgotten.
    found = [each for _ in range(3) for each in held.forgettable(hour, HORIZON, 2)]
    assert found == [first, second, first]
    held.forget(dict.fromkeys(found))
    merge(held, second, NEW)
    assert held.forgettable(hour, HORIZON, 2) == []
    (kept,) = held.load([second])
    assert kept.latest == NEW
