"""The order in which a batch's consequences are sent, acknowledged and persisted.

The producer is a fake whose acknowledgements the tests give, so this says nothing of Kafka; the batches are the
client's own, so what fits in one and what its bytes hold is real.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from stream.records import Alert, Counts, Metric, OfficialCounts, Scope, encode
from stream.settings import Settings
from stream.state import MemoryStore
from stream.state.rows import WATERMARK_KEY
from stream.worker.dead_letters import DeadLetter
from stream.worker.publisher import Outgoing, Publisher

AS_OF = datetime(2026, 11, 22, 10, tzinfo=UTC)
SETTINGS = Settings(group="shop")
CHANGELOG, METRICS, ALERTS = SETTINGS.changelog_topic, SETTINGS.metrics_topic, SETTINGS.alerts_topic
DEAD = SETTINGS.dead_letters_topic
PARTITION = 3

Row = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]


class Sent(NamedTuple):
    """A batch as it was sent, and its acknowledgement to be given."""

    topic: str
    partition: int
    rows: list[Row]
    acknowledgement: asyncio.Future[Any]

    def acknowledge(self, offset: int) -> None:
        self.acknowledgement.set_result(Metadata(offset))


class Metadata(NamedTuple):
    offset: int


class Log:
    """What happened, in order: topics that were sent to, and the offset that was persisted."""

    def __init__(self, batch_size: int) -> None:
        self.happened: list[str | int] = []
        self.sent: list[Sent] = []
        self._batch_size = batch_size

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(self._batch_size, 0)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[Any]:
        await asyncio.sleep(0)
        sent = Sent(topic, partition, list(read(batch)), asyncio.get_running_loop().create_future())
        self.happened.append(topic)
        self.sent.append(sent)
        return sent.acknowledgement

    def batches(self, topic: str) -> list[Sent]:
        return [sent for sent in self.sent if sent.topic == topic]


def read(batch: BatchBuilder) -> Iterator[Row]:
    records = MemoryRecords(bytes(batch._build()))
    while records.has_next():
        for record in records.next_batch():
            yield record.key, record.value, list(record.headers)


class LoggedStore(MemoryStore):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def persist(self, offset: int) -> None:
        super().persist(offset)
        self._log.happened.append(offset)


def metric(scope: Scope) -> Metric:
    return Metric(
        seller_id=scope.seller_id,
        marketplace=scope.marketplace,
        category=scope.category,
        as_of=AS_OF,
        live=Counts(counted=0, valid=0, defects=0, pending=0, exempt=0, ambiguous=0, vtr=None),
        official=OfficialCounts(
            from_=AS_OF.date(),
            to=AS_OF.date(),
            counted=0,
            valid=0,
            defects=0,
            pending=0,
            exempt=0,
            ambiguous=0,
            vtr=None,
        ),
        threshold=0.95,
        status="ok",
        allowance=0,
        needed_to_recover=0,
        policy="rules",
    )


def alert(seller_id: str) -> Alert:
    return Alert(
        alert_id=f"id-{seller_id}",
        type="vtr-recovered",
        severity="info",
        seller_id=seller_id,
        marketplace=None,
        category=None,
        status="ok",
        previous_status="breached",
        since=AS_OF,
        metric=metric(Scope(seller_id)),
        causes=[],
    )


GONE = Scope("A9")
ROWS: dict[bytes, bytes | None] = {b"k1": b"v1", b"k2": None, b"k3": b"v3"}
LETTER = DeadLetter(b"A1", b"not json", [("vtr_error_code", b"malformed_json")])


def everything() -> Outgoing:
    return Outgoing(
        gone=[GONE],
        rows=dict(ROWS),
        metrics=[metric(Scope("A1", "DE"))],
        alerts=[alert("A1"), alert("A2")],
        dead_letters=[LETTER],
    )


class Run:
    """A publication under way."""

    def __init__(self, outgoing: Outgoing, batch_size: int = 100_000) -> None:
        self.log = Log(batch_size)
        self.store = LoggedStore(self.log)
        publisher = Publisher(cast("AIOKafkaProducer", self.log), SETTINGS)
        self.task = asyncio.create_task(publisher.publish(PARTITION, outgoing, self.store))

    async def settle(self) -> None:
        """Until it waits for an acknowledgement."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def acknowledge(self, topic: str, *offsets: int) -> None:
        waiting = [sent for sent in self.log.batches(topic) if not sent.acknowledgement.done()]
        for sent, offset in zip(waiting, offsets, strict=True):
            sent.acknowledge(offset)
        await self.settle()

    async def fail(self, sent: Sent, error: KafkaError) -> None:
        sent.acknowledgement.set_exception(error)
        await self.settle()


