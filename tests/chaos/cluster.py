"""Three brokers of Apache Kafka on loopback, and what they say of leaders, replicas and a group's members."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

from stream.embedded import free_port
from stream.kafka.clients import BrokerError, TopicPartition, connected_admin
from stream.kafka.cluster import Cluster as KafkaCluster
from tests.brokers import KafkaNode

NODES = 3

HEAP_MB = 320

LOOK_EVERY = 0.25

T = TypeVar("T")


class TooLateError(Exception):
    """What was to happen has not happened in time. The message says what."""


class Replicas(NamedTuple):
    """The brokers of a partition: the one that leads it, -1 for none, and those that have all of it."""

    leader: int
    in_sync: frozenset[int]


Members = dict[str, frozenset[int]]
"""The partitions of each member of a group, by the member's id."""


class Cluster:
    """The brokers. What they store is in ``folder``."""

    def __init__(self, folder: Path) -> None:
        ports: set[int] = set()
        while len(ports) < 2 * NODES:
            ports.add(free_port())
        own, controllers = list(ports)[:NODES], dict(enumerate(list(ports)[NODES:], start=1))
        self.nodes: dict[int, KafkaNode] = {}
        for number, port in enumerate(own, start=1):
            place = folder / f"broker-{number}"
            place.mkdir(parents=True)
            self.nodes[number] = KafkaNode(place, port=port, node_id=number, controllers=controllers, heap_mb=HEAP_MB)
        self.url = ",".join(node.url if number == 1 else node.url[8:] for number, node in self.nodes.items())

    def __enter__(self) -> Self:
        try:
            for node in self.nodes.values():
                node.launch()
            for node in self.nodes.values():
                node.wait_until_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for node in self.nodes.values():
            node.kill()  # nothing of it is wanted any more

    async def replicas(self, topics: tuple[str, ...]) -> dict[TopicPartition, Replicas]:
        """Where the partitions of topics are."""
        async with connected_admin(KafkaCluster(broker=self.url)) as admin:
            described = await admin.describe_topics(list(topics))
        return {
            TopicPartition(topic["topic"], partition["partition"]): Replicas(
                partition["leader"], frozenset(partition["isr"])
            )
            for topic in described
            for partition in topic["partitions"]
        }

    async def members(self, group: str, topic: str) -> Members | None:
        """Which partitions of a topic each member has; None while they are being dealt out."""
        async with connected_admin(KafkaCluster(broker=self.url)) as admin:
            (answer,) = await admin.describe_consumer_groups([group])
        (described,) = answer.groups
        if described[2] != "Stable":
            return None
        members = {}
        for member in described[5]:
            assignment = ConsumerProtocolMemberAssignment.decode(member[-1])
            dealt = dict(assignment.assignment)
            members[member[0]] = frozenset(dealt.get(topic, ()))
        return members


async def until(look: Callable[[], Awaitable[T | None]], seconds: float, what: str) -> T:
    """Look until there is something to see. Raises :class:`TooLateError`; a broker that is away is no news."""
    deadline = monotonic() + seconds
    last: object = None
    while monotonic() < deadline:
        try:
            seen = await look()
        except (BrokerError, KafkaError, OSError) as error:
            last = error
        else:
            if seen is not None and seen is not False:
                return seen
        await asyncio.sleep(LOOK_EVERY)
    raise TooLateError(f"{what}: not within {seconds:g} s" + (f"; last: {last!r}" if last else ""))
