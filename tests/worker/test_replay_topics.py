"""``vtr replay --from-topics``: what is in the topics, as a file of it would say it, and nothing is touched."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import RecordsToDelete

from stream.events import Event, Rejection, decode
from stream.kafka.clients import BrokerError, TopicPartition, connected_admin
from stream.kafka.cluster import bootstrap_servers
from stream.records import encode
from stream.replay import Replay, Source, TopicHistory, find_topic_history, read_sorted, replay
from stream.settings import Settings
from stream.topics import TopicError
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, Input
from tests.worker.history import flowing, simulated
from tests.worker.shop import Shop, shop_in

AGO = datetime.now(UTC) - timedelta(hours=5)


def said(result: Replay) -> tuple[object, ...]:
    """What a replay gives, as bytes where it writes some. Rejections name different places."""
    summary = result.summary
    return (
        result.as_of,
        [encode(metric) for metric in result.metrics],
        [encode(alert) for alert in result.alerts],
        (summary.events, summary.accepted, summary.rejected, summary.scopes),
    )


async def replayed(
    sources: Sequence[str | Source], settings: Settings, processes: int = 1, rejects: BinaryIO | None = None
) -> Replay:
    return await asyncio.to_thread(replay, sources, settings, processes=processes, rejects=rejects)


async def as_lines(deployment: Deployment, history: TopicHistory) -> bytes:
    """The values of the records that the history has."""
    ends = {(each.topic, each.partition): each.end for each in history.ranges}
    values = [
        record.value or b""
        for topic in deployment.settings.input_topics
        for record in await deployment.read(topic)
        if record.offset < ends[topic, record.partition]
    ]
    return b"\n".join(values)


class Groups(NamedTuple):
    """What a cluster knows of consumer groups."""

    names: list[str]
    state: object
    committed: dict[TopicPartition, int]


async def groups(deployment: Deployment) -> Groups:
    async with connected_admin(deployment.settings) as admin:
        names = sorted(name for name, *_ in await admin.list_consumer_groups())
        (described,) = await admin.describe_consumer_groups([deployment.settings.group])
    return Groups(names, described.to_object(), await deployment.committed())


async def test_it_says_what_a_file_says_and_the_live_group_does_not_notice(deploy: Deploy, tmp_path: Path) -> None:
    deployment = await deploy(partitions=3)
    settings = deployment.settings
    records = simulated(settings, 12_000, sellers=20)
    file = tmp_path / "history.ndjson"
    worker = deployment.start()
    await deployment.send(records[:6000])
    async with flowing(deployment, records[6000:], 100):
        await deployment.eventually(deployment.input_ends)
        history = await find_topic_history(settings)
        # More has come when it is read.
        from_topics = await replayed([history], settings)
        file.write_bytes(await as_lines(deployment, history))
        assert said(from_topics) == said(await replayed([str(file)], settings))
    assert 6000 <= from_topics.summary.accepted < 12_000

    await deployment.eventually(deployment.all_committed)
    before, log = await groups(deployment), worker.lines
    history = await find_topic_history(settings)
    alone, shared = await replayed([history], settings), await replayed([history], settings, processes=2)
    assert alone.summary.accepted == 12_000
    assert said(alone) == said(shared)
    assert await groups(deployment) == before
    assert not [line for line in worker.lines[len(log) :] if "partition" in line]


async def test_a_part_of_it(deploy: Deploy) -> None:
    deployment = await deploy()
    settings = deployment.settings
    records = simulated(settings, 3000, sellers=8)
    await deployment.send(records)
    everything = [record for topic in settings.input_topics for record in await deployment.read(topic)]
    events = [decode(record.value) for record in everything]
    times = sorted(event.event_time for event in events if not isinstance(event, Rejection))
    since, until = times[1000], times[2000]
    one, two = TopicPartition(settings.order_shipped_topic, 0), TopicPartition(settings.order_shipped_topic, 1)

    async def read(**part: object) -> list[Event]:
        history = await find_topic_history(settings, **part)  # type: ignore[arg-type]
        events, summary = await asyncio.to_thread(read_sorted, [history])
        assert not summary.rejected
        return list(events)

    def expected(*, since: datetime, until: datetime) -> int:
        return sum(since <= time < until for time in times)

    assert [event.event_time for event in await read()] == times
    later = await read(since=since)
    # What happened then and came late is there too.
    assert (len(later), later[0].event_time) == (expected(since=since, until=datetime.max.replace(tzinfo=UTC)), since)
    assert len(await read(since=since, until=until)) == expected(since=since, until=until)
    assert len(await read(partitions={1})) == sum(record.partition == 1 for record in everything)
    cut = await read(partitions={0, 1}, from_offsets={one: 10}, to_offsets={one: 15, two: 0})
    assert len(cut) == 5 + sum(record.topic != settings.order_shipped_topic for record in everything)
    assert await read(since=datetime.now(UTC) + timedelta(days=1)) == []


async def test_what_a_worker_would_reject_is_rejected_with_its_place(deploy: Deploy) -> None:
    deployment = await deploy(partitions=1)
    settings = deployment.settings
    shop = Shop(settings, "A1SELLER")
    shipped = shop.ships(1, AGO)
    ahead = shop.ships(2, datetime.now(UTC) + timedelta(hours=2))
    bad = [Input(shipped.topic, shop.key, b"{"), shipped._replace(key=b"B2"), ahead, Input(shipped.topic, b"x", None)]
    await deployment.send([bad[0], shipped, *bad[1:]])
    history = await find_topic_history(settings)
    for processes in (1, 2):
        rejects = BytesIO()
        summary = (await replayed([history], settings, processes, rejects)).summary
        assert (summary.events, summary.accepted) == (5, 1)
        assert {(line.file, line.line, line.rejection.code.value) for line in summary.examples} == {
            (f"{shipped.topic}/0:0", 0, "malformed_json"),
            (f"{shipped.topic}/0:2", 0, "key_mismatch"),
            (f"{shipped.topic}/0:3", 0, "future_event"),
            (f"{shipped.topic}/0:4", 0, "empty_value"),
        }
        written = [json.loads(line) for line in rejects.getvalue().splitlines()]
        assert {each["file"]: each["raw"] for each in written} == {
            f"{shipped.topic}/0:{offset}": (value or b"").decode()
            for offset, value in ((0, b"{"), (2, shipped.value), (3, ahead.value), (4, None))
        }


@pytest.mark.kafka_only(reason="it has no transactions and deletes no records")
async def test_offsets_without_records(deploy: Deploy) -> None:
    """At the end of a transaction, also as the last of all, and where the first records were deleted."""
    deployment = await deploy()
    settings = deployment.settings
    shops = [shop_in(deployment, partition) for partition in range(2)]
    records = [record for shop in shops for record in shop.sends(range(10), AGO)]
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers(settings.broker), transactional_id=f"{settings.group}-producer"
    )
    async with producer:
        for _ in range(3):
            async with producer.transaction():
                for record in records:
                    await producer.send(record.topic, record.value, key=record.key)
    ends = await deployment.input_ends()
    history = await find_topic_history(settings)
    # Of each of the two topics, ten records and a marker three times, and nothing after the last marker.
    assert set(ends.values()) == {33}
    assert (await asyncio.to_thread(read_sorted, [history]))[0].count == 2 * 2 * 30

    first = TopicPartition(settings.order_shipped_topic, 0)
    async with connected_admin(settings) as admin:
        await admin.delete_records({first: RecordsToDelete(5)})
    with pytest.raises(BrokerError, match=r"deleted before they were read.*shipped"):
        await asyncio.to_thread(read_sorted, [history])
    history = await find_topic_history(settings)
    assert (await asyncio.to_thread(read_sorted, [history]))[0].count == 2 * 2 * 30 - 5
    with pytest.raises(BrokerError, match="has the offsets 5 to 33, and not 4"):
        await find_topic_history(settings, from_offsets={first: 4})


async def test_what_is_not_there_is_named(deploy: Deploy) -> None:
    deployment = await deploy()
    settings = deployment.settings
    shipped = settings.order_shipped_topic
    with pytest.raises(BrokerError, match="have no partition 7, only 0 to 1"):
        await find_topic_history(settings, partitions={0, 7})
    with pytest.raises(BrokerError, match=f"{shipped}/0 at .* has the offsets 0 to 0, and not 1"):
        await find_topic_history(settings, to_offsets={TopicPartition(shipped, 0): 1})
    with pytest.raises(BrokerError, match=f"{shipped}/1 is no partition of the input topics that are read"):
        await find_topic_history(settings, partitions={0}, from_offsets={TopicPartition(shipped, 1): 0})
    empty = await find_topic_history(settings)
    assert (await replayed([empty], settings)).as_of is None
    with pytest.raises(TopicError, match="nowhere"):
        await find_topic_history(Settings(broker=settings.broker, order_shipped_topic="nowhere"))
