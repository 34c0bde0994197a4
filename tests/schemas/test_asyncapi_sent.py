"""The AsyncAPI document describes the records that the worker sends."""

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import NamedTuple

from aiokafka import ConsumerRecord

from stream import records
from stream.events import Rejection, RejectionCode
from stream.state import MemoryStore
from stream.worker.dead_letters import DeadLetter, Headers, dead_letter
from stream.worker.publisher import Outgoing, Publisher
from tests.schemas.asyncapi import COMPONENTS, DEFAULTS, kafka, message, resolved
from tests.schemas.documents import example, validator


class Sent(NamedTuple):
    """A record as the worker hands it to Kafka's producer."""

    key: bytes | None
    value: bytes | None
    headers: dict[str, str]


class Batch:
    """Stands in for a producer's batch, and is never full."""

    def __init__(self) -> None:
        self.records: list[Sent] = []

    def append(self, *, key: bytes, value: bytes | None, headers: Headers, **_: object) -> object:
        self.records.append(Sent(key, value, {name: text.decode() for name, text in headers}))
        return self


class Producer:
    """Stands in for Kafka's producer, and keeps what is sent by topic."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Sent]] = {}

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> "asyncio.Future[SimpleNamespace]":
        self.sent.setdefault(topic, []).extend(batch.records)
        acknowledged: asyncio.Future[SimpleNamespace] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(SimpleNamespace(offset=partition))
        return acknowledged


async def published(outgoing: Outgoing) -> dict[str, list[Sent]]:
    producer = Producer()
    await Publisher(producer, DEFAULTS).publish(0, outgoing, MemoryStore())
    return producer.sent


def assert_documented(channel: str, name: str, sent: Sent) -> None:
    found = message(channel, name)
    headers = resolved(found["headers"])
    validator(headers).validate(sent.headers)
    assert sent.headers.keys() == headers.get("properties", {}).keys()
    assert sent.key is not None
    validator(resolved(kafka(found)["key"])).validate(json.loads(sent.key))
    validator(resolved(found["payload"])).validate(None if sent.value is None else json.loads(sent.value))


async def test_the_metrics_are_documented() -> None:
    metric = records.decode_metric(json.dumps(example("vtr-metric")).encode())
    sent = await published(Outgoing(gone=[metric.scope], metrics=[metric]))
    tombstone, value = sent[DEFAULTS.metrics_topic]
    assert_documented("vtrMetrics", "vtrMetric", value)
    assert_documented("vtrMetrics", "vtrMetricGone", tombstone)


async def test_the_alerts_are_documented() -> None:
    alert = records.decode_alert(json.dumps(example("vtr-alert")).encode())
    (sent,) = (await published(Outgoing(alerts=[alert])))[DEFAULTS.alerts_topic]
    assert_documented("vtrAlerts", "vtrAlert", sent)


def a_dead_letter() -> DeadLetter:
    source: ConsumerRecord[bytes | None, bytes | None] = ConsumerRecord(
        topic="order-shipped",
        partition=3,
        offset=104_729,
        timestamp=0,
        timestamp_type=0,
        key=b"A1EXAMPLE",
        value=b"{",
        checksum=None,
        serialized_key_size=9,
        serialized_value_size=1,
        headers=[("traceparent", b"00-1")],
    )
    return dead_letter(source, Rejection(RejectionCode.MALFORMED_JSON, "no end"), datetime(2026, 11, 1, tzinfo=UTC))


async def test_the_dead_letters_are_documented() -> None:
    (sent,) = (await published(Outgoing(dead_letters=[a_dead_letter()])))[DEFAULTS.dead_letters_topic]
    headers = COMPONENTS["schemas"]["deadLetterHeaders"]
    validator(headers).validate(sent.headers)
    assert sent.headers.keys() == {"traceparent", *headers["required"]}
    assert (sent.key, sent.value, sent.headers["traceparent"]) == (b"A1EXAMPLE", b"{", "00-1")


def test_a_dead_letter_without_its_value_is_documented() -> None:
    headers = COMPONENTS["schemas"]["deadLetterHeaders"]
    sent = {name: text.decode() for name, text in a_dead_letter().headers_without_value()}
    validator(headers).validate(sent)
    assert sent.keys() == {"traceparent", *headers["properties"]}
