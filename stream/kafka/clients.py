"""Small helpers around aiokafka that every Kafka client here shares.

aiokafka is a good client and a poor messenger: what does not answer becomes a wait of 40 s, an error log per
attempt or a traceback. Here it becomes one :class:`BrokerError` within seconds.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from types import TracebackType
from typing import Literal, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from stream.kafka.cluster import ClientOptions, Cluster
from stream.kafka.entry import check_entry
from stream.kafka.probe import BrokerError, RefusedError, answering_server
from stream.settings_error import SettingsError

__all__ = [
    "OF_CONNECTIONS",
    "BrokerError",
    "PartitionCount",
    "RefusedError",
    "TopicPartition",
    "connected_admin",
    "connected_consumer",
    "end_offsets",
    "is_connected",
    "is_cut_off",
    "partition_counts",
    "topic_configs",
    "why_shut_out",
]

CONNECT_TIMEOUT = 5.0
"""Seconds in which a broker must have answered. A live one does in milliseconds, one far away within a second."""

CLOSE_TIMEOUT = 3.0
"""Seconds a client may take to say goodbye. With a frozen broker aiokafka would wait for 40."""

END_OFFSETS_TIMEOUT = 15.0
"""Seconds in which the end of every partition must be known; leaves time for the election of a new leader."""

SESSION_TIMEOUT_MS = 10_000
"""After how long without a heartbeat the broker gives a group member's partitions to the others. Shorter, and a
member whose event loop is blocked loses them often; longer, and those of a crashed one wait. On the embedded broker
joining a group always takes half of it."""

MAX_POLL_INTERVAL_MS = 3_600_000
"""How long a group member may take over the records it has in hand. An hour, for hundreds of them may each cost a
call to somewhere else; a member that is dead is told by its heartbeats."""

RETRY_BACKOFF_MS = 500
"""aiokafka logs an error per attempt; at its own 100 ms, a broker's restart would fill the log."""

OF_CONNECTIONS = ("Unable connect to", "Unable to update metadata", "Failed fetch messages from")
"""How it begins what aiokafka logs of a broker that is away, several times a second, by each of its tasks."""

logger = logging.getLogger(__name__)


class PartitionCount(NamedTuple):
    """How many partitions a topic has, and how many of them can be used, because they have a leader."""

    total: int
    with_leader: int


@asynccontextmanager
async def connected_admin(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client of ``cluster``, closed at the end.

    Raises :class:`BrokerError` within seconds where no broker answers (:data:`CONNECT_TIMEOUT`) or lets us in, and also
    in place of every Kafka error and timeout inside the ``async with``. Raises
    :class:`~stream.settings_error.SettingsError` where a file of certificates cannot be used.
    """
    with _one_line(cluster):
        options = await _reachable(cluster)
        admin = AIOKafkaAdminClient(request_timeout_ms=int(CONNECT_TIMEOUT * 1000), **options)
        try:
            await _undivided(admin.start(), CONNECT_TIMEOUT)
            yield admin
        finally:
            await _finish(admin.close(), cluster)


class connected_consumer(AbstractAsyncContextManager[AIOKafkaConsumer]):  # noqa: N801 - reads as a function
    """A consumer without topics yet: call its ``assign``, or its ``subscribe`` to share the topics with ``group``.

    It commits nothing by itself. ``reset`` is where it starts in a partition without a position, or whose position
    is gone: by default at the first record, for reading twice is better than skipping; with ``none`` a position that is
    gone is an error, :class:`aiokafka.errors.OffsetOutOfRangeError`. ``fetch_max_wait_ms`` is how
    long a broker waits for new records before it answers that there are none; it sends records at once. Raises as
    :func:`connected_admin` does.

    A class, because asyncio closes the generators that are left at its end all at once, whoever waits for whom; a
    subscription is one, and must not have this one inside.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        group: str | None = None,
        reset: Literal["earliest", "latest", "none"] = "earliest",
        fetch_max_wait_ms: int = 500,
    ) -> None:
        self._cluster = cluster
        self._options = {"group_id": group, "auto_offset_reset": reset, "fetch_max_wait_ms": fetch_max_wait_ms}

    async def __aenter__(self) -> AIOKafkaConsumer:
        with _one_line(self._cluster):
            options = await _reachable(self._cluster)
            self._consumer = AIOKafkaConsumer(
                enable_auto_commit=False,
                session_timeout_ms=SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=SESSION_TIMEOUT_MS // 3,
                max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
                retry_backoff_ms=RETRY_BACKOFF_MS,
                **options,
                **self._options,
            )
            try:
                await _undivided(self._consumer.start(), CONNECT_TIMEOUT)
            except BaseException:
                await self._close()
                raise
        return self._consumer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()
        if error is not None and (one_line := _translated(self._cluster, error)):
            raise one_line from error

    async def _close(self) -> None:
        coordinator = self._consumer._coordinator
        if hasattr(coordinator, "generation"):  # It has joined a group, or tries to.
            if is_cut_off(self._consumer):
                coordinator.generation = -1  # Saying goodbye would wait for an answer.
            elif coordinator.generation == 0:
                # The embedded broker counts a group's generations from 0, Apache Kafka from 1, and aiokafka takes 0
                # for "never joined" and would not leave. The broker would wait for the lost member, and the group's
                # next one for three times its session timeout.
                coordinator.generation = 1
        await _finish(_stop(self._consumer), self._cluster)


