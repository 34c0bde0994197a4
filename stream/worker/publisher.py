"""Everything a batch leads to, sent and acknowledged in one order. This order is what at-least-once rests on:

1. tombstones of the metrics of scopes that are gone: after the changelog, no successor could know of them, and before
   it, whoever restores the scope publishes its metric again;
2. the shipments' changelog, then the store: the store is never ahead of what a successor can restore;
3. metrics, alerts and dead letters;
4. the watermark, to the changelog and the store: a successor that finds it need not pass the hours before it again,
   so what was to be said in them must have been said;
5. only then does the caller acknowledge the batch, and its offsets may be committed.

Wherever a crash cuts this, the successor reads the batch again, finds its facts known or not, passes the same hours,
and says what has not been said, under the same ids.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from msgspec import Struct, field

from stream.records import Alert, Metric, Scope, encode, encode_key
from stream.settings import Settings
from stream.state import Rows, Store
from stream.state.rows import WATERMARK_KEY
from stream.worker.dead_letters import DeadLetter

Header = tuple[str, bytes]
Headers = list[Header]


class Outgoing(Struct):
    """What a step of one partition leads to."""

    gone: list[Scope] = field(default_factory=list)
    rows: dict[bytes, bytes | None] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    watermark: bytes | None = None
    """The value of the watermark's row, where an hour has passed."""
    alerts: list[Alert] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)

    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.gone or self.rows or self.watermark or self.metrics or self.alerts or self.dead_letters)


_Record = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers."""

_NO_HEADERS: Headers = []

_SPEC_VERSION: Header = ("ce_specversion", b"1.0")
_METRIC_TYPE: Header = ("ce_type", b"vtr-metric")


class Publisher:
    """Sends to the topics of the settings, each record to the partition of the events it comes from."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings) -> None:
        self._producer = producer
        self._settings = settings
        self._source: Header = ("ce_source", f"/vtr/{settings.group}".encode())

    async def publish(self, partition: int, outgoing: Outgoing, store: Store) -> int | None:
        """Send and wait until all is acknowledged. Returns the offset of the last alert, None where there is none.

        Raises :class:`aiokafka.errors.KafkaError`: then nothing of the batch may be acknowledged.
        """
        settings = self._settings
        tombstones = [(encode_key(scope), None, _NO_HEADERS) for scope in outgoing.gone]
        await self._send(settings.metrics_topic, partition, tombstones)
        await self._send_rows(partition, outgoing.rows, store)
        _, last_alert, _ = await asyncio.gather(
            self._send(settings.metrics_topic, partition, map(self._metric, outgoing.metrics)),
            self._send(settings.alerts_topic, partition, map(self._alert, outgoing.alerts)),
            self._send_dead_letters(partition, outgoing.dead_letters),
        )
        if outgoing.watermark is not None:
            watermark = {WATERMARK_KEY: outgoing.watermark}
            store.write(watermark)
            await self._send_rows(partition, watermark, store)
        return last_alert

    async def _send_rows(self, partition: int, rows: Rows, store: Store) -> None:
        records = [(key, value, _NO_HEADERS) for key, value in rows.items()]
        offset = await self._send(self._settings.changelog_topic, partition, records)
        if offset is not None:
            store.persist(offset)

    def _metric(self, metric: Metric) -> _Record:
        key, value = encode_key((metric.seller_id, metric.marketplace, metric.category)), encode(metric)
        # One id for one content: a metric may change more than once at an instant of event time.
        event_id = blake2b(value, digest_size=16).hexdigest()
        return key, value, self._cloud_event(event_id, _METRIC_TYPE, metric.as_of)

    def _alert(self, alert: Alert) -> _Record:
        headers = self._cloud_event(alert.alert_id, ("ce_type", alert.type.encode()), alert.since)
        return encode_key(alert.scope), encode(alert), headers

    def _cloud_event(self, event_id: str, event_type: Header, time: datetime) -> Headers:
        return [_SPEC_VERSION, ("ce_id", event_id.encode()), event_type, self._source, _time(time)]

    async def _send_dead_letters(self, partition: int, letters: Sequence[DeadLetter]) -> None:
        topic = self._settings.dead_letters_topic
        records = [(letter.key, letter.value, letter.headers) for letter in letters]
        try:
            await self._send(topic, partition, records)
        except MessageSizeTooLargeError:
            # The broker takes less than the source topic did. The source's coordinates lead to the value.
            for record, letter in zip(records, letters, strict=True):
                try:
                    await self._send(topic, partition, [record])
                except MessageSizeTooLargeError:
                    await self._send(topic, partition, [(letter.key, None, letter.headers_without_value())])

    async def _send(self, topic: str, partition: int, records: Iterable[_Record]) -> int | None:
        """Send records in their order, in as few requests as they fit in. Returns the offset of the last one."""
        producer = self._producer
        deliveries = []
        batch, size = producer.create_batch(), 0
        for key, value, headers in records:
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                deliveries.append(await producer.send_batch(batch, topic, partition=partition))
                batch, size = producer.create_batch(), 0
                batch.append(key=key, value=value, timestamp=None, headers=headers)
            size += 1
        if size:
            deliveries.append(await producer.send_batch(batch, topic, partition=partition))
        if not deliveries:
            return None
        acknowledged = await asyncio.gather(*deliveries)
        return int(acknowledged[-1].offset) + size - 1


@lru_cache(maxsize=64)
def _time(time: datetime) -> Header:
    """The same for all that one step of a partition says of its end."""
    return "ce_time", time.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()
