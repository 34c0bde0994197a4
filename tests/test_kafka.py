"""The client helpers, on a real broker and on what is none."""

import asyncio
import gc
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic, RecordsToDelete

from stream.kafka import clients as kafka
from stream.kafka.clients import (
    BrokerError,
    PartitionCount,
    TopicPartition,
    connected_admin,
    connected_consumer,
    end_offsets,
    partition_counts,
)
from stream.kafka.cluster import Cluster, bootstrap_servers
from tests.brokers import Broker

REFUSED = "kafka://127.0.0.1:1"


async def use_admin(broker: str) -> None:
    async with connected_admin(Cluster(broker=broker)) as admin:
        await admin.list_topics()


async def use_consumer(broker: str) -> None:
    async with connected_consumer(Cluster(broker=broker)) as consumer:
        await consumer.topics()


async def use_end_offsets(broker: str) -> None:
    await end_offsets(Cluster(broker=broker), [TopicPartition("any", 0)])


Use = Callable[[str], Coroutine[None, None, None]]
uses = pytest.mark.parametrize("use", [use_admin, use_consumer, use_end_offsets])


async def create(broker: Broker, topic: str, partitions: int) -> list[TopicPartition]:
    async with connected_admin(broker.cluster) as admin:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    return [TopicPartition(topic, number) for number in range(partitions)]


async def send(broker: Broker, partition: TopicPartition, *batches: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers(broker.url))
    await producer.start()
    try:
        for size in batches:
            batch = producer.create_batch()
            for number in range(size):
                batch.append(key=b"%d" % number, value=b"value", timestamp=None)
            await (await producer.send_batch(batch, partition.topic, partition=partition.partition))
    finally:
        await producer.stop()


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of what accepts connections and never answers, as a frozen broker does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"kafka://127.0.0.1:{server.getsockname()[1]}"


@asynccontextmanager
async def other_server(answer: bytes) -> AsyncIterator[str]:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@uses
async def test_a_refused_connection_is_one_line_at_once(use: Use, caplog: pytest.LogCaptureFixture) -> None:
    started = time.monotonic()
    with pytest.raises(BrokerError) as raised:
        await use(REFUSED)
    assert time.monotonic() - started < 1
    assert str(raised.value) == (
        "cannot reach a Kafka broker at 127.0.0.1:1: Connection refused; "
        "check that it is running and that the address is right"
    )
    assert not caplog.records


