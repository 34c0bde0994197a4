"""Shipments as objects, and the round that looks for those to forget."""

from datetime import UTC, datetime

from stream.shipment import Shipment, hour_of
from stream.state import HeldShipments

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ID = ("A1", "1")


def held() -> HeldShipments:
    return HeldShipments(lambda shipment: hour_of(shipment.latest))


def take(shipments: HeldShipments, latest: datetime) -> Shipment:
    (shipment,) = shipments.load([ID])
    shipment.latest = latest
    return shipment


def test_what_is_old_is_forgotten() -> None:
    shipments = held()
    take(shipments, datetime(2026, 9, 1, tzinfo=UTC))
    assert shipments.forgettable(hour_of(NOW), NOW, 1) == [ID]
    shipments.forget({ID: None})
    assert list(shipments.scan()) == []


def test_what_comes_again_under_the_same_id_is_not_taken_for_the_one_before() -> None:
    """Where many hours pass at once, rounds go by more than once before anything they have found is forgotten."""
    shipments = held()
    shipments.load([("A1", "2")])[0].latest = NOW
    take(shipments, datetime(2026, 9, 1, tzinfo=UTC))
    found = [shipments.forgettable(hour_of(NOW), NOW, 2) for _ in range(3)]
    assert found == [[], [ID], []]
    shipments.forget({ID: None})  # in the middle of a round that has still to come to it
    again = take(shipments, NOW)
    again.latest = NOW
    assert shipments.forgettable(hour_of(NOW), NOW, 2) == []
    assert dict(shipments.scan())[ID] is again


def test_an_old_object_of_the_round_is_no_reason_to_forget_a_new_one() -> None:
    shipments = held()
    shipments.load([("A1", "2")])[0].latest = NOW
    take(shipments, datetime(2026, 9, 1, tzinfo=UTC))
    shipments.forgettable(hour_of(NOW), NOW, 2)
    shipments.forget({ID: None})
    take(shipments, NOW)
    assert shipments.forgettable(hour_of(NOW), NOW, 2) == []
