"""When batches are processed and acknowledged, and what happens to those that fail."""

import asyncio
from collections.abc import AsyncIterable
from contextlib import suppress
from typing import Any, cast

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)
from faust.events import Event
from faust.streams import Stream

from stream.worker import processor
from stream.worker.app import VtrApp
from stream.worker.consumer import BatchConsumer
from stream.worker.processor import WAITING_BATCHES
from tests.test_records import ALERT
from tests.worker_units.fakes import TWO, A, B, Line, Thread, read, records, settled


async def test_a_batch_is_acknowledged_when_what_it_leads_to_is(line: Line, thread: Thread) -> None:
    await line.run(*TWO, {B: records(B, 5)})
    assert (line.partitions[0].offsets, line.partitions[1].offsets) == ([9], [5]), "one step of a partition at a time"
    await line.consumer.commit()
    assert thread.commits == []
    line.producer.acknowledges.set()
    await settled()
    assert (line.partitions[0].offsets, line.partitions[1].offsets) == ([9, 19], [5])
    await line.consumer.commit()
    assert thread.commits == [{A: 20, B: 6}]
    assert line.crashes == []


async def test_what_waits_while_a_partition_publishes_is_one_step(line: Line, thread: Thread) -> None:
    await line.run(TWO[0], {A: records(A, 10)}, {A: records(A, 11, 12)})
    assert line.partitions[0].steps == [[9]]
    line.producer.acknowledges.set()
    await settled()
    assert line.partitions[0].steps == [[9], [10, 12]]
    await line.consumer.commit()
    assert thread.commits == [{A: 13}]


async def test_no_more_waits_than_there_is_room_for(line: Line) -> None:
    many = WAITING_BATCHES + 3
    await line.run(*({A: records(A, offset)} for offset in range(many)))
    assert not line.task.done()
    line.producer.acknowledges.set()
    for _ in range(many):
        await settled()
    assert line.task.done()
    assert line.partitions[0].offsets == list(range(many))


async def test_an_alert_is_kept_once_it_was_said(line: Line) -> None:
    line.partitions[0].alerts = [ALERT]
    await line.run(TWO[0])
    alerts = line.processor.alerts
    assert (list(alerts.latest(0)), alerts.offset(0)) == ([], None)
    line.producer.acknowledges.set()
    await settled()
    assert (list(alerts.latest(0)), alerts.offset(0)) == ([ALERT], 0)


async def test_a_batch_whose_processing_fails_stops_the_worker(line: Line, thread: Thread) -> None:
    error = line.partitions[0].error = ZeroDivisionError()
    line.producer.acknowledges.set()
    await line.run(*TWO, {B: records(B, 5)})
    line.processor.resume()  # a rebalance that ends meanwhile
    await settled()
    assert line.crashes == [error]
    assert (line.partitions[0].offsets, line.partitions[1].offsets) == ([9], [])
    await line.consumer.commit()
    assert thread.commits == []


async def test_so_does_one_that_cannot_be_published(line: Line, thread: Thread) -> None:
    error = TopicAuthorizationFailedError()
    line.producer.errors = [error]
    await line.run(*TWO)
    line.producer.acknowledges.set()
    await settled()
    line.processor.resume()
    await settled()
    assert line.crashes == [error]
    assert line.partitions[0].offsets == [9]
    await line.consumer.commit()
    assert thread.commits == []


OUTAGE = [KafkaTimeoutError(), RequestTimedOutError(), KafkaConnectionError()]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "PUBLISH_AGAIN_AFTER", 0.0)


@pytest.mark.usefixtures("at_once")
async def test_what_no_broker_takes_is_published_again(line: Line, thread: Thread) -> None:
    line.producer.errors = list(OUTAGE)
    line.producer.acknowledges.set()
    thread.membership = [True] * len(OUTAGE)
    await line.run(*TWO)
    await settled()
    assert (line.producer.errors, thread.membership) == ([], [])
    await line.consumer.commit()
    assert thread.commits == [{A: 20}]
    assert line.crashes == []


@pytest.mark.usefixtures("at_once")
async def test_but_not_once_the_partition_may_be_anothers(line: Line, thread: Thread) -> None:
    line.producer.errors = list(OUTAGE)
    line.producer.acknowledges.set()
    thread.membership = [True, False]
    await line.run(*TWO)
    assert len(line.producer.errors) == 1, "it tried twice"
    processor = line.processor
    assert not processor.is_running(), "a rebalance is to come"
    assert (list(processor.partitions()), processor.shipments.holds(0)) == ([1], False), "what it led to is undone"
    assert line.partitions[0].offsets == [9]
    await line.consumer.commit()
    assert (thread.commits, line.crashes) == ([], [])
    await line.consumer.on_partitions_revoked({A, B})
    line.app.consumer_generation_id += 1
    line.consumer.resume_flow()
    line.producer.errors.clear()
    processor._partitions.update(cast("Any", line.partitions))
    await processor.shipments.take(0)
    processor.resume()
    await line.run(TWO[0])
    await settled()
    assert line.partitions[0].offsets == [9, 9], "the next assignment reads it again"
    await line.consumer.commit()
    assert thread.commits == [{A: 10}]


async def test_a_pause_waits_for_what_is_being_published(line: Line) -> None:
    await line.run(*TWO)
    pause = asyncio.create_task(line.processor.pause())
    await settled()
    assert not pause.done()
    line.producer.acknowledges.set()
    await pause
    await settled()
    assert line.partitions[0].offsets == [9], "no batch begins"
    assert line.consumer._ledger.committable(A) == 10
    line.processor.resume()
    await settled()
    assert line.partitions[0].offsets == [9, 19]


@pytest.mark.parametrize("leaving", ["on_partitions_revoked", "on_stop"])
async def test_whoever_leaves_finishes_and_commits_what_is_under_way(line: Line, thread: Thread, leaving: str) -> None:
    await line.run(*TWO)
    leave = getattr(line.consumer, leaving)
    task = asyncio.create_task(leave({A}) if leaving == "on_partitions_revoked" else leave())
    await settled()
    assert not task.done()
    line.producer.acknowledges.set()
    await task
    assert thread.commits == [{A: 10}]
    assert line.partitions[0].offsets == [9]


async def test_batches_from_before_a_rebalance_are_dropped(line: Line) -> None:
    await line.processor.pause()
    await line.run(*TWO)
    line.app.consumer_generation_id += 1
    line.processor.resume()
    line.producer.acknowledges.set()
    await settled()
    assert line.partitions[0].offsets == []
    assert line.consumer._ledger.partitions() == []
    assert line.task.done(), "and those behind them had their turn"


@pytest.mark.parametrize("by_hand", [False, True])
async def test_trap_faust_acknowledges_what_failed(app: VtrApp, consumer: BatchConsumer, by_hand: bool) -> None:
    async def fail(events: AsyncIterable[Any]) -> None:
        async for _ in events:
            raise ZeroDivisionError

    app.processor.process = fail  # type: ignore[method-assign]
    (message,) = await read(consumer, TWO[0])
    (agent,) = app.agents.values()
    stream = cast("Stream[bytes]", agent.channel.stream())
    cast("Any", stream.channel).queue.put_nowait(Event(app, None, message.value, {}, message))
    with suppress(ZeroDivisionError):
        await cast("Any", agent.fun(stream) if by_hand else fail(stream.events()))
    await settled()
    await stream.stop()
    assert message.acked is not by_hand