@asynccontextmanager
async def running(outgoing: Outgoing, batch_size: int = 100_000) -> AsyncIterator[Run]:
    run = Run(outgoing, batch_size)
    await run.settle()
    yield run
    run.task.cancel()
    await asyncio.gather(run.task, return_exceptions=True)


# --- The order -------------------------------------------------------------------------------------------------------


async def test_tombstones_then_changelog_then_store_then_all_else() -> None:
    async with running(everything()) as run:
        assert run.log.happened == [METRICS], "only the tombstones of what is gone"
        await run.acknowledge(METRICS, 1)
        assert run.log.happened == [METRICS, CHANGELOG], "nothing else before the changelog is acknowledged"
        await run.acknowledge(CHANGELOG, 40)
        assert run.log.happened[:3] == [METRICS, CHANGELOG, 42]
        assert sorted(map(str, run.log.happened[3:])) == sorted([METRICS, ALERTS, DEAD])
        assert run.store.offset == 42, "that of the last row"
        for topic, offset in [(DEAD, 7), (ALERTS, 90), (METRICS, 5)]:
            assert not run.task.done()
            await run.acknowledge(topic, offset)
        assert await run.task == 91, "the offset of the last alert"
        assert {sent.partition for sent in run.log.sent} == {PARTITION}


@pytest.mark.parametrize(("acknowledged", "happened"), [([], [METRICS]), ([METRICS], [METRICS, CHANGELOG])])
async def test_nothing_follows_tombstones_or_a_changelog_that_failed(
    acknowledged: list[str], happened: list[str]
) -> None:
    async with running(everything()) as run:
        for topic in acknowledged:
            await run.acknowledge(topic, 0)
        await run.fail(run.log.sent[-1], KafkaTimeoutError())
        with pytest.raises(KafkaTimeoutError):
            await run.task
        assert run.log.happened == happened
        assert run.store.offset is None


@pytest.mark.parametrize("topic", [METRICS, ALERTS, DEAD])
async def test_every_failure_is_raised(topic: str) -> None:
    async with running(everything()) as run:
        await run.acknowledge(METRICS, 0)
        await run.acknowledge(CHANGELOG, 0)
        await run.fail(run.log.batches(topic)[-1], KafkaTimeoutError())
        with pytest.raises(KafkaTimeoutError):
            await run.task


async def test_the_watermark_is_the_last_to_be_said_and_stored() -> None:
    """Whoever finds it need not pass the hours before it again, so their alerts must have been said."""
    outgoing = everything()
    outgoing.watermark = b"hour"
    async with running(outgoing) as run:
        await run.acknowledge(METRICS, 0)
        await run.acknowledge(CHANGELOG, 0)
        for topic in (METRICS, ALERTS, DEAD):
            assert len(run.log.batches(CHANGELOG)) == 1
            assert run.store.get_many([WATERMARK_KEY]) == [None]
            await run.acknowledge(topic, 0)
        assert run.log.batches(CHANGELOG)[-1].rows == [(WATERMARK_KEY, b"hour", [])]
        assert run.store.offset == len(ROWS) - 1
        await run.acknowledge(CHANGELOG, 10)
        assert run.store.offset == 10
        assert run.task.done()


async def test_without_rows_the_changelog_is_left_alone() -> None:
    async with running(Outgoing(alerts=[alert("A1")])) as run:
        assert run.log.happened == [ALERTS]
        await run.acknowledge(ALERTS, 7)
        assert await run.task == 7
        assert run.store.offset is None


async def test_nothing_to_send() -> None:
    async with running(Outgoing()) as run:
        assert await run.task is None
        assert run.log.happened == []
    assert Outgoing().is_empty()
    outgoing = everything()
    outgoing.watermark = b"hour"
    assert not any(Outgoing(**{name: getattr(outgoing, name)}).is_empty() for name in Outgoing.__struct_fields__)


# --- What is sent ----------------------------------------------------------------------------------------------------


