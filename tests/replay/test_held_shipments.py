"""The shipments of a replay: what is forgotten, and what is not."""

from datetime import timedelta

from stream.events import TrackingUploaded
from stream.shipment import EPOCH, HOUR, Shipment
from stream.state import HeldShipments

KEPT_HOURS = 10


def keep_until(shipment: Shipment) -> int:
    return int((shipment.latest - EPOCH).total_seconds()) // HOUR + KEPT_HOURS


def note(shipments: HeldShipments, shipment_id: str, hour: int) -> None:
    """A tracking number was given in that hour since 1970."""
    (shipment,) = shipments.load([("A1", shipment_id)])
    at = EPOCH + timedelta(hours=hour)
    shipment.merge(TrackingUploaded(event_id="e", event_time=at, seller_id="A1", tracking_number="1"))


def sweep(shipments: HeldShipments, hour: int, shares: int) -> list[str]:
    """Look at so many shares of one shipment each, and forget what may be."""
    old = [
        shipment_id
        for _ in range(shares)
        for shipment_id in shipments.forgettable(hour, EPOCH + timedelta(hours=hour - KEPT_HOURS + 1), 10)
    ]
    shipments.forget(dict.fromkeys(old))
    return [shipment_id for _, shipment_id in old]


def test_a_shipment_that_came_again_is_not_forgotten_for_the_one_before() -> None:
    shipments = HeldShipments(keep_until)
    for shipment_id in ("1", "2"):
        note(shipments, shipment_id, 0)
    # A round and the beginning of the next: what was forgotten in the first is still to come in the second.
    assert sweep(shipments, 20, 3) == ["1", "2", "1"]
    note(shipments, "2", 20)
    assert sweep(shipments, 21, 1) == []
    assert [shipment_id for (_, shipment_id), _ in shipments.scan()] == ["2"]
