"""What a deployment knows of a seller's shipments, read from its changelog without taking part in it."""

import asyncio
from datetime import datetime, timedelta
from typing import NamedTuple

from aiokafka.partitioner import DefaultPartitioner

from stream.kafka.clients import TopicPartition, connected_admin, connected_consumer, end_offsets, partition_counts
from stream.kafka.cluster import Cluster
from stream.settings import Settings
from stream.shipment import EPOCH, Shipment
from stream.state.rows import (
    WATERMARK_KEY,
    CorruptShipmentError,
    shipment_key,
    split_key,
    unpack,
    unpack_watermark,
)
from stream.topics import TopicError, require_topics

STALL_TIMEOUT = 30.0
"""Seconds without a record after which a partition that is not read to its end is given up."""

POLL_MS = 500
"""How long to wait for records before looking at the position again: a compacted log can end without one."""


class SellerShipments(NamedTuple):
    """A seller's shipments by shipment id, each by its latest facts, from a ``partition`` of the changelog. ``reached``
    is the hour that the partition has reached, by which they are counted; None before the first."""

    shipments: dict[str, Shipment]
    reached: datetime | None
    partition: int


async def shipments_of_seller(settings: Settings, seller_id: str) -> SellerShipments:
    """The shipments of a seller that the deployment of these settings (``broker``, ``group``) keeps at this moment.

    Reads the one partition of the changelog that producers' partitioner gives the seller, joins no group and commits
    nothing. Raises :class:`~stream.topics.TopicError` where the changelog is missing or of another version, and
    :class:`~stream.kafka.probe.BrokerError` where the broker cannot be reached.
    """
    topic = settings.changelog_topic
    async with connected_admin(settings) as admin:
        existing = await partition_counts(admin)
    require_topics([topic], existing, settings)
    numbers = list(range(existing[topic].total))
    partition = TopicPartition(topic, DefaultPartitioner()(seller_id.encode(), numbers, numbers))
    rows = await _rows(settings, partition, shipment_key((seller_id, "")))
    watermark = rows.pop(WATERMARK_KEY, None)
    try:
        shipments = {key: unpack(key, value) for key, value in ((split_key(key), rows[key]) for key in sorted(rows))}
        reached = None if watermark is None else EPOCH + timedelta(hours=unpack_watermark(watermark))
    except CorruptShipmentError as error:
        raise TopicError(
            f"topic {topic} at {settings.broker} has rows that this version cannot read: {error}; "
            "use the version of its workers"
        ) from error
    by_id = {shipment_id: shipment for (_, shipment_id), shipment in shipments.items()}
    return SellerShipments(by_id, reached, partition.partition)


async def _rows(cluster: Cluster, partition: TopicPartition, prefix: bytes) -> dict[bytes, bytes]:
    """The latest rows of a changelog's partition whose keys begin like that, and the watermark's."""
    end = (await end_offsets(cluster, [partition]))[partition]
    wanted = (prefix, WATERMARK_KEY)
    rows: dict[bytes, bytes | None] = {}
    async with connected_consumer(cluster) as consumer:
        consumer.assign([partition])
        position = -1
        while position < end:
            async with asyncio.timeout(STALL_TIMEOUT):
                while (moved := await consumer.position(partition)) == position:
                    for record in (await consumer.getmany(timeout_ms=POLL_MS)).get(partition, ()):
                        if record.offset < end and (key := record.key or b"").startswith(wanted):
                            rows[key] = record.value
            position = moved
    return {key: value for key, value in rows.items() if value is not None}