async def test_the_records() -> None:
    async with running(everything()) as run:
        await run.acknowledge(METRICS, 0)
        await run.acknowledge(CHANGELOG, 0)
        tombstones = run.log.batches(METRICS)[0].rows
        sent = {topic: run.log.batches(topic)[-1].rows for topic in (CHANGELOG, METRICS, ALERTS, DEAD)}
    assert tombstones == [(b'["A9",null,null]', None, [])]
    assert sent[CHANGELOG] == [(key, value, []) for key, value in ROWS.items()]
    ((key, value, headers),) = sent[METRICS]
    assert (key, value) == (b'["A1","DE",null]', encode(metric(Scope("A1", "DE"))))
    assert len(dict(headers).pop("ce_id")) == 32
    assert {name: said for name, said in headers if name != "ce_id"} == {
        "ce_specversion": b"1.0",
        "ce_type": b"vtr-metric",
        "ce_source": b"/vtr/shop",
        "ce_time": b"2026-11-22T10:00:00Z",
    }
    assert [(key, value) for key, value, _ in sent[ALERTS]] == [
        (b'["%s",null,null]' % seller.encode(), encode(alert(seller))) for seller in ("A1", "A2")
    ]
    assert dict(sent[ALERTS][1][2]) == {
        "ce_specversion": b"1.0",
        "ce_id": b"id-A2",
        "ce_type": b"vtr-recovered",
        "ce_source": b"/vtr/shop",
        "ce_time": b"2026-11-22T10:00:00Z",
    }
    assert sent[DEAD] == [tuple(LETTER)]


async def test_a_metrics_id_is_that_of_its_scope_and_content() -> None:
    ids = []
    for scope in (Scope("A1"), Scope("A1"), Scope("A2")):
        async with running(Outgoing(metrics=[metric(scope)])) as run:
            ids.append(dict(run.log.sent[0].rows[0][2])["ce_id"])
    assert ids[0] == ids[1] != ids[2]


# --- What does not fit -----------------------------------------------------------------------------------------------

MANY: dict[bytes, bytes | None] = {b"key%d" % number: bytes([number]) * 300 for number in range(7)}


async def test_rows_are_split_into_as_few_batches_as_they_fit_in() -> None:
    async with running(Outgoing(rows=dict(MANY)), batch_size=1100) as run:
        assert [len(sent.rows) for sent in run.log.sent] == [3, 3, 1]
        assert [row[:2] for sent in run.log.sent for row in sent.rows] == list(MANY.items())
        # Others write to the partition too, so batches need not lie side by side.
        await run.acknowledge(CHANGELOG, 100, 110, 120)
        assert run.store.offset == 120
        await run.task


@pytest.mark.parametrize("failing", [0, 1, 2])
async def test_one_batch_that_failed_keeps_all_from_being_persisted(failing: int) -> None:
    async with running(Outgoing(rows=dict(MANY), alerts=[alert("A1")]), batch_size=1100) as run:
        for number, sent in enumerate(run.log.sent):
            if number != failing:
                sent.acknowledge(number)
        await run.settle()
        assert run.store.offset is None
        await run.fail(run.log.sent[failing], KafkaTimeoutError())
        with pytest.raises(KafkaTimeoutError):
            await run.task
        assert run.store.offset is None
        assert run.log.batches(ALERTS) == []


async def test_a_row_larger_than_a_batch_has_one_of_its_own() -> None:
    rows: dict[bytes, bytes | None] = {b"a": b"1", b"b": b"x" * 5000, b"c": b"2"}
    async with running(Outgoing(rows=rows), batch_size=1000) as run:
        assert [[row[0] for row in sent.rows] for sent in run.log.sent] == [[b"a"], [b"b"], [b"c"]]


async def test_a_dead_letter_too_large_for_the_broker_goes_without_its_value() -> None:
    large = DeadLetter(b"A2", b"x" * 1000, [("trace", b"1")])
    async with running(Outgoing(dead_letters=[LETTER, large, LETTER])) as run:
        assert [len(sent.rows) for sent in run.log.sent] == [3]
        await run.fail(run.log.sent[-1], MessageSizeTooLargeError())
        await run.acknowledge(DEAD, 0)
        await run.fail(run.log.sent[-1], MessageSizeTooLargeError())
        await run.acknowledge(DEAD, 1)
        await run.acknowledge(DEAD, 2)
        await run.task
        alone = [sent.rows for sent in run.log.sent[1:]]
    without = (b"A2", None, [("trace", b"1"), ("vtr_value_dropped", b"1000")])
    assert alone == [[tuple(LETTER)], [tuple(large)], [without], [tuple(LETTER)]]


async def test_a_dead_letter_that_fails_otherwise_stops_the_batch() -> None:
    async with running(Outgoing(dead_letters=[LETTER])) as run:
        await run.fail(run.log.sent[-1], MessageSizeTooLargeError())
        await run.fail(run.log.sent[-1], KafkaTimeoutError())
        with pytest.raises(KafkaTimeoutError):
            await run.task
