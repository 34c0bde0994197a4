"""A new group, before its first worker: that nothing is there yet, and what its workers are to find.

Shipments, alerts and watermark are written in this order and acknowledged, and then offsets are committed. What cuts it
short leaves topics that are not empty, so that it is not gone on with by mistake.
"""

from collections.abc import Iterable, Mapping, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.kafka.clients import BrokerError, TopicPartition, connected_consumer, end_offsets
from stream.rebuild.places import Places
from stream.rebuild.state import State
from stream.records import Alert
from stream.settings import Settings
from stream.state import MemoryStore
from stream.state.rows import pack_watermark, shipment_key
from stream.topics import TopicError
from stream.worker.app import PRODUCER_BATCH_BYTES, PRODUCER_REQUEST_BYTES
from stream.worker.publisher import Outgoing, Publisher


async def require_new(settings: Settings, partitions: int) -> None:
    """Raises :class:`~stream.topics.TopicError` where the group has offsets, or its topics records, already."""
    topics = (settings.changelog_topic, settings.metrics_topic, settings.alerts_topic)
    outputs = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
    filled = {each.topic for each, end in (await end_offsets(settings, outputs)).items() if end > 0}
    if filled:
        raise TopicError(
            f"topics {', '.join(sorted(filled))} at {settings.broker} have records already, and a rebuilt deployment "
            "begins with new ones: give other names, or delete them and create them again with `vtr topics create`"
        )
    async with connected_consumer(settings, group=settings.group) as consumer:
        for each in _inputs(settings, partitions):
            if await consumer.committed(each) is not None:
                raise TopicError(
                    f"group {settings.group} at {settings.broker} has committed offsets already; give another group"
                )


async def write(settings: Settings, places: Places, state: State, alerts: Iterable[Alert]) -> int:
    """Write the state to the changelog and the alerts to their topic, each to its seller's partition.

    Returns how many shipments there are. Raises :class:`~stream.kafka.probe.BrokerError`.
    """
    steps = [Outgoing(watermark=pack_watermark(state.hour)) for _ in range(places.partitions)]
    for shipment_id, row in state.rows():
        steps[places.of(shipment_id[0])].rows[shipment_key(shipment_id)] = row
    for alert in alerts:
        steps[places.of(alert.seller_id)].alerts.append(alert)
    shipments = sum(len(outgoing.rows) for outgoing in steps)
    producer = AIOKafkaProducer(
        acks="all",
        max_batch_size=PRODUCER_BATCH_BYTES,
        max_request_size=PRODUCER_REQUEST_BYTES,
        **settings.client_options(),
    )
    try:
        await producer.start()
        publisher = Publisher(producer, settings)
        for number, outgoing in enumerate(steps):
            await publisher.publish(number, outgoing, MemoryStore())
        return shipments
    except KafkaError as error:
        raise BrokerError(
            f"the Kafka broker at {settings.broker} does not take the state: {' '.join(str(error).split())}"
        ) from error
    finally:
        await producer.stop()


async def commit(settings: Settings, partitions: int, ends: Mapping[TopicPartition, int]) -> None:
    """Let the group's workers begin at these offsets, and at the first record where there is none.

    Raises :class:`~stream.kafka.probe.BrokerError`, also where workers have started too early.
    """
    offsets = {each: ends.get(each, 0) for each in _inputs(settings, partitions)}
    async with connected_consumer(settings, group=settings.group) as consumer:
        consumer.assign(list(offsets))
        await consumer.commit(offsets)


def _inputs(settings: Settings, partitions: int) -> Sequence[TopicPartition]:
    return [TopicPartition(topic, number) for topic in settings.input_topics for number in range(partitions)]
