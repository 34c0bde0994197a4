"""Which shipments had a tracking number at an hour of event time.

As the engine's :class:`~stream.engine.numbers.NumberIndex`, but it answers whether or not the rules ask, and who the
others are.
"""

from typing import NamedTuple

from stream.engine.numbers import SellersNumber, Use


class Other(NamedTuple):
    """A shipment of another order with the same number."""

    order_id: str
    shipment_id: str


class Numbers:
    """The numbers of some shipments of one seller, by shipment id."""

    def __init__(self) -> None:
        self._uses: dict[str, Use] = {}
        self._users: dict[SellersNumber, dict[str, tuple[str, int]]] = {}
        """Per number the shipments that have it, their orders, and the hours until which they are kept."""

    def put(self, shipment_id: str, use: Use | None, until: int) -> None:
        """A shipment has this number now, and takes part until that hour since 1970 UTC."""
        known = self._uses.pop(shipment_id, None)
        if known is not None:
            del self._users[known.number][shipment_id]
        if use is not None:
            self._uses[shipment_id] = use
            self._users.setdefault(use.number, {})[shipment_id] = (use.order_id, until)

    def is_reused(self, shipment_id: str, hour: int) -> bool:
        """Whether a shipment of another order has the number of this one in ``hour``."""
        use = self._uses.get(shipment_id)
        return use is not None and any(
            order_id != use.order_id and until > hour for order_id, until in self._users[use.number].values()
        )

    def reused_until(self, shipment_id: str) -> int:
        """The hour in which the last of the others goes, if nothing more comes; 0 where there is none."""
        use = self._uses.get(shipment_id)
        if use is None:
            return 0
        others = self._users[use.number].values()
        return max((until for order_id, until in others if order_id != use.order_id), default=0)

    def others(self, shipment_id: str, hour: int) -> list[Other]:
        """The shipments of other orders with the number of this one in ``hour``, by order and shipment id."""
        use = self._uses.get(shipment_id)
        if use is None:
            return []
        return sorted(
            Other(order_id, other)
            for other, (order_id, until) in self._users[use.number].items()
            if order_id != use.order_id and until > hour
        )
