"""What is sent: a seeded, endless stream of events with every imperfection, each with what it must lead to.

Duplicates, reordering, late and too-late events and poison, in fixed shares. Times are near the clock, or so far from
any limit that it does not matter when a record is read: the watermark moves with real time, and is never on the edge.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from stream.events import Event, Money, OrderShipped, RejectionCode, TrackingScanned, TrackingUploaded, encode
from stream.settings import Settings
from stream.simulator.tracking_numbers import dhl
from tests.worker.deployment import Input

DUPLICATES, REORDERED, LATE, POISON = 0.05, 0.10, 0.01, 0.001
"""Shares of the records."""

TOO_LATE = 0.1
"""Share of the late ones that no window can use."""

SELLERS = 96
"""The oracle compares all shipments of a seller with each other, so many small ones are quicker than few large."""

HISTORY = 4_000
"""Shipments that are there before anything goes wrong: something to restore, and hours that have passed."""

HISTORY_SPAN = timedelta(days=33)
"""Longer than the live window, shorter than the 40 days for which facts are taken."""

WITHIN = 400
"""Records by which one may be late or come again; at the pace of the flow, some seconds."""

_CATEGORIES = ("Home", "Books", "Garden")
_LATE_BY = timedelta(hours=3), timedelta(days=25)
_TOO_LATE_BY = timedelta(days=80)
_AHEAD = timedelta(hours=5)
"""Of the clock, where an hour is allowed."""


class Sent(NamedTuple):
    """A record, and what it is: an event, or why it must become a dead letter."""

    record: Input
    event: Event | None
    code: RejectionCode | None = None


class Feed:
    """Events of some sellers, a third of which are in trouble until :attr:`is_repairing` is set."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.is_repairing = False
        """Whether what is in trouble gets better: then earlier defects are mended as well."""
        self.counts = dict.fromkeys(("records", "duplicates", "reordered", "late", "too late", "poison"), 0)
        self._settings = settings
        self._random = Random(seed)  # noqa: S311 - events, not secrets
        self._number = 0
        self._position = 0
        self._ahead: list[tuple[int, int, Sent]] = []
        """Records by the position at which they are sent."""
        self._defects: list[OrderShipped] = []

    def history(self, now: datetime) -> list[Sent]:
        """The past of the sellers, in order and whole."""
        random = self._random
        times = sorted(now - random.random() * HISTORY_SPAN for _ in range(HISTORY))
        return [
            sent for at in times for sent in self._order(min(at, now - timedelta(hours=1)), now, share_tracked=0.97)
        ]

    def take(self, count: int, now: datetime) -> list[Sent]:
        """The next records of the stream."""
        taken: list[Sent] = []
        while len(taken) < count:
            while not self._ahead or self._ahead[0][0] > self._position:
                self._draw(now)
            _, _, sent = heappop(self._ahead)
            self._position += 1
            taken.append(sent)
        self.counts["records"] += count
        return taken

    # --- Imperfections -----------------------------------------------------------------------------------------------

    def _draw(self, now: datetime) -> None:
        random = self._random
        if random.random() < POISON * 2.3:  # an order has 2.3 records on average
            self.counts["poison"] += 1
            self._place(self._poison(now), 0)
        at = now - timedelta(seconds=random.uniform(0, 30))
        is_late = random.random() < LATE
        if is_late:
            at -= random.uniform(*(span.total_seconds() for span in _LATE_BY)) * timedelta(seconds=1)
        if is_late and random.random() < TOO_LATE:
            for sent in self._order(now - _TOO_LATE_BY, now - _TOO_LATE_BY, share_tracked=0):
                self.counts["too late"] += 1
                self._place(sent._replace(event=None, code=RejectionCode.TOO_LATE), 0)
            return
        order = [*self._order(at, now), *self._repair(now)]
        for following, sent in enumerate(order):
            delay = following * random.randrange(20)
            self.counts["late"] += is_late
            if random.random() < REORDERED:
                self.counts["reordered"] += 1
                delay += random.randrange(1, WITHIN)
            self._place(sent, delay)
            if random.random() < DUPLICATES:
                self.counts["duplicates"] += 1
                self._place(sent, delay + random.choice((0, random.randrange(WITHIN))))

    def _place(self, sent: Sent, delay: int) -> None:
        self._number += 1
        heappush(self._ahead, (self._position + delay, self._number, sent))

    def _poison(self, now: datetime) -> Sent:
        random, settings = self._random, self._settings
        good = next(iter(self._order(now, now)))
        assert good.event is not None
        topic, key = good.record.topic, good.record.key
        code, value = random.choice(
            [
                (RejectionCode.MALFORMED_JSON, b'{"type":"order-shipped",%d' % random.getrandbits(64)),
                (RejectionCode.MISSING_FIELD, b'{"type":"order-shipped","event_id":"%d"}' % random.getrandbits(64)),
                (RejectionCode.UNKNOWN_TYPE, b'{"type":"order-eaten","event_id":"%d"}' % random.getrandbits(64)),
                (RejectionCode.EMPTY_VALUE, None),
                (RejectionCode.KEY_MISMATCH, encode(good.event)),
                (RejectionCode.FUTURE_EVENT, encode(replace(good.event, event_time=now + _AHEAD))),
            ]
        )
        if code is RejectionCode.KEY_MISMATCH:
            key = b"another " + (key or b"")
        if code is RejectionCode.EMPTY_VALUE:
            topic = random.choice(settings.input_topics)
        return Sent(Input(topic, key, value), None, code)

    # --- Shipments ---------------------------------------------------------------------------------------------------

    def _order(self, at: datetime, now: datetime, *, share_tracked: float = 0.95) -> Iterator[Sent]:
        """The records of a shipment that leaves at an instant."""
        random = self._random
        self._number += 1
        seller = random.randrange(SELLERS)
        shipped = OrderShipped(
            event_id=f"s{self._number}",
            event_time=at,
            seller_id=f"A{seller}CHAOS",
            order_id=f"028-{self._number:07d}-{seller:07d}",
            shipment_id=f"028-{self._number:07d}-{seller:07d}",
            marketplace=random.choice(("DE", "FR")) if seller % 2 else "DE",
            shipped_at=at,
            promised_delivery_by=at + timedelta(days=random.randrange(1, 8)),
            category=random.choice(_CATEGORIES),
            fulfilled_by="marketplace" if random.random() < 0.05 else "merchant",
            carrier="DHL",
            ship_method="Paket",
            order_value=Money(amount=Decimal("49.90"), currency="EUR"),
            ship_from="DE",
            ship_to="DE",
        )
        yield self._sent(shipped)
        if random.random() >= share_tracked:
            return  # pending at first, and a defect a day later
        is_bad = random.random() < (0.25 if seller % 3 == 0 and not self.is_repairing else 0.02)
        is_delivered = random.random() < 0.1
        if is_bad:
            self._defects.append(shipped)
        numbers = ("N/A", shipped.order_id, "0000000000") if is_bad else (self._good_number(shipped),)
        uploaded_at = at + timedelta(minutes=random.uniform(0, 20))
        yield self._upload(shipped, min(uploaded_at, now), random.choice(numbers))
        if is_delivered:
            # One in four before its number was entered, which makes that late; far from it either way.
            early = random.random() < 0.25
            yield self._sent(
                TrackingScanned(
                    event_id=f"d{self._number}",
                    event_time=at + timedelta(seconds=1),
                    seller_id=shipped.seller_id,
                    shipment_id=shipped.shipment_id,
                    carrier="DHL",
                    milestone="delivered",
                    scanned_at=at - timedelta(hours=2) if early else at + timedelta(hours=2),
                )
            )

    def _repair(self, now: datetime) -> Iterator[Sent]:
        if self.is_repairing and self._defects:
            random = self._random
            chosen = random.randrange(len(self._defects))
            self._defects[chosen], self._defects[-1] = self._defects[-1], self._defects[chosen]
            shipped = self._defects.pop()
            yield self._upload(shipped, now, self._good_number(shipped))

    def _upload(self, shipped: OrderShipped, at: datetime, number: str) -> Sent:
        self._number += 1
        return self._sent(
            TrackingUploaded(
                event_id=f"t{self._number:09d}",
                event_time=at,
                seller_id=shipped.seller_id,
                order_id=shipped.order_id,
                shipment_id=shipped.shipment_id,
                carrier="DHL",
                tracking_number=number,
                uploaded_at=at,
            )
        )

    def _good_number(self, shipped: OrderShipped) -> str:
        """The same for the same shipment, and for no other one of the seller."""
        return dhl(int(shipped.order_id[-7:]), int(shipped.order_id[4:11]))

    def _sent(self, event: OrderShipped | TrackingUploaded | TrackingScanned) -> Sent:
        settings = self._settings
        topics = {
            OrderShipped: settings.order_shipped_topic,
            TrackingUploaded: settings.tracking_uploaded_topic,
            TrackingScanned: settings.tracking_scanned_topic,
        }
        return Sent(Input(topics[type(event)], event.seller_id.encode(), encode(event)), event)
