"""Sends dead letters back to where they came from. Events are versioned facts, so sending one twice changes nothing."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from stream.dead_letters.check import Check
from stream.dead_letters.letter import Letter, resent_headers
from stream.kafka.clients import BrokerError, connected_admin, partition_counts
from stream.kafka.cluster import Cluster
from stream.topics import DEAD_LETTER_MAX_BYTES, require_topics

UNDER_WAY = 1_000
"""Letters sent and not yet acknowledged: the broker's batches are full, and memory stays small."""


class Planned(NamedTuple):
    """A letter, the partition it would go to, and why a worker would reject it again; None where it would take it."""

    letter: Letter
    partition: int
    problem: str | None


async def plan(letters: Sequence[Letter], check: Check, cluster: Cluster) -> list[Planned]:
    """What sending the letters would lead to. Raises :class:`~stream.topics.TopicError` where a source is gone."""
    async with connected_admin(cluster) as admin:
        counts = await partition_counts(admin)
    require_topics(sorted({letter.source.topic for letter in letters}), counts, cluster)
    return [
        Planned(letter, _partition(letter, counts[letter.source.topic].total), problem_of(letter, check))
        for letter in letters
    ]


def _partition(letter: Letter, count: int) -> int:
    """Where producers send the key to, so that a seller is whole in one partition."""
    if letter.key is None:
        return letter.source.partition % count
    partitions = list(range(count))
    return int(DefaultPartitioner()(letter.key, partitions, partitions))


def problem_of(letter: Letter, check: Check) -> str | None:
    """Why a worker would reject the letter again; None where it would take it."""
    if is_without_value(letter):
        return f"its value of {letter.dropped} bytes was dropped; it was {letter.source}"
    rejection = check.rejection(letter.key, letter.value)
    return None if rejection is None else f"{rejection.code}: {rejection.message}"


def is_without_value(letter: Letter) -> bool:
    """Whether there is nothing to send, because the letter's topic did not take the value."""
    return letter.dropped is not None and letter.value is None


async def resend(planned: Iterable[Planned], topic: str, cluster: Cluster) -> int:
    """Send letters of ``topic`` to their source topics, in their order, and wait until all are acknowledged.

    Returns how many they were. Raises :class:`~stream.kafka.probe.BrokerError`, which says how many were sent before.
    """
    sent = 0
    producer = AIOKafkaProducer(acks="all", max_request_size=DEAD_LETTER_MAX_BYTES, **cluster.client_options())
    under_way: list[asyncio.Future[object]] = []
    try:
        await producer.start()
        for letter, partition, _ in planned:
            headers = resent_headers(letter, topic)
            under_way.append(
                await producer.send(
                    letter.source.topic, letter.value, key=letter.key, partition=partition, headers=headers
                )
            )
            if len(under_way) >= UNDER_WAY:
                sent += await _acknowledged(under_way)
        return sent + await _acknowledged(under_way)
    except KafkaError as error:
        raise BrokerError(
            f"the Kafka broker at {cluster.broker} does not take a letter, after at least {sent} that it took: "
            f"{' '.join(str(error).split())}; sending them again changes nothing"
        ) from error
    finally:
        await producer.stop()


async def _acknowledged(under_way: list["asyncio.Future[object]"]) -> int:
    done = len(await asyncio.gather(*under_way))
    under_way.clear()
    return done
