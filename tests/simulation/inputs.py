"""The events of a seed: small crowded histories whose scopes change their status, and among them what cannot be used.

The backlog covers four days; what comes while workers run has the clock's time, or is late by hours, or by so much
that no window needs it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Literal, NamedTuple

import msgspec
from aiokafka import TopicPartition

from stream.events import Event, Rejection, decode
from stream.settings import Settings

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

BACKLOG_HOURS = 96
TOO_LATE = timedelta(days=75)
"""Older than anything that is kept."""

DUPLICATES, DISORDER, POISON = 0.05, 0.1, 0.03
"""Shares of the records."""

NUMBERS = ("00340434161094042557",) * 5 + ("1Z999AA10123456784",) * 3 + ("N/A", "0000000000", None)

Kind = Literal["good", "poison", "too late"]


class Input(NamedTuple):
    """A record to come."""

    tp: TopicPartition
    key: bytes
    value: bytes
    kind: Kind


class Later(NamedTuple):
    """An input that comes so many seconds after the workers have begun."""

    at: float
    input: Input


@dataclass
class Inputs:
    """All records of a seed."""

    backlog: list[Input]
    later: list[Later]

    def good(self) -> list[Event]:
        """The events that count."""
        found = []
        for each in (*self.backlog, *(later.input for later in self.later)):
            if each.kind == "good":
                event = decode(each.value)
                assert not isinstance(event, Rejection), event
                found.append(event)
        return found


def inputs(random: Random, settings: Settings, partitions: int, start: datetime, seconds: float) -> Inputs:
    """A history up to ``start``, and what comes in the ``seconds`` after it."""
    makers = [_Seller(random, settings, number, number % partitions, start) for number in range(partitions + 1)]
    timed = [each for maker in makers for each in maker.history()]
    backlog = [each for _, each in sorted((each for each in timed if each[0] <= start), key=_time_and_place)]
    backlog = _disordered(random, _with_poison(random, backlog, makers))
    later = [Later(random.uniform(0, seconds), each) for maker in makers for each in maker.live(random.randint(2, 5))]
    later += [
        Later(random.uniform(0, seconds), each)
        for maker in makers
        for each in (maker.too_late(), maker.poison(random.randrange(5)))
        if random.random() < 0.5
    ]
    return Inputs(backlog, sorted(later, key=lambda each: each.at))


def _time_and_place(timed: tuple[datetime, Input]) -> tuple[datetime, TopicPartition, bytes]:
    return timed[0], timed[1].tp, timed[1].value


def _with_poison(random: Random, records: list[Input], makers: "list[_Seller]") -> list[Input]:
    mixed = []
    for record in records:
        mixed.append(record)
        if random.random() < POISON:
            mixed.append(random.choice(makers).poison(random.randrange(5)))
        if random.random() < DUPLICATES:
            mixed.append(random.choice(mixed))
    return mixed


def _disordered(random: Random, records: list[Input]) -> list[Input]:
    for place in range(len(records) - 1):
        if random.random() < DISORDER:
            other = min(len(records) - 1, place + random.randint(1, 8))
            records[place], records[other] = records[other], records[place]
    return records


class _Seller:
    """Makes the records of one seller."""

    def __init__(self, random: Random, settings: Settings, number: int, partition: int, start: datetime) -> None:
        self._random, self._settings, self._start = random, settings, start
        self._seller = f"S{number}"
        self._partition = partition
        self._shipments = random.randint(5, 12)
        self._quality = random.choice((0.3, 0.6, 0.9))
        self._events = 0

    def history(self) -> Iterator[tuple[datetime, Input]]:
        """Shipments and what becomes of them, with the times of the events. They may lie behind ``start``."""
        for number in range(self._shipments):
            at = self._start - self._random.uniform(0, BACKLOG_HOURS) * HOUR
            yield at, self._shipped(number, at)
            if self._random.random() < 0.15:
                moved = at + self._random.uniform(0, 20) * HOUR
                yield moved, self._shipped(number, at, event_time=moved)
            while self._random.random() < self._quality:
                at += self._random.choice((0.1, 3, 20, 30)) * self._random.random() * HOUR
                yield at, self._tracked(number, at)
            if self._random.random() < 0.2:
                yield at, self._scanned(number, at)

    def live(self, count: int) -> Iterator[Input]:
        """What comes about ``start``, some of it late."""
        for _ in range(count):
            number = self._random.randrange(self._shipments + 3)
            ago = self._random.choice((0, 0, 1, 30)) * self._random.random() * HOUR
            at = self._start - ago
            yield self._random.choice((self._shipped, self._tracked, self._tracked))(number, at)

    def too_late(self) -> Input:
        """A record of an age that no window needs."""
        number, at = self._random.randrange(self._shipments), self._start - TOO_LATE
        make = self._random.choice((self._shipped, self._tracked, self._scanned))
        return make(number, at)._replace(kind="too late")

    def poison(self, kind: int) -> Input:
        """A record that nobody can use."""
        good = self._shipped(self._random.randrange(self._shipments), self._start)
        fields = msgspec.json.decode(good.value)
        if kind == 0:
            return good._replace(value=good.value[:-5], kind="poison")
        if kind == 1:
            return good._replace(key=b"somebody else", kind="poison")
        if kind == 2:
            del fields["marketplace"]
        elif kind == 3:
            fields["type"] = "order-lost"
        else:
            fields["event_time"] = self._start + timedelta(days=20)
            fields["shipped_at"] = self._start + timedelta(days=20)
        return good._replace(value=msgspec.json.encode(fields), kind="poison")

    # --- Records -----------------------------------------------------------------------------------------------------

    def _shipped(self, number: int, at: datetime, event_time: datetime | None = None) -> Input:
        return self._record(
            self._settings.order_shipped_topic,
            type="order-shipped",
            event_time=event_time or at,
            order_id=f"order-{self._seller}-{number}",
            shipment_id=f"{number}",
            marketplace=self._random.choice(("DE", "DE", "UK")),
            category=self._random.choice(("Home", "Home", "Toys")),
            carrier="DHL",
            fulfilled_by="merchant" if self._random.random() < 0.9 else "marketplace",
            shipped_at=at,
            promised_delivery_by=at + self._random.choice((2, 5, -12)) * 24 * HOUR,
        )

    def _tracked(self, number: int, at: datetime) -> Input:
        return self._record(
            self._settings.tracking_uploaded_topic,
            type="tracking-uploaded",
            event_time=at,
            order_id=f"order-{self._seller}-{number}",
            shipment_id=f"{number}",
            carrier=self._random.choice(("DHL", "DHL", "GLS")),
            tracking_number=self._random.choice(NUMBERS),
        )

    def _scanned(self, number: int, at: datetime) -> Input:
        return self._record(
            self._settings.tracking_scanned_topic or "",
            type="tracking-scanned",
            event_time=at,
            shipment_id=f"{number}",
            milestone=self._random.choice(("carrier_received", "delivered")),
        )

    def _record(self, topic: str, **fields: object) -> Input:
        self._events += 1
        fields |= {"event_id": f"{self._seller}-{self._events}", "seller_id": self._seller}
        tp = TopicPartition(topic, self._partition)
        return Input(tp, self._seller.encode(), msgspec.json.encode(fields), "good")
