"""A seller whose events are made by hand, one shipment at a time."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from stream.events import Event, Money, OrderShipped, TrackingUploaded, encode
from stream.settings import Settings
from stream.simulator.tracking_numbers import dhl
from tests.worker.deployment import Deployment, Input

CATEGORY = "Home"
PLACEHOLDER = "N/A"

_ACCOUNT = 123_456


class Shop:
    """Makes records of one seller, whose parcels go from Germany to Germany with DHL: they count everywhere."""

    def __init__(self, settings: Settings, seller_id: str) -> None:
        self.seller_id = seller_id
        self._settings = settings

    @property
    def key(self) -> bytes:
        """The key of its records."""
        return self.seller_id.encode()

    def ships(self, number: int, at: datetime, **changes: object) -> Input:
        """Its parcel ``number`` leaves."""
        event = OrderShipped(
            event_id=f"{self.seller_id}-s{number}",
            event_time=at,
            seller_id=self.seller_id,
            order_id=self._order(number),
            marketplace="DE",
            shipped_at=at,
            category=CATEGORY,
            carrier="DHL",
            ship_method="Paket",
            order_value=Money(amount=Decimal("49.90"), currency="EUR"),
            ship_from="DE",
            ship_to="DE",
        )
        return self._record(self._settings.order_shipped_topic, replace(event, **changes))

    def tracks(self, number: int, at: datetime, **changes: object) -> Input:
        """It gives the parcel's tracking number, by default a good one."""
        event = TrackingUploaded(
            event_id=f"{self.seller_id}-t{number}",
            event_time=at,
            seller_id=self.seller_id,
            order_id=self._order(number),
            carrier="DHL",
            tracking_number=dhl(_ACCOUNT, number),
        )
        return self._record(self._settings.tracking_uploaded_topic, replace(event, **changes))

    def sends(self, numbers: Iterable[int], at: datetime, tracking_number: str | None = None) -> list[Input]:
        """Parcels that leave and are tracked at once, well or with the same ``tracking_number`` for all."""
        changes: dict[str, object] = {} if tracking_number is None else {"tracking_number": tracking_number}
        records: list[Input] = []
        for number in numbers:
            records += [self.ships(number, at), self.tracks(number, at, **changes)]
        return records

    def _order(self, number: int) -> str:
        return f"028-{number:07d}-{self.seller_id}"

    def _record(self, topic: str, event: Event) -> Input:
        return Input(topic, self.key, encode(event))


def shop_in(deployment: Deployment, partition: int) -> Shop:
    """A seller whose events producers send to that partition."""
    shops = (Shop(deployment.settings, f"A{number}SELLER") for number in range(1000))
    return next(shop for shop in shops if deployment.partition_of(shop.key) == partition)
