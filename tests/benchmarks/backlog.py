"""A worker on a full backlog, against a consumer that only reads and decodes it."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from stream.events import decode
from stream.feed import connected_feed
from stream.kafka import TopicPartition, end_offsets
from stream.settings import Settings, bootstrap_servers
from stream.simulator import Record
from stream.topics import create_topics
from tests.benchmarks.measure import Measurement, reaped
from tests.brokers import choose, running

POLL = 0.05
"""Seconds between two looks at how far a worker is: the error of a measurement."""


class Prepared:
    """A broker whose input topics hold the history."""

    def __init__(self, broker_name: str, url: str, partitions: int, events: int) -> None:
        self.broker_name = broker_name
        self._url = url
        self._partitions = partitions
        self._events = events
        self._numbers = count(1)

    def measurements(self) -> dict[str, Callable[[], Measurement]]:
        """The baseline first."""
        return {
            "aiokafka, read and decode (limit)": self._read_only,
            "worker, memory store": lambda: self._worker("memory"),
            "worker, RocksDB store": lambda: self._worker("rocksdb"),
        }

    def _inputs(self) -> list[TopicPartition]:
        return [TopicPartition(topic, p) for topic in Settings().input_topics for p in range(self._partitions)]

    def _read_only(self) -> Measurement:
        started, cpu = time.perf_counter(), time.process_time()
        asyncio.run(self._read())
        return Measurement(self._events, time.perf_counter() - started, time.process_time() - cpu, 0)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers(self._url), auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign(self._inputs())
        left = self._events
        while left:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=4000)).values():
                for record in records:
                    decode(record.value)
                left -= len(records)
        await consumer.stop()

    def _worker(self, store: str) -> Measurement:
        """From the worker's first committed offsets on: what comes before is Faust's start and the group's."""
        name = f"bench{next(self._numbers)}"
        settings = Settings(
            broker=self._url,
            partitions=self._partitions,
            group=name,
            metrics_topic=f"{name}-metrics",
            alerts_topic=f"{name}-alerts",
            dead_letters_topic=f"{name}-dead-letters",
        )
        asyncio.run(create_topics(settings))
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {
                "VTR_BROKER": self._url,
                "VTR_GROUP": name,
                "VTR_METRICS_TOPIC": settings.metrics_topic,
                "VTR_ALERTS_TOPIC": settings.alerts_topic,
                "VTR_DEAD_LETTERS_TOPIC": settings.dead_letters_topic,
                "VTR_STORE": store,
                "VTR_DATA_DIR": folder,
                "VTR_WEB_PORT": "0",
                "VTR_SESSION_TIMEOUT": "6",
                "VTR_LOG_LEVEL": "warning",
            }
            process = subprocess.Popen([sys.executable, "-m", "stream", "run"], env=environment)
            try:
                seconds = asyncio.run(self._until_done(settings, process))
            finally:
                process.terminate()
            return reaped(process, self._events, seconds)

    async def _until_done(self, settings: Settings, process: "subprocess.Popen[bytes]") -> float:
        changelog = [TopicPartition(settings.changelog_topic, p) for p in range(self._partitions)]
        ends = await end_offsets(self._url, self._inputs())
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers(self._url))
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers(self._url))
        await admin.start()
        await consumer.start()
        try:
            while not any((await consumer.end_offsets(changelog)).values()):
                if process.poll() is not None:
                    raise RuntimeError("the worker has ended")
                await asyncio.sleep(POLL)
            started = last = time.perf_counter()
            written = 0
            while True:
                now_written = sum((await consumer.end_offsets(changelog)).values())
                if now_written != written:
                    written, last = now_written, time.perf_counter()
                with contextlib.suppress(KeyError):
                    committed = await admin.list_consumer_group_offsets(settings.group)
                    if all(committed[tp].offset == end for tp, end in ends.items() if end):
                        return last - started
                await asyncio.sleep(POLL)
        finally:
            await consumer.stop()
            await admin.close()


@contextmanager
def prepared(records: Iterable[Record], partitions: int) -> Iterator[Prepared]:
    """Apache Kafka where it can be had, else the embedded broker, filled with the records."""
    with running(choose(os.environ).kinds[0]) as broker:
        settings = Settings(broker=broker.url, partitions=partitions)

        async def fill() -> int:
            await create_topics(settings)
            async with connected_feed(broker.url, settings) as feed:
                return await feed.send(records)

        yield Prepared(broker.name, broker.url, partitions, asyncio.run(fill()))
