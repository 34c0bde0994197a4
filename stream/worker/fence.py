"""Keeps a worker that was frozen past its session from publishing over its successor.

Frozen between computing a step and sending it (a paused machine, a stopped process), it goes on as if no time had
passed, with facts that are old by then: rows that would undo in the changelog what its successor has written since. So
no request leaves unless the group has confirmed the worker so lately that nobody can have its partitions yet.

The look is at the last place before the socket: aiokafka has one request at a time on its way to a broker, and what
comes meanwhile waits, for most of the time that publishing takes. What is left is a freeze between the look and the
socket, some microseconds of every request. To close that as well takes Kafka's transactions, one producer for each
partition.
"""

from collections.abc import Awaitable, Callable, Mapping

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import MessageBatch


class NotOursError(Exception):
    """The partition may belong to another worker."""


def fence(producer: AIOKafkaProducer, may_publish: Callable[[], Awaitable[bool]]) -> None:
    """Let the producer's requests, those that are tried again too, leave only where ``may_publish`` allows it.

    What is in others fails with :class:`NotOursError`.
    """
    sender = producer._sender
    send = sender._send_produce_req

    async def send_what_is_ours(node_id: int, batches: Mapping[TopicPartition, MessageBatch]) -> None:
        if await may_publish():
            await send(node_id, batches)
            return
        for batch in batches.values():
            batch.failure(NotOursError())
        # As aiokafka does when a request is over.
        sender._in_flight.remove(node_id)
        sender._muted_partitions.difference_update(batches)

    sender._send_produce_req = send_what_is_ours
