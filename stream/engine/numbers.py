"""Which shipments of a seller have the same tracking number: what ``reused_number`` rests on.

Kept only where a policy makes a defect of it. A shipment takes part as long as it is kept, to the hour, so that the
answer does not hang on when it is swept away.
"""

from collections.abc import Mapping
from typing import NamedTuple

from stream.shipment import Shipment, ShipmentId

SellersNumber = tuple[str, str]
"""A seller and a number, in capitals without spaces and punctuation."""


class Use(NamedTuple):
    """A number on a shipment of an order."""

    number: SellersNumber
    order_id: str


def use_of(shipment: Shipment) -> Use | None:
    """The use that a shipment makes of its number; None where it has none, or was not shipped so far as is known."""
    shipped, tracking = shipment.shipped, shipment.tracking
    if shipped is None or tracking is None or tracking.tracking_number is None:
        return None
    return Use((shipped.seller_id, plain_number(tracking.tracking_number)), shipped.order_id)


def plain_number(number: str) -> str:
    """What of a number tells it from others: capitals, without spaces and punctuation."""
    return "".join(filter(str.isalnum, number.upper()))


class NumberIndex:
    """The numbers of a partition's shipments, and until when each shipment takes part."""

    def __init__(self) -> None:
        self._uses: dict[ShipmentId, Use] = {}
        self._orders: dict[SellersNumber, dict[ShipmentId, str]] = {}
        self._ends: dict[int, dict[ShipmentId, None]] = {}

    def is_reused(self, use: Use | None) -> bool:
        """Whether a shipment of another order has the number too."""
        return use is not None and any(order != use.order_id for order in self._orders.get(use.number, {}).values())

    def update(self, uses: Mapping[ShipmentId, Use | None]) -> dict[ShipmentId, bool]:
        """Take in the uses of these shipments. Returns the others that this has made reused (False: that were not
        before) or has made to be so no more (True)."""
        was: dict[SellersNumber, bool] = {}
        for shipment_id, use in uses.items():
            known = self._uses.get(shipment_id)
            if use == known:
                continue
            for each in (known, use):
                if each is not None:
                    was.setdefault(each.number, self._is_shared(each.number))
            if known is not None:
                del self._uses[shipment_id]
                del self._orders[known.number][shipment_id]
                if not self._orders[known.number]:
                    del self._orders[known.number]
            if use is not None:
                self._uses[shipment_id] = use
                self._orders.setdefault(use.number, {})[shipment_id] = use.order_id
        return {
            shipment_id: before
            for number, before in was.items()
            if self._is_shared(number) != before
            for shipment_id in self._orders.get(number, ())
            if shipment_id not in uses
        }

    def _is_shared(self, number: SellersNumber) -> bool:
        # Thousands may share what somebody types instead of a number, and the second one tells already.
        orders = iter(self._orders.get(number, {}).values())
        first = next(orders, None)
        return any(order != first for order in orders)

    def keep(self, shipment_id: ShipmentId, until: int) -> None:
        """The shipment takes part until this hour since 1970 UTC at least: then :meth:`take_ending` names it."""
        self._ends.setdefault(until, {})[shipment_id] = None

    def take_ending(self, hour: int) -> list[ShipmentId]:
        """The shipments that were to be kept until an hour that is over with this one, and still take part."""
        ending = {each: None for end in sorted(self._ends) if end <= hour for each in self._ends.pop(end)}
        return [shipment_id for shipment_id in ending if shipment_id in self._uses]