@uses
async def test_what_never_answers_is_given_up(
    use: Use, mute: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "CONNECT_TIMEOUT", 0.3)
    started = time.monotonic()
    with pytest.raises(BrokerError, match=r"no answer within 0\.3 s"):
        await use(mute)
    assert time.monotonic() - started < 1
    assert not caplog.records


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_what_is_no_broker_is_called_so(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with other_server(answer) as address:
        with pytest.raises(BrokerError, match="what answers there is no Kafka broker") as raised:
            await use_consumer(address)
    assert address in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not caplog.records


async def test_tls_where_there_is_none(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "CONNECT_TIMEOUT", 1.0)
    with pytest.raises(BrokerError, match="it has no TLS; give its port for TLS, or set `security_protocol` to plain"):
        async with connected_admin(Cluster(broker=broker.url, security_protocol="ssl")):
            pass


async def test_a_host_without_an_address() -> None:
    with pytest.raises(BrokerError, match=r"nowhere\.invalid:9092: .*not known"):
        await use_admin("kafka://nowhere.invalid")


async def test_one_server_that_answers_is_enough(broker: Broker, mute: str) -> None:
    started = time.monotonic()
    await use_consumer(",".join([REFUSED, *bootstrap_servers(mute), *bootstrap_servers(broker.url)]))
    assert time.monotonic() - started < 3


async def test_kafka_errors_inside_become_one_line(broker: Broker, prefix: str) -> None:
    mine, other = await create(broker, f"{prefix}errors", 2)

    async def commit_what_is_not_assigned() -> None:
        async with connected_consumer(broker.cluster, group=prefix) as consumer:
            consumer.assign([mine])
            await consumer.commit({other: 1})

    with pytest.raises(BrokerError, match=r"failed: IllegalStateError: Partition .* is not assigned") as raised:
        await commit_what_is_not_assigned()
    assert bootstrap_servers(broker.url)[0] in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_other_errors_inside_stay_what_they_are(broker: Broker) -> None:
    with pytest.raises(ZeroDivisionError):
        async with connected_admin(broker.cluster), connected_consumer(broker.cluster):
            raise ZeroDivisionError


@uses
async def test_nothing_is_left_behind(use: Use, broker: Broker, prefix: str) -> None:
    if use is use_end_offsets:
        await end_offsets(broker.cluster, await create(broker, f"{prefix}left", 1))
    else:
        await use(broker.url)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@uses
async def test_a_cancelled_client_leaves_nothing_behind(use: Use, broker: Broker) -> None:
    # Wherever it is cancelled: aiokafka alone forgets its bootstrap connection.
    for turns in range(60):
        task = asyncio.create_task(use(broker.url))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert asyncio.all_tasks() == {asyncio.current_task()}
    # A connection that nobody closed would say so, and warnings are errors.
    gc.collect()


async def test_a_frozen_broker_does_not_hold_up_the_end(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def forever(self: AIOKafkaConsumer) -> None:
        await stop(self)
        await asyncio.sleep(3600)

    stop = AIOKafkaConsumer.stop
    monkeypatch.setattr(AIOKafkaConsumer, "stop", forever)
    monkeypatch.setattr(kafka, "CLOSE_TIMEOUT", 0.2)
    await use_consumer(broker.url)
    assert "was not closed cleanly" in caplog.text


async def test_end_offsets_are_the_real_ends(broker: Broker, prefix: str) -> None:
    batch, empty, batches = partitions = await create(broker, f"{prefix}ends", 3)
    await send(broker, batch, 100)
    await send(broker, batches, 1, 50)
    assert await end_offsets(broker.cluster, partitions) == {batch: 100, empty: 0, batches: 51}


async def test_end_offsets_in_another_thread_and_loop(broker: Broker, prefix: str) -> None:
    (partition,) = await create(broker, f"{prefix}thread", 1)
    await send(broker, partition, 7)
    here = end_offsets(broker.cluster, [partition])
    there = asyncio.to_thread(lambda: asyncio.run(end_offsets(broker.cluster, [partition])))
    assert list(await asyncio.gather(here, there)) == [{partition: 7}, {partition: 7}]


async def test_end_offsets_of_nothing() -> None:
    assert await end_offsets(Cluster(broker=REFUSED), []) == {}


async def test_end_offsets_of_what_does_not_exist(broker: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (partition,) = await create(broker, f"{prefix}one", 1)
    monkeypatch.setattr(kafka, "END_OFFSETS_TIMEOUT", 0.5)
    with pytest.raises(BrokerError, match=f"did not give the end of every partition of {prefix}one within 0.5 s"):
        await end_offsets(broker.cluster, [partition, TopicPartition(partition.topic, 5)])


@pytest.mark.kafka_only(reason="it deletes no records")
async def test_end_offsets_where_the_first_records_are_gone(broker: Broker, prefix: str) -> None:
    some, all_of_them = partitions = await create(broker, f"{prefix}gone", 2)
    await send(broker, some, 10)
    await send(broker, all_of_them, 10)
    async with connected_admin(broker.cluster) as admin:
        await admin.delete_records({some: RecordsToDelete(4), all_of_them: RecordsToDelete(10)})
    assert await end_offsets(broker.cluster, partitions) == {some: 10, all_of_them: 10}


async def test_partition_counts(broker: Broker, prefix: str) -> None:
    await create(broker, f"{prefix}three", 3)
    async with connected_admin(broker.cluster) as admin:
        counts = await partition_counts(admin)
    assert counts[f"{prefix}three"] == PartitionCount(3, 3)
    assert f"{prefix}other" not in counts
