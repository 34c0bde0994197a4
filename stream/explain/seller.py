"""One seller's part of a history, for whatever is about one seller: nobody else's events matter to it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from stream.events import Event
from stream.explain.near import NotFoundError, no_seller
from stream.replay import Meter, Summary, usable_events


class SellerEvents(Struct, frozen=True):
    """The events of a seller in the order of the files, and the time of the last event of any seller.

    ``where`` says of what files, for people. ``elsewhere`` are other sellers who have the shipment that was asked for.
    """

    events: list[Event]
    last: datetime
    where: str
    elsewhere: set[str]


def read_seller(
    files: Sequence[str],
    seller_id: str,
    summary: Summary,
    *,
    as_of: datetime | None = None,
    shipment_id: str | None = None,
    meter: Meter | None = None,
) -> SellerEvents:
    """What history files up to ``as_of`` have of a seller; what could not be used is counted in ``summary``, and
    ``meter`` tells how far it came.

    Raises :class:`~stream.explain.near.NotFoundError` and :class:`~stream.replay.errors.ReplayError`.
    """
    own: list[Event] = []
    sellers: set[str] = set()
    elsewhere: set[str] = set()
    last: datetime | None = None
    for events in usable_events(files, summary, as_of, meter=meter):
        if not events:
            continue
        sellers.update(event.seller_id for event in events)
        own += [event for event in events if event.seller_id == seller_id]
        elsewhere.update(event.seller_id for event in events if event.shipment_id == shipment_id)
        latest = max(event.event_time for event in events)
        last = latest if last is None else max(last, latest)
    later = f" (later events left out: {summary.after_as_of})" if summary.after_as_of else ""
    where = f"{', '.join(files)}{later}"
    if last is None:
        raise NotFoundError(f"there are no events in {where}")
    if not own:
        raise no_seller(seller_id, sellers, where)
    return SellerEvents(own, last, where, elsewhere - {seller_id})
