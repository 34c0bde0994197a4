"""Events at a steady rate about parcels that are always the same ones, so that a worker's state has a size."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from time import monotonic

from aiokafka import AIOKafkaProducer

from stream.kafka.cluster import bootstrap_servers
from stream.settings import Settings
from tests.worker.deployment import Input
from tests.worker.shop import PLACEHOLDER, Shop

SELLERS = 100
PARCELS = 100
"""Of each seller. All of them fit into the worker's cache of shipments, which would else grow until it is full."""

POISON_EVERY = 1000

SLICE = 0.1
"""Seconds between two sends."""


class SteadyFeed:
    """Every parcel gets a number, then none that counts, then a number again: statuses change and alerts are said, and
    nothing is ever more."""

    def __init__(self, settings: Settings, rate: int) -> None:
        self.sent = 0
        self._settings = settings
        self._rate = rate
        self._shops = [Shop(settings, f"A{number}SOAK") for number in range(SELLERS)]
        self._task: asyncio.Task[None] | None = None

    def parcels(self) -> Iterator[Input]:
        """All of them leave."""
        at = datetime.now(UTC) - timedelta(days=1)
        return (shop.ships(number, at) for number in range(PARCELS) for shop in self._shops)

    def _changes(self) -> Iterator[Input]:
        for turn in count():
            for number in range(PARCELS):
                for shop in self._shops:
                    if (self.sent + 1) % POISON_EVERY == 0:
                        yield Input(self._settings.tracking_uploaded_topic, shop.key, b"poison")
                    # One parcel in ten is bad in every second turn: from breached to well and back.
                    is_bad = turn % 2 == 0 and number % 10 == 0
                    changes: dict[str, object] = {"tracking_number": PLACEHOLDER} if is_bad else {}
                    event_id = f"{turn:09d}-{number}"
                    yield shop.tracks(number, datetime.now(UTC), event_id=event_id, **changes)

    async def flow(self) -> None:
        """Send until cancelled, at the rate whatever the broker's answers take."""
        changes = self._changes()
        async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers(self._settings.broker)) as producer:
            began = monotonic()
            while True:
                due = int((monotonic() - began) * self._rate)
                while self.sent < due:
                    record = next(changes)
                    await producer.send(record.topic, record.value, key=record.key)
                    self.sent += 1
                await asyncio.sleep(SLICE)
