"""``vtr replay --into``: events go where their producers would have sent them, and may go there twice."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import RequestTimedOutError
from msgspec.structs import replace

from stream.events import Event, OrderShipped, Rejection, TrackingScanned, TrackingUploaded, decode, encode
from stream.feed import Feed, FeedRecord
from stream.kafka.clients import BrokerError, connected_admin
from stream.records import Alert
from stream.replay import publish as publishing
from stream.replay import read_sorted
from stream.replay.publish import publish
from stream.settings import Settings
from stream.topics import create_topics
from tests.brokers import Broker, running
from tests.environment import as_environment
from tests.replay.histories import write
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, Input
from tests.worker.expected import MEMORYLESS, metrics_are_as_computed
from tests.worker.history import simulated
from tests.worker.process import PROJECT
from tests.worker.shop import Shop

AGO = datetime.now(UTC) - timedelta(hours=5)


async def vtr(settings: Settings | None, *arguments: str) -> Process:
    """Start the command, with settings in its environment, or with those that its arguments name."""
    given = {} if settings is None else as_environment(settings)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream", *arguments),
        env=os.environ | given | {"PYTHONPATH": str(PROJECT)},
        stdout=PIPE,
        stderr=STDOUT,
    )


async def said(process: Process) -> tuple[int | None, str]:
    """The exit code and all that the command said, when it has ended."""
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


async def keep_forever(broker: Broker, settings: Settings) -> None:
    """What records are dated decides when Kafka deletes them. The embedded broker deletes none."""
    if broker.is_embedded:
        return
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "-1"}) for topic in settings.input_topics
    ]
    async with connected_admin(settings) as admin:
        await admin.alter_configs(resources)


async def in_topics(deployment: Deployment) -> list[Event]:
    """The events in the input topics, sorted. Asserts that each is where and as it should be."""
    settings = deployment.settings
    types: dict[str, type[Event]] = {
        settings.order_shipped_topic: OrderShipped,
        settings.tracking_uploaded_topic: TrackingUploaded,
        settings.tracking_scanned_topic: TrackingScanned,
    }
    events: list[Event] = []
    for topic, kind in types.items():
        last: dict[int, tuple[datetime, str]] = {}
        for record in await deployment.read(topic):
            event = decode(record.value)
            assert isinstance(event, kind)
            assert record.key == event.seller_id.encode()
            assert record.partition == deployment.partition_of(record.key)
            assert record.timestamp == int(event.event_time.timestamp() * 1000)
            version = event.event_time, event.event_id
            assert last.get(record.partition, version) <= version
            last[record.partition] = version
            events.append(event)
    return sorted(events, key=lambda event: (event.event_time, event.event_id))


def lines(records: list[Input]) -> bytes:
    return b"".join((record.value or b"") + b"\n" for record in records)


async def test_events_go_where_their_producers_send_them(broker: Broker, deploy: Deploy, tmp_path: Path) -> None:
    """From a folder, sorted on disk, and on from there to another cluster."""
    deployment = await deploy(partitions=3)
    settings = deployment.settings
    history = lines(simulated(settings, 5000, sellers=20)).splitlines()
    folder = tmp_path / "history"
    file = write(folder, "a.ndjson.gz", [b"{broken", *history[::2]])
    write(folder, "b.csv", history[1::2])
    rejects = tmp_path / "rejects.ndjson"
    await keep_forever(broker, settings)
    less = ("--memory", "500KB", "--rejects", str(rejects))
    code, output = await said(await vtr(settings, "replay", str(folder), "--into", settings.broker, *less))
    assert code == 0, output
    assert f"{file}:1: malformed_json" in output
    assert json.loads(rejects.read_bytes())["raw"] == "{broken"
    assert re.search(r"^published  5000 of 5000 events in .*, up to 20.*Z; 1 rejected$", output, re.MULTILINE)
    expected = list((await asyncio.to_thread(read_sorted, [str(folder)]))[0])
    assert list(map(encode, await in_topics(deployment))) == list(map(encode, expected))

    with running("embedded") as other:
        there = Deployment(replace(settings, broker=other.url, partitions=2), tmp_path)
        await create_topics(there.settings)
        since = expected[2000].event_time.isoformat()
        arguments = ("replay", "--from-topics", "--since", since, "--into", other.url)
        code, output = await said(await vtr(settings, *arguments))
        assert code == 0, output
        assert list(map(encode, await in_topics(there))) == list(map(encode, expected[2000:]))


async def test_sending_twice_changes_nothing(broker: Broker, deploy: Deploy, tmp_path: Path) -> None:
    deployment = await deploy(partitions=3, **MEMORYLESS)
    settings = deployment.settings
    records = simulated(settings, 4000, sellers=10)
    await keep_forever(broker, settings)
    file = tmp_path / "history.ndjson"
    file.write_bytes(lines(records))
    deployment.start()
    events = list((await asyncio.to_thread(read_sorted, [str(file)]))[0])
    alerts: list[list[Alert]] = []
    hours = {datetime.now(UTC).hour}
    for number in (1, 2):
        published = await publish(events, settings)
        assert (published.events, published.last) == (len(events), events[-1].event_time)
        assert sum((await deployment.input_ends()).values()) == number * len(events)
        await deployment.eventually(deployment.all_committed)
        await deployment.eventually(metrics_are_as_computed, deployment, records)
        alerts.append(sorted(await deployment.alerts(), key=lambda alert: alert.alert_id))
    hours.add(datetime.now(UTC).hour)
    assert alerts[0]
    # At a full hour, statuses may change by themselves.
    assert alerts[0] == alerts[1] or len(hours) > 1
    assert await deployment.dead_letters() == []


async def test_ctrl_c_stops_it_and_it_goes_on_from_there(deploy: Deploy, tmp_path: Path) -> None:
    deployment = await deploy()
    settings = deployment.settings
    shop = Shop(settings, "A1SELLER")
    minutes = [AGO + timedelta(minutes=number) for number in range(200)]
    file = tmp_path / "history.ndjson"
    file.write_bytes(lines([shop.ships(number, at) for number, at in enumerate(minutes)]))
    # Ten a second.
    process = await vtr(settings, "replay", str(file), "--into", settings.broker, "--speed", "600")

    async def some_are_there() -> None:
        assert await deployment.input_ends()

    await deployment.eventually(some_are_there)
    process.send_signal(signal.SIGINT)
    code, output = await said(process)
    assert code == 130, output
    assert "Traceback" not in output
    events = await in_topics(deployment)
    assert 0 < len(events) < 200
    assert [event.event_time for event in events] == minutes[: len(events)]
    assert f"published  {len(events)} of 200 events" in output
    (on,) = re.findall(r"^stopped; go on with the same command and (--since \S+)$", output, re.MULTILINE)
    code, output = await said(await vtr(settings, "replay", str(file), "--into", settings.broker, *on.split()))
    assert code == 0, output
    assert {event.event_time for event in await in_topics(deployment)} == set(minutes)


async def test_events_follow_one_another_in_their_time(deploy: Deploy) -> None:
    deployment = await deploy()
    settings = deployment.settings
    shop = Shop(settings, "A1SELLER")
    events: list[Event] = []
    for number in range(5):
        event = decode(shop.ships(number, AGO + timedelta(minutes=number)).value)
        assert not isinstance(event, Rejection)
        events.append(event)
    started = time.monotonic()
    published = await publish(events, settings, speed=240)
    assert published.events == 5
    assert 1 <= time.monotonic() - started < 4


async def test_a_broker_that_takes_no_more_is_told_with_how_far_it_came(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = await deploy()
    settings = deployment.settings
    events = [decode(Shop(settings, "A1SELLER").ships(number, AGO).value) for number in range(20)]
    told: list[int] = []

    async def refuse(self: Feed, records: Iterable[FeedRecord]) -> int:
        if told:
            raise RequestTimedOutError
        return await send(self, records)

    send = Feed.send
    monkeypatch.setattr(Feed, "send", refuse)
    monkeypatch.setattr(publishing, "CHUNK", 8)
    with pytest.raises(BrokerError, match=r"does not take events.*; 8 events up to .* were taken before"):
        await publish(
            [event for event in events if not isinstance(event, Rejection)],
            settings,
            tell=lambda published: told.append(published.events),
        )
    assert told == [8]


async def test_events_without_a_topic_are_left_out(deploy: Deploy) -> None:
    deployment = await deploy(tracking_scanned_topic="")
    settings = deployment.settings
    scan = TrackingScanned(event_id="1", event_time=AGO, seller_id="A1", shipment_id="1", milestone="delivered")
    published = await publish([scan], settings)
    assert (published.events, published.left_out) == (0, {"tracking-scanned": 1})


@pytest.mark.kafka_only(reason="it deletes no records")
async def test_what_would_soon_be_deleted_is_not_sent(deploy: Deploy, tmp_path: Path) -> None:
    deployment = await deploy()
    settings = deployment.settings
    old = Shop(settings, "A1SELLER").ships(1, AGO - timedelta(days=8))
    file = tmp_path / "history.ndjson"
    file.write_bytes(lines([old]))
    arguments = ("replay", str(file), "--into", settings.broker)
    code, output = await said(await vtr(settings, *arguments))
    assert code == 1
    assert f"topic {old.topic} at {settings.broker} keeps records for 7 days by their dates" in output
    assert output.count("\n") == 1
    assert await deployment.input_ends() == {}
    for more in (("--allow-old",), ("--since", AGO.isoformat())):
        code, output = await said(await vtr(settings, *arguments, *more))
        assert code == 0, output
    assert len(await in_topics(deployment)) == 1


async def test_what_is_too_old_for_workers_is_not_sent(deploy: Deploy, tmp_path: Path) -> None:
    deployment = await deploy()
    settings = deployment.settings
    shop = Shop(settings, "A1SELLER")
    file = tmp_path / "history.ndjson"
    file.write_bytes(lines([shop.ships(1, AGO - timedelta(days=41)), shop.ships(2, AGO)]))
    arguments = ("replay", str(file), "--into", settings.broker)
    code, output = await said(await vtr(settings, *arguments))
    assert code == 1
    assert "are more than 40 days old" in output
    assert output.count("\n") == 1
    assert await deployment.input_ends() == {}
    code, output = await said(await vtr(settings, *arguments, "--allow-old"))
    assert code == 0, output
    assert "published  2 of 2 events" in output
