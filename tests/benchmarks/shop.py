"""A seller whose events are made by hand, so that it is known what they do to his status."""

from datetime import datetime
from typing import NamedTuple

from stream.events import Event, OrderShipped, TrackingUploaded, encode
from stream.settings import Settings
from stream.simulator.tracking_numbers import dhl

PLACEHOLDER = "N/A"

_ACCOUNT = 123_456


class Message(NamedTuple):
    """A record to send."""

    topic: str
    key: bytes
    value: bytes


class Shop:
    """A seller whose parcels go from Germany to Germany with DHL: they count, and with a number of theirs are valid."""

    def __init__(self, settings: Settings, seller_id: str) -> None:
        self.seller_id = seller_id
        self.key = seller_id.encode()
        self._settings = settings

    def ships(self, parcel: int, at: datetime) -> Message:
        """A parcel leaves."""
        event = OrderShipped(
            event_id=f"{self.seller_id}-s{parcel}",
            event_time=at,
            seller_id=self.seller_id,
            order_id=self._order(parcel),
            marketplace="DE",
            category="Home",
            carrier="DHL",
            ship_method="Paket",
            ship_from="DE",
            ship_to="DE",
            shipped_at=at,
        )
        return self._message(self._settings.order_shipped_topic, event)

    def tracks(self, parcel: int, at: datetime, number: str | None = None) -> Message:
        """It gives a tracking number to the parcel, by default a good one."""
        event = TrackingUploaded(
            event_id=f"{self.seller_id}-t{parcel}",
            event_time=at,
            seller_id=self.seller_id,
            order_id=self._order(parcel),
            carrier="DHL",
            tracking_number=dhl(_ACCOUNT, parcel) if number is None else number,
        )
        return self._message(self._settings.tracking_uploaded_topic, event)

    def _order(self, parcel: int) -> str:
        return f"028-{parcel:07d}-{self.seller_id}"

    def _message(self, topic: str, event: Event) -> Message:
        return Message(topic, self.key, encode(event))
