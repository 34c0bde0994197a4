"""Keeps a worker that was frozen past its session from publishing over its successor.

Frozen between computing a step and sending it (a paused machine, a stopped process), it goes on as if no time had
passed, with facts that are old by then: rows that would undo in the changelog what its successor has written since. So
nothing is sent unless the group has confirmed the worker so lately that nobody can have its partitions yet.

What is left is the moment between this look and the socket, some microseconds of every request. To close that as well
takes Kafka's transactions, one producer for each partition.
"""

import asyncio
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata


class NotOursError(Exception):
    """The partition may belong to another worker."""


class Member(Protocol):
    """A member of the group."""

    async def may_publish(self) -> bool:
        """Whether nobody else can have its partitions yet."""


class FencedProducer:
    """What a publisher needs of a producer, for as long as the partitions are ours."""

    def __init__(self, producer: AIOKafkaProducer, member: Member) -> None:
        self._producer = producer
        self._member = member

    def create_batch(self) -> BatchBuilder:
        """An empty batch."""
        return self._producer.create_batch()

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[RecordMetadata]":
        """Send a batch. Raises :class:`NotOursError`, and :class:`aiokafka.errors.KafkaError`."""
        if not await self._member.may_publish():
            raise NotOursError
        delivery: asyncio.Future[RecordMetadata] = await self._producer.send_batch(batch, topic, partition=partition)
        return delivery