def is_cut_off(consumer: AIOKafkaConsumer) -> bool:
    """Whether ``consumer`` gets no more answers, because the event loop shuts down.

    ``asyncio.run`` cancels all tasks at its end, aiokafka's own among them, and only then closes what was left open.
    Whoever is closed so late must ask for nothing: it would wait until a timeout.
    """
    task = consumer._client._sync_task
    return task is None or task.done() or task.cancelling() > 0


async def why_shut_out(cluster: Cluster) -> BrokerError | SettingsError | None:
    """What a client that begins now would raise; None where it comes in. For clients that are there already: to them a
    broker that no longer lets them in is one that is away."""
    try:
        with _one_line(cluster):
            await _reachable(cluster)
    except (BrokerError, SettingsError) as error:
        return error
    return None


def is_connected(consumer: AIOKafkaConsumer) -> bool:
    """Whether there is a connection to any broker."""
    return any(connection.connected() for connection in consumer._client._conns.values())


async def partition_counts(admin: AIOKafkaAdminClient) -> dict[str, PartitionCount]:
    """Every topic of the cluster and its partitions.

    All topics are asked for, because asking for one by its name creates it: on Apache Kafka unless
    ``auto.create.topics.enable`` is off, on the embedded broker always.
    """
    return {
        topic["topic"]: PartitionCount(
            len(topic["partitions"]), sum(partition["leader"] >= 0 for partition in topic["partitions"])
        )
        for topic in await admin.describe_topics()
        if topic["error_code"] == 0
    }


async def topic_configs(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str | None]:
    """How a topic is configured, by Kafka's names; empty where the broker does not say."""
    return {
        name: value
        for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        for *_, entries in response.resources
        for name, value, *_ in entries
    }


async def end_offsets(cluster: Cluster, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """The offset after the last record of each partition; 0 where there never was one.

    Not what ``AIOKafkaConsumer.end_offsets`` says: the embedded broker answers that question with the end of the
    last batch's FIRST record. What it answers is never past the end, though, and the high watermark in the answer
    to a fetch from there is right, on Apache Kafka as well. Uses a connection of its own, so it can be called from
    any event loop, and takes 10 to 200 ms. The partitions must exist. Raises :class:`BrokerError` where the broker
    does not answer, or not for every partition within :data:`END_OFFSETS_TIMEOUT` seconds.
    """
    if not partitions:
        return {}
    # The answer waited for is that there are no new records. Not 0 ms: there the embedded broker's answer lacks the
    # high watermark.
    async with connected_consumer(cluster, reset="latest", fetch_max_wait_ms=50) as consumer:
        try:
            async with asyncio.timeout(END_OFFSETS_TIMEOUT):
                consumer.assign(list(partitions))
                # The consumer seeks and fetches by itself, and tells nobody when it has. Nothing asks for the records.
                while any(consumer.highwater(partition) is None for partition in partitions):  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        except TimeoutError:
            topics = ", ".join(sorted({partition.topic for partition in partitions}))
            raise BrokerError(
                f"the Kafka broker at {_address(cluster)} did not give the end of every partition of {topics} within "
                f"{END_OFFSETS_TIMEOUT:g} s; check that they exist and have a leader"
            ) from None
        return {partition: consumer.highwater(partition) for partition in partitions}


def _address(cluster: Cluster) -> str:
    return ",".join(cluster.servers)


@contextmanager
def _one_line(cluster: Cluster) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if one_line := _translated(cluster, error):
            raise one_line from error
        raise


def _translated(cluster: Cluster, error: BaseException) -> BrokerError | None:
    if isinstance(error, KafkaError):
        # aiokafka's own sentences can go over many lines.
        return BrokerError(f"the Kafka broker at {_address(cluster)} failed: {' '.join(str(error).split())}")
    if isinstance(error, TimeoutError):
        return BrokerError(
            f"the Kafka broker at {_address(cluster)} does not answer in time; "
            "check that it is running and that the addresses it advertises can be reached from here"
        )
    return None


async def _stop(consumer: AIOKafkaConsumer) -> None:
    try:
        await consumer.stop()
    except (KafkaError, asyncio.CancelledError):
        # It cancels its tasks and trips over one that is cancelled, such as one that waits for a broker that is away.
        # What it did not come to, then, is its connections.
        if consumer._fetcher is not None:
            with suppress(asyncio.CancelledError):
                await consumer._fetcher.close()
        await consumer._client.close()


async def _finish(closing: Coroutine[None, None, None], cluster: Cluster) -> None:
    try:
        await _undivided(closing, CLOSE_TIMEOUT)
    except (KafkaError, TimeoutError) as error:
        logger.warning("the connection to %s was not closed cleanly: %r", _address(cluster), error)


async def _undivided(work: Coroutine[None, None, None], seconds: float) -> None:
    """Does ``work`` and lets itself be cancelled only afterwards: half-way, aiokafka forgets to close connections.

    Raises TimeoutError where the work is not done after ``seconds``.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=seconds)
        if task.done() and not task.cancelled():
            task.exception()  # Else it would be logged as one that nobody cared for.
        raise
    finally:
        task.cancel()
    if not task.done():
        raise TimeoutError(f"not done within {seconds:g} s")
    task.result()


async def _reachable(cluster: Cluster) -> ClientOptions:
    """What to make a client with that begins at a server which answers and lets us in. Raises :class:`BrokerError`."""
    options = cluster.client_options()
    server = await answering_server(cluster.servers, cluster, options.get("ssl_context"), CONNECT_TIMEOUT)
    await _undivided(check_entry(cluster, server, options, CONNECT_TIMEOUT), CONNECT_TIMEOUT)
    return options | {"bootstrap_servers": [server]}
