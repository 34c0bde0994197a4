"""Faust's Kafka transport, by the batch: an agent gets one message per fetched batch of a partition.

Faust hands an agent one record at a time, which costs more than processing the record. Here the value of a message
is the list of its batch's records and its offset is the last record's. What Faust does on top (streams, recovery,
rebalancing) goes by messages and so works unchanged; what it does by offsets the consumer overrides, each for the
reason given. ``tests/worker_units/`` holds each override against the version of Faust that is pinned.
"""

from typing import Any, ClassVar, Protocol

from faust.transport.drivers import aiokafka as driver
from faust.types.transports import ConsumerT, ProducerT

from stream.kafka.cluster import Cluster
from stream.worker.consumer import BatchConsumer
from stream.worker.session import SessionProducer


class Processing(Protocol):
    """What the consumer has to know of the processing of its batches."""

    def is_running(self) -> bool:
        """Whether all is restored and batches may begin."""

    async def pause(self) -> None:
        """Let no batch begin, and wait for those under way."""


class BatchTransport(driver.Transport):
    """Kafka by the batch."""

    def __init__(self, *args: Any, processing: Processing, cluster: Cluster, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.processing = processing
        self.cluster = cluster

    Consumer: ClassVar[type[ConsumerT]] = BatchConsumer
    Producer: ClassVar[type[ProducerT]] = SessionProducer
