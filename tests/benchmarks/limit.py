"""The limit: aiokafka's ``getmany`` and a typed msgspec decode of every value, and nothing else.

``python -m tests.benchmarks.limit BROKER EVENTS TOPIC PARTITIONS…``, each topic with its number of partitions.
"""

import asyncio
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.events import Event

DONE = "seconds and CPU seconds:"
"""What it writes before these two, from the first records that it gets to the last event that it decodes."""

BATCH = 4000
"""As many records at once as a worker takes by default."""


async def read(broker: str, events: int, partitions: list[TopicPartition]) -> None:
    """Read and decode that many events, say how long it took, and wait to be ended."""
    decode = msgspec.json.Decoder(Event).decode
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign(partitions)
    left, started, cpu = events, 0.0, 0.0
    while left:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=BATCH)).values():
            if left == events:
                started, cpu = time.perf_counter(), time.process_time()
            for record in records:
                decode(record.value)
            left -= len(records)
    print(f"{DONE} {time.perf_counter() - started} {time.process_time() - cpu}", flush=True)
    await consumer.stop()
    time.sleep(3600)  # noqa: ASYNC251 - whoever measures looks at it first, and ends it


if __name__ == "__main__":
    broker, count, *topics = sys.argv[1:]
    asyncio.run(
        read(
            broker,
            int(count),
            [
                TopicPartition(topic, partition)
                for topic, partitions in zip(topics[::2], topics[1::2], strict=True)
                for partition in range(int(partitions))
            ],
        )
    )
