"""The job in plain Faust: an agent per topic, ``faust.Record`` models, a table of shipments and one of counts.

Memory store, changelogs on. One event at a time, as Faust's guide has it: every change of a table is a record in its
changelog. Windows are counts per day inside a scope's value, for a hopping table of 30 days by the day would write 30
keys and 30 changelog records per change.
"""

import json
from collections.abc import Mapping
from typing import Optional

import faust
from faust.types import StreamT

from tests.benchmarks.peers.job import Job, add, is_below, is_valid, sums


class OrderShipped(faust.Record, serializer="json"):
    event_id: str
    event_time: str
    seller_id: str
    order_id: str
    shipment_id: str
    marketplace: str
    category: str
    shipped_at: str
    fulfilled_by: str = "merchant"
    carrier: Optional[str] = None  # noqa: UP045 - Faust reads no other form of it


class TrackingUploaded(faust.Record, serializer="json"):
    event_id: str
    event_time: str
    seller_id: str
    shipment_id: str
    tracking_number: Optional[str] = None  # noqa: UP045
    carrier: Optional[str] = None  # noqa: UP045


class Shipment(faust.Record, serializer="json", include_metadata=False):
    """``day`` is empty until the shipment has shipped. Versions tell an event from a later one."""

    order_id: str = ""
    marketplace: str = ""
    category: str = ""
    day: str = ""
    is_merchants: bool = True
    carrier: Optional[str] = None  # noqa: UP045
    shipped_version: str = ""
    number: Optional[str] = None  # noqa: UP045
    number_carrier: Optional[str] = None  # noqa: UP045
    tracked_version: str = ""

    def validity(self) -> bool | None:
        """Valid, a defect, or None where it does not count."""
        if not self.day or not self.is_merchants:
            return None
        return is_valid(self.number, self.number_carrier or self.carrier, self.order_id)


class Counts(faust.Record, serializer="json", include_metadata=False):
    """Counted and valid shipments of a scope per day, and whether it is below the threshold."""

    days: dict[str, list[int]]
    is_below: bool = False


class Alert(faust.Record, serializer="json"):
    scope: str
    counted: int
    valid: int
    event_time: str


def changelogs(job: Job) -> tuple[str, ...]:
    """The changelog topics."""
    return f"{job.group}-shipments-changelog", f"{job.group}-counts-changelog"


def create_app(job: Job) -> faust.App:
    """The app; start it with a ``faust.Worker``."""
    app = faust.App(
        job.group,
        broker=f"kafka://{job.broker}",
        store="memory://",
        topic_partitions=job.partitions,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        # With Faust's own 60 s a group on the embedded broker takes half of it to begin.
        broker_rebalance_timeout=6.0,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        web_enabled=False,
        autodiscover=False,
        origin="tests.benchmarks.peers",
        datadir=job.data_dir,
    )
    shipped_topic = app.topic(job.shipped_topic, key_type=str, value_type=OrderShipped)
    uploaded_topic = app.topic(job.uploaded_topic, key_type=str, value_type=TrackingUploaded)
    alerts_topic = app.topic(job.alerts_topic, key_type=str, value_type=Alert)
    shipments = app.Table("shipments", key_type=str, value_type=Shipment, partitions=job.partitions)
    counts = app.Table("counts", key_type=str, value_type=Counts, partitions=job.partitions)

    @app.agent(shipped_topic)
    async def on_shipped(events: StreamT[OrderShipped]) -> None:
        async for event in events:
            key = f"{event.seller_id}|{event.shipment_id}"
            shipment = shipments.get(key) or Shipment()
            version = event.event_time + event.event_id
            if version <= shipment.shipped_version:
                continue
            before = shipment.validity()
            shipment.shipped_version = version
            shipment.order_id = event.order_id
            shipment.marketplace = event.marketplace
            shipment.category = event.category
            shipment.day = event.shipped_at[:10]
            shipment.is_merchants = event.fulfilled_by == "merchant"
            shipment.carrier = event.carrier
            shipments[key] = shipment
            await count(event.seller_id, shipment, before, event.event_time)

    @app.agent(uploaded_topic)
    async def on_uploaded(events: StreamT[TrackingUploaded]) -> None:
        async for event in events:
            key = f"{event.seller_id}|{event.shipment_id}"
            shipment = shipments.get(key) or Shipment()
            version = event.event_time + event.event_id
            if version <= shipment.tracked_version:
                continue
            before = shipment.validity()
            shipment.tracked_version = version
            shipment.number = event.tracking_number
            shipment.number_carrier = event.carrier
            shipments[key] = shipment
            await count(event.seller_id, shipment, before, event.event_time)

    async def count(seller: str, shipment: Shipment, before: bool | None, event_time: str) -> None:
        after = shipment.validity()
        if after == before:
            return
        change = ((after is not None) - (before is not None), bool(after) - bool(before))
        marketplace = f"{seller}|{shipment.marketplace}"
        for scope in (seller, marketplace, f"{marketplace}|{shipment.category}"):
            value = counts.get(scope) or Counts(days={})
            counted, valid = add(value.days, shipment.day, *change)
            was_below = value.is_below
            value.is_below = is_below(counted, valid)
            counts[scope] = value
            if value.is_below and not was_below:
                await alerts_topic.send(key=seller, value=Alert(scope, counted, valid, event_time))

    return app


def final_counts(changelog: Mapping[bytes, bytes]) -> dict[str, tuple[int, int]]:
    """Counted and valid of each scope, from the latest records of the changelogs."""
    rows = {key: json.loads(value) for key, value in changelog.items()}
    return {json.loads(key): sums(row["days"]) for key, row in rows.items() if "days" in row}


def run(job: Job) -> None:
    """Run a worker until SIGTERM."""
    faust.Worker(create_app(job), loglevel="WARNING").execute_from_commandline()
