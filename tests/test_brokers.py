"""The brokers that the other tests run on: what Kafka promises on each, and how a run chooses between them."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.embedded import EmbeddedBroker
from stream.kafka.cluster import bootstrap_servers
from tests.brokers import Broker, Choice, ChoiceError, KafkaNode, apache_kafka, choose

PROJECT = Path(__file__).parents[1]


async def create_topic(url: str, topic: str, partitions: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers(url))
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=1)])
        assert [error[:2] for error in answer.topic_errors] == [(topic, 0)]
    finally:
        await admin.close()


async def send_as_one_batch(url: str, partition: TopicPartition, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers(url)) as producer:
        batch = producer.create_batch()
        for value in values:
            assert batch.append(key=None, value=value, timestamp=None) is not None
        await (await producer.send_batch(batch, partition.topic, partition=partition.partition))


@asynccontextmanager
async def consumer_of(
    url: str, *topics: str, group: str | None = None, session_timeout_ms: int = 6_000
) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap_servers(url),
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=session_timeout_ms,
        heartbeat_interval_ms=300,
    )
    async with consumer:
        yield consumer


async def read(consumer: AIOKafkaConsumer, count: int) -> list[bytes]:
    return [(await consumer.getone()).value for _ in range(count)]


async def test_records_come_back_in_order(broker: Broker, prefix: str) -> None:
    topic = f"{prefix}records"
    await create_topic(broker.url, topic, partitions=2)
    sent = [f"value {number}".encode() for number in range(10)]
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers(broker.url)) as producer:
        for value in sent:
            await producer.send_and_wait(topic, value, key=b"a seller")
    async with consumer_of(broker.url, topic) as consumer:
        assert await read(consumer, 10) == sent


async def test_a_group_goes_on_where_it_committed(broker: Broker, prefix: str) -> None:
    topic, group = f"{prefix}records", f"{prefix}group"
    partition = TopicPartition(topic, 0)
    # A group's first member waits for half of it on the embedded broker. Its generation is 0 there, with which aiokafka
    # does not leave the group, so the second one waits for all of it. Apache Kafka allows no less than 6 s.
    session = 1_000 if broker.is_embedded else 6_000
    await create_topic(broker.url, topic)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers(broker.url)) as producer:
        for number in range(5):
            await producer.send_and_wait(topic, b"%d" % number)
    async with consumer_of(broker.url, topic, group=group, session_timeout_ms=session) as consumer:
        assert await read(consumer, 3) == [b"0", b"1", b"2"]
        await consumer.commit({partition: 3})
    async with consumer_of(broker.url, topic, group=group, session_timeout_ms=session) as consumer:
        assert await consumer.committed(partition) == 3
        assert await read(consumer, 2) == [b"3", b"4"]


async def test_the_end_of_a_partition(broker: Broker, prefix: str) -> None:
    """Code that reads "to the end" relies on the high watermark of a fetch, because only that is right on both."""
    partition = TopicPartition(f"{prefix}records", 0)
    await create_topic(broker.url, partition.topic)
    await send_as_one_batch(broker.url, partition, [b"%d" % number for number in range(100)])
    async with consumer_of(broker.url) as consumer:
        consumer.assign([partition])
        # The embedded broker means the end of the last batch's first record.
        assert await consumer.end_offsets([partition]) == {partition: 1 if broker.is_embedded else 100}
        await consumer.getone()
        assert consumer.highwater(partition) == 100


@pytest.mark.kafka_only(reason="asking the embedded broker for a topic by its name creates it")
async def test_a_topic_nobody_declared_does_not_appear(broker: Broker, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers(broker.url))
    await admin.start()
    try:
        (topic,) = await admin.describe_topics([f"{prefix}undeclared"])
        assert topic["error_code"] == 3
        assert f"{prefix}undeclared" not in await admin.list_topics()
    finally:
        await admin.close()


@pytest.mark.kafka_only(reason="the embedded broker keeps nothing")
async def test_a_killed_kafka_node_goes_on_with_what_it_stored(tmp_path: Path) -> None:
    partition = TopicPartition("records", 0)
    node = KafkaNode(tmp_path)
    with node:
        await create_topic(node.url, partition.topic)
        await send_as_one_batch(node.url, partition, [b"kept"])
        node.kill()
        assert node.pid is None
        node.start()
        async with consumer_of(node.url, partition.topic) as consumer:
            assert await read(consumer, 1) == [b"kept"]


def test_kafka_is_preferred() -> None:
    assert choose({}, lambda: None) == Choice(("kafka",))
    assert choose({"CI": "true"}, lambda: None) == Choice(("kafka",))
    assert choose({"VTR_TEST_BROKER": "kafka"}, lambda: None) == Choice(("kafka",))
    assert choose({"VTR_TEST_BROKER": "both"}, lambda: None) == Choice(("kafka", "embedded"))


def test_the_embedded_broker_stands_in_outside_ci() -> None:
    assert choose({}, lambda: "no java") == Choice(("embedded",), "no java")
    assert choose({"CI": "false"}, lambda: "no java") == Choice(("embedded",), "no java")


@pytest.mark.parametrize(
    "environ", [{"CI": "true"}, {"CI": "1", "VTR_TEST_BROKER": "auto"}, {"VTR_TEST_BROKER": "kafka"}]
)
def test_kafka_does_not_drop_out_silently(environ: dict[str, str]) -> None:
    with pytest.raises(ChoiceError, match="Apache Kafka cannot be had here: no java"):
        choose(environ, lambda: "no java")
    with pytest.raises(ChoiceError, match="Apache Kafka cannot be had here: no java"):
        choose({"VTR_TEST_BROKER": "both"}, lambda: "no java")


def test_the_embedded_broker_can_be_asked_for_in_ci() -> None:
    choice = choose({"CI": "true", "VTR_TEST_BROKER": "embedded"}, lambda: pytest.fail("nobody needs Kafka here"))
    assert choice == Choice(("embedded",), "VTR_TEST_BROKER=embedded")


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(ChoiceError, match="VTR_TEST_BROKER is 'redpanda'; expected one of auto, kafka, embedded, both"):
        choose({"VTR_TEST_BROKER": "redpanda"}, lambda: None)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """An empty PATH and an empty cache, and a way to put shell scripts on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def add(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return add


JAVA_17 = """echo 'openjdk version "17.0.15" 2025-04-15' >&2"""


def test_why_there_is_no_kafka(programs: Callable[[str, str], None]) -> None:
    assert apache_kafka.unavailable() == "no java on the PATH"
    programs("java", """echo 'java version "1.8.0_442"' >&2""")
    assert apache_kafka.unavailable() == "java is older than 17: 1.8.0_442"
    programs("java", JAVA_17)
    assert apache_kafka.unavailable() == "no mvn on the PATH to download Apache Kafka with"
    programs("mvn", "echo '[ERROR] no such artifact'\necho '[ERROR] [Help 1] somewhere'\nexit 1")
    assert apache_kafka.unavailable() == "Maven failed: no such artifact"


def test_jars_are_downloaded_once_and_whole(programs: Callable[[str, str], None], tmp_path: Path) -> None:
    count = 'echo x >> "$XDG_CACHE_HOME/calls"'
    make = 'for out; do :; done; out=${out#*=}; PATH=/usr/bin:/bin; mkdir "$out"; echo > "$out/kafka.jar"'
    programs("java", JAVA_17)
    programs("mvn", f"{count}; {make}; exit 1")
    assert apache_kafka.unavailable() == "Maven failed: no output"
    assert list((tmp_path / "cache/vtr-stream").glob("*/*.jar")) == []
    programs("mvn", f"{count}; {make}")
    assert apache_kafka.unavailable() is None
    assert apache_kafka.unavailable() is None
    assert len(list((tmp_path / "cache/vtr-stream").glob("kafka-*/*.jar"))) == 1
    assert (tmp_path / "cache/calls").read_text() == "x\n" * 2


LEFT_OUT = ("CI", "VTR_TEST_BROKER", "PYTEST_ADDOPTS")


def run_these_tests(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__, *arguments]
    return subprocess.run(
        command, cwd=PROJECT, env=inherited | environ, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_run_tells_what_ran_where() -> None:
    done = run_these_tests("-k", "in_order or declared or stored", VTR_TEST_BROKER="embedded")
    assert done.returncode == 0, done.stdout
    kafka = f"Apache Kafka {apache_kafka.version()}"
    assert f"brokers: {kafka}: 0 tests; {EmbeddedBroker.name}: 1 test\n" in done.stdout
    assert "Apache Kafka was not used: VTR_TEST_BROKER=embedded\n" in done.stdout
    reason = "asking the embedded broker for a topic by its name creates it"
    assert f"skipped on {EmbeddedBroker.name}: 1 test: Apache Kafka only: {reason}\n" in done.stdout
    assert f"skipped on {EmbeddedBroker.name}: 1 test: Apache Kafka only: the embedded broker keeps nothing\n" in (
        done.stdout
    )


def test_a_run_in_ci_fails_without_kafka(tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path), "JAVA_HOME": "", "CI": "true"}
    done = run_these_tests("-k", "in_order", **nowhere)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "CI is set, and Apache Kafka cannot be had here: no java on the PATH" in done.stderr + done.stdout
    done = run_these_tests("-k", "preferred", **nowhere)
    assert done.returncode == pytest.ExitCode.OK, "needs no broker, so none is missing"
