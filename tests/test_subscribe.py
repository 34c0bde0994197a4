"""Following alerts and metrics, on a real broker."""

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypedDict, TypeVar, Unpack

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from msgspec.structs import replace

from stream import reader, subscribe
from stream.cli.outages import outages_told_once
from stream.cli.output import show_as_they_come
from stream.embedded import EmbeddedBroker
from stream.kafka import clients as kafka
from stream.kafka.clients import BrokerError, TopicPartition, connected_admin, connected_consumer
from stream.kafka.cluster import Cluster, bootstrap_servers
from stream.reader import Start
from stream.records import (
    Alert,
    AlertType,
    Counts,
    Metric,
    OfficialCounts,
    Scope,
    Severity,
    Status,
    encode,
    encode_key,
)
from stream.subscribe import ScopeWidth, latest_metrics, subscribe_alerts, subscribe_metrics
from stream.topics import TopicError
from tests.brokers import Broker
from tests.command import vtr

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MAX_BATCH_BYTES = 500_000
Keyed = tuple[bytes, bytes | None]
T = TypeVar("T")


class Options(TypedDict, total=False):
    start: Start
    group: str | None
    follow: bool
    seller_ids: Collection[str]
    marketplaces: Collection[str]
    scope: ScopeWidth
    types: Collection[AlertType]
    severities: Collection[Severity]
    statuses: Collection[Status]


def metric(scope: Scope, counted: int = 100, status: Status = "ok") -> Metric:
    return Metric(
        seller_id=scope.seller_id,
        marketplace=scope.marketplace,
        category=scope.category,
        as_of=NOON,
        live=Counts(counted=counted, valid=counted, defects=0, pending=0, exempt=0, ambiguous=0, vtr=1.0),
        official=OfficialCounts(
            from_=date(2026, 10, 14),
            to=date(2026, 11, 12),
            counted=0,
            valid=0,
            defects=0,
            pending=0,
            exempt=0,
            ambiguous=0,
            vtr=None,
        ),
        threshold=0.95,
        status=status,
        allowance=5,
        needed_to_recover=0,
        policy="amazon-2025-01-15",
    )


def alert(
    alert_id: str,
    scope: Scope = Scope("A1", "DE", "Home"),  # noqa: B008 - immutable
    kind: AlertType = "vtr-breached",
    severity: Severity = "critical",
    status: Status = "breached",
) -> Alert:
    return Alert(
        alert_id=alert_id,
        type=kind,
        severity=severity,
        seller_id=scope.seller_id,
        marketplace=scope.marketplace,
        category=scope.category,
        status=status,
        previous_status="ok",
        since=NOON,
        metric=metric(scope, status=status),
        causes=[],
    )


def keyed(record: Alert | Metric) -> Keyed:
    return encode_key(record.scope), encode(record)


def alerts(*ids: object) -> list[Keyed]:
    return [keyed(alert(str(alert_id))) for alert_id in ids]


class Topic:
    """A topic of the test broker, and a producer for it that sends everything as one batch."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.broker = broker
        self.name = name
        self.producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers(broker.url), max_batch_size=MAX_BATCH_BYTES
        )

    async def create(self, partitions: int = 1) -> None:
        async with connected_admin(self.broker.cluster) as admin:
            await admin.create_topics([NewTopic(self.name, partitions, 1, topic_configs={"cleanup.policy": "compact"})])

    async def send(self, records: list[Keyed], partition: int = 0) -> None:
        batch = self.producer.create_batch()
        for key, value in records:
            assert batch.append(key=key, value=value, timestamp=None) is not None
        await (await self.producer.send_batch(batch, self.name, partition=partition))

    async def committed(self, group: str, partition: int = 0) -> int | None:
        async with connected_consumer(self.broker.cluster, group=group) as consumer:
            consumer.assign([TopicPartition(self.name, partition)])
            offset: int | None = await consumer.committed(TopicPartition(self.name, partition))
            return offset

    def alerts(self, **options: Unpack[Options]) -> AsyncGenerator[Alert, None]:
        return subscribe_alerts(self.broker.url, topic=self.name, **options)

    async def all_alerts(self, **options: Unpack[Options]) -> list[str]:
        everything: Options = {"start": "beginning", "follow": False}
        return [found.alert_id async for found in self.alerts(**(everything | options))]


@pytest.fixture
async def topic(broker: Broker, prefix: str) -> AsyncIterator[Topic]:
    it = Topic(broker, f"{prefix}topic")
    await it.create()
    await it.producer.start()
    yield it
    await it.producer.stop()


@pytest.fixture(autouse=True)
def quick_joins(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded broker lets a member wait for half of the session timeout, and has no least one as Kafka has."""
    if "broker" in request.fixturenames and request.getfixturevalue("broker").is_embedded:
        monkeypatch.setattr(kafka, "SESSION_TIMEOUT_MS", 3_000)


async def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - of whatever kind
            await asyncio.sleep(0.05)


def only_this_task() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


async def until_done(task: "asyncio.Task[T]", again: Callable[[int], Awaitable[None]]) -> T:
    """The result of a task that waits for records, which are sent again and again: nobody says from when it waits."""
    for number in range(100):
        await again(number)
        done, _ = await asyncio.wait({task}, timeout=0.1)
        if done:
            return task.result()
    task.cancel()
    raise TimeoutError


async def test_from_the_beginning_to_the_end(topic: Topic) -> None:
    sent = [alert(f"a{number}") for number in range(100)]
    await topic.send([keyed(each) for each in sent])
    assert [found async for found in topic.alerts(start="beginning", follow=False)] == sent


async def test_all_partitions(broker: Broker, prefix: str) -> None:
    topic = Topic(broker, f"{prefix}topic")
    await topic.create(partitions=3)
    async with topic.producer:
        await topic.send(alerts(*range(50)), partition=0)
        await topic.send(alerts(*range(50, 70)), partition=2)
    assert sorted(map(int, await topic.all_alerts())) == list(range(70))


async def test_the_end_is_that_of_the_start(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    async def then_more(cluster: Cluster, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        ends = await kafka.end_offsets(cluster, partitions)
        await topic.send(alerts("too late"))
        return ends

    monkeypatch.setattr(reader, "end_offsets", then_more)
    await topic.send(alerts(*"abc"))
    assert await topic.all_alerts() == ["a", "b", "c"]


@pytest.mark.parametrize("start", ["now", "beginning"])
async def test_nothing_to_read_ends(topic: Topic, start: Start) -> None:
    assert await topic.all_alerts(start=start) == []


async def test_now_is_after_what_is_there(topic: Topic) -> None:
    await topic.send(alerts(*(f"old-{number}" for number in range(100))))

    async def first() -> str:
        async with aclosing(topic.alerts()) as following:
            return (await anext(following)).alert_id

    found = await until_done(asyncio.create_task(first()), lambda number: topic.send(alerts(f"new-{number}")))
    assert found.startswith("new-")


async def test_following_waits_for_more(topic: Topic) -> None:
    await topic.send(alerts("a"))
    async with aclosing(topic.alerts(start="beginning")) as following:
        assert (await anext(following)).alert_id == "a"
        more = asyncio.create_task(anext(following))
        await asyncio.sleep(1.5)
        assert not more.done()
        await topic.send(alerts("b"))
        assert (await asyncio.wait_for(more, 5)).alert_id == "b"


async def test_a_group_resumes_without_loss(topic: Topic, prefix: str) -> None:
    await topic.send(alerts(*"abcdef"))
    group = f"{prefix}group"
    async with aclosing(topic.alerts(start="beginning", group=group)) as following:
        async for found in following:
            if found.alert_id == "c":
                break
    started = time.monotonic()
    # Nobody knows whether "c" was dealt with.
    assert await topic.all_alerts(group=group) == ["c", "d", "e", "f"]
    # The member before has left the group, so nobody waited for it.
    assert time.monotonic() - started < 5
    assert await topic.committed(group) == 6
    await topic.send(alerts("g"))
    assert await topic.all_alerts(group=group) == ["g"]


async def test_a_group_that_starts_now_misses_nothing_from_now_on(topic: Topic, prefix: str) -> None:
    await topic.send(alerts(*range(100)))
    group = f"{prefix}group"
    assert await topic.all_alerts(group=group, start="now") == []
    await topic.send(alerts("new"))
    assert await topic.all_alerts(group=group, start="now") == ["new"]


async def test_a_group_commits_what_is_done_and_not_more(
    topic: Topic, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "COMMIT_INTERVAL", 0.0)
    await topic.send(alerts(*"abcd"))
    group = f"{prefix}group"
    committed = [await topic.committed(group) async for _ in topic.alerts(start="beginning", follow=False, group=group)]
    assert committed == [0, 1, 2, 3]
    assert await topic.committed(group) == 4


async def test_a_group_does_not_commit_each_record(topic: Topic, prefix: str) -> None:
    await topic.send(alerts(*"abc"))
    group = f"{prefix}group"
    async with aclosing(topic.alerts(start="beginning", group=group)) as following:
        for _ in range(3):
            await anext(following)
        assert await topic.committed(group) == 0
    assert await topic.committed(group) == 2


async def test_a_group_shares_the_topic(broker: Broker, prefix: str) -> None:
    topic = Topic(broker, f"{prefix}topic")
    await topic.create(partitions=2)
    async with topic.producer:
        for partition in (0, 1):
            await topic.send(alerts(*(f"{partition}-{number}" for number in range(50))), partition=partition)
    found: dict[str, list[str]] = {"one": [], "two": []}
    two_is_done = asyncio.Event()

    async def member(name: str) -> None:
        async with aclosing(topic.alerts(start="beginning", group=f"{prefix}group")) as following:
            async for each in following:
                found[name].append(each.alert_id)
                if name == "one":
                    await two_is_done.wait()

    # The first member gets both partitions, and has records of both in hand when the second one takes one of them.
    members = [asyncio.create_task(member("one"))]
    try:
        await eventually(lambda: found["one"] != [], 30)
        members.append(asyncio.create_task(member("two")))
        await eventually(lambda: len(found["two"]) >= 49, 30)
        two_is_done.set()
        await eventually(lambda: len({*found["one"], *found["two"]}) == 100, 30)
        await asyncio.sleep(0.5)
    finally:
        for task in members:
            task.cancel()
        await asyncio.gather(*members, return_exceptions=True)
    assert len({each[0] for each in found["two"]}) == 1
    # Nothing comes twice but, possibly, what the first one had in hand.
    assert len({*found["one"]} & {*found["two"]}) <= 1
    assert [await topic.committed(f"{prefix}group", partition) for partition in (0, 1)] == [50, 50]


async def test_a_group_commits_before_another_member_takes_over(topic: Topic, prefix: str) -> None:
    await topic.send(alerts(*"abcd"))
    group = f"{prefix}group"
    found = []

    async def join() -> None:
        async for each in topic.alerts(group=group):
            found.append(each.alert_id)  # noqa: PERF401 - it never ends

    async with aclosing(topic.alerts(start="beginning", group=group)) as following:
        for _ in range(3):
            await anext(following)
        assert await topic.committed(group) == 0
        other = asyncio.create_task(join())
        try:
            async with asyncio.timeout(30):
                while (await topic.committed(group) or 0) < 2:  # noqa: ASYNC110 - only the broker knows
                    await asyncio.sleep(0.1)
        finally:
            other.cancel()
            await asyncio.wait({other})
    # Which of the two has the only partition in the end is the broker's choice.
    assert found in ([], ["c", "d"])


FILTERED = {
    "seller": alert("seller", Scope("A1")),
    "marketplace": alert("marketplace", Scope("A1", "UK"), severity="info", status="ok", kind="vtr-recovered"),
    "category": alert("category", Scope("A1", "DE", "Home"), severity="warning", status="at_risk", kind="vtr-at-risk"),
    "other": alert("other", Scope("A2", "DE", "Toys")),
}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["seller", "marketplace", "category", "other"]),
        ({"seller_ids": ["A1"]}, ["seller", "marketplace", "category"]),
        ({"seller_ids": []}, []),
        ({"marketplaces": {"DE"}}, ["category", "other"]),
        ({"marketplaces": {"GB"}}, ["marketplace"]),
        ({"scope": "seller"}, ["seller"]),
        ({"scope": "marketplace"}, ["marketplace"]),
        ({"scope": "category"}, ["category", "other"]),
        ({"types": ["vtr-recovered", "vtr-at-risk"]}, ["marketplace", "category"]),
        ({"severities": ["critical"]}, ["seller", "other"]),
        ({"statuses": ["ok"]}, ["marketplace"]),
        ({"statuses": ["breached"], "seller_ids": {"A2"}, "scope": "category"}, ["other"]),
    ],
)
async def test_filters(topic: Topic, options: Options, expected: list[str]) -> None:
    await topic.send([keyed(each) for each in FILTERED.values()])
    assert await topic.all_alerts(**options) == expected


async def test_repeated_alerts_are_dropped(topic: Topic) -> None:
    await topic.send(alerts(*"abab"))
    await topic.send(alerts(*"cab"))
    assert await topic.all_alerts() == ["a", "b", "c"]


async def test_what_repeats_are_known_by_is_bounded(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribe, "REMEMBERED_ALERTS", 2)
    await topic.send(alerts(*"abacab"))
    # "b" is the one not seen for longest when "c" comes.
    assert await topic.all_alerts() == ["a", "b", "c", "b"]


async def test_what_is_no_alert_is_logged_and_skipped(topic: Topic, caplog: pytest.LogCaptureFixture) -> None:
    key, value = keyed(alert("a"))
    assert value is not None
    garbage = [(key, b"\xff\x00"), (key, b'{"alert_id":"x"}'), (key, encode(metric(Scope("A1")))), (b"", b"")]
    await topic.send([*garbage, (key, None), (key, value)])
    assert await topic.all_alerts() == ["a"]
    warnings = [record.getMessage() for record in caplog.records if record.name == "stream.subscribe"]
    assert [warning.split(": ")[0] for warning in warnings] == [
        f"skipped {topic.name}/0 offset {offset}" for offset in range(4)
    ]
    assert "alert_id" in warnings[2]


async def test_metrics(topic: Topic) -> None:
    wide, narrow, gone = Scope("A1"), Scope("A1", "DE", "Home"), Scope("A2")
    sent = [metric(wide, 1), metric(narrow, 1), metric(gone), metric(wide, 2, "breached"), metric(narrow, 2)]
    await topic.send([*map(keyed, sent), (encode_key(gone), None), (encode_key(narrow), b"garbage"), (b"?", None)])
    latest = {wide: sent[3], narrow: sent[4]}
    url = topic.broker.url

    assert await latest_metrics(url, topic=topic.name) == latest
    assert await latest_metrics(url, topic=topic.name, scope="category") == {narrow: sent[4]}
    # A status of the past is not the status.
    assert await latest_metrics(url, topic=topic.name, statuses={"ok"}) == {narrow: sent[4]}
    now = subscribe_metrics(url, topic=topic.name, start="beginning", follow=False)
    assert [found async for found in now] == list(latest.values())
    async with aclosing(subscribe_metrics(url, topic=topic.name, start="beginning", seller_ids={"A1"})) as following:
        assert [await anext(following) for _ in range(4)] == [sent[0], sent[1], sent[3], sent[4]]


async def test_metrics_of_a_group(topic: Topic, prefix: str) -> None:
    sent = [metric(Scope("A1"), counted) for counted in (1, 2)]
    await topic.send([keyed(each) for each in sent])
    found = subscribe_metrics(
        topic.broker.url, topic=topic.name, start="beginning", follow=False, group=f"{prefix}group"
    )
    assert [each async for each in found] == sent


@pytest.mark.parametrize("group", [None, "group"])
@pytest.mark.parametrize("start", ["now", "beginning"])
async def test_a_missing_topic_is_one_line_and_not_created(
    broker: Broker, prefix: str, start: Start, group: str | None
) -> None:
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(TopicError) as raised:
            await anext(subscribe_alerts(broker.url, topic=f"{prefix}none", start=start, group=group))
        assert time.monotonic() - started < 2
        assert str(raised.value) == (
            f"topic {prefix}none at {broker.url} is missing; create it with `vtr topics create`"
        )
    with pytest.raises(BrokerError, match="is missing"):
        await latest_metrics(broker.url, topic=f"{prefix}none")


async def test_without_a_broker(caplog: pytest.LogCaptureFixture) -> None:
    started = time.monotonic()
    for subscription in (subscribe_alerts("kafka://127.0.0.1:1"), subscribe_metrics("kafka://127.0.0.1:1")):
        with pytest.raises(BrokerError, match=r"^cannot reach a Kafka broker at 127\.0\.0\.1:1: Connection refused"):
            await anext(subscription)
    assert time.monotonic() - started < 2
    assert not caplog.records


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seller_ids": "A1"}, TypeError, r"seller_ids must be a collection such as \{'A1'\}, not a string"),
        ({"types": ["vtr-breach"]}, ValueError, "types: 'vtr-breach' is none of vtr-at-risk, vtr-breached"),
        ({"severities": ["high"]}, ValueError, "severities: 'high' is none of critical, warning, info"),
        ({"statuses": ["bad"]}, ValueError, "statuses: 'bad' is none of ok, at_risk, breached"),
        ({"scope": "all"}, ValueError, "scope: 'all' is none of seller, marketplace, category"),
        ({"start": "end"}, ValueError, "start: 'end' is none of now, beginning"),
        ({"group": ""}, ValueError, "group must have a name"),
        ({"broker": "http://x"}, ValueError, "Expected kafka://host:port"),
    ],
)
def test_arguments_that_cannot_be_meant(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        subscribe_alerts(**options)


@pytest.mark.parametrize("group", ["", "group"])
async def test_a_break_releases_everything(topic: Topic, prefix: str, group: str) -> None:
    await topic.producer.stop()
    async with Topic(topic.broker, topic.name).producer as producer:
        topic.producer = producer
        await topic.send(alerts(*"abc"))
    assert only_this_task()
    async for _ in topic.alerts(start="beginning", group=prefix + group if group else None):
        break
    await eventually(only_this_task)


async def test_a_cancelled_subscriber_releases_everything(topic: Topic) -> None:
    await topic.producer.stop()

    async def follow() -> None:
        async for _ in topic.alerts():
            pass

    for seconds in (0.0, 0.005, 0.02, 0.5):
        task = asyncio.create_task(follow())
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(only_this_task)


SCRIPT = """\
import asyncio, gc, sys, time
from stream.kafka import clients as kafka
from stream.subscribe import subscribe_alerts

kafka.SESSION_TIMEOUT_MS = {session}

async def main(broker, topic, group):
    global left
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is no news
    async for alert in subscribe_alerts(broker, topic=topic, start="beginning", group=group or None):
        print(alert.alert_id)
        if alert.alert_id == "b":
            left = time.monotonic()
            {leave}

try:
    asyncio.run(main(*sys.argv[1:]))
except ZeroDivisionError:
    pass
gc.collect()
print(time.monotonic() - left < 1)
"""


@pytest.mark.parametrize("group", ["", "group"])
@pytest.mark.parametrize("leave", ["break", "return", "1 / 0"])
async def test_a_program_may_end_in_the_loop(topic: Topic, prefix: str, leave: str, group: str) -> None:
    await topic.send(alerts(*"abc"))
    result = await asyncio.to_thread(
        subprocess.run,
        [
            *(sys.executable, "-X", "dev", "-c", SCRIPT.format(leave=leave, session=kafka.SESSION_TIMEOUT_MS)),
            *(topic.broker.url, topic.name, prefix + group if group else ""),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (result.stdout, result.stderr, result.returncode) == ("a\nb\nTrue\n", "", 0)


async def test_alert_ids_are_what_repeats_are_known_by(topic: Topic) -> None:
    first = alert("a")
    await topic.send([keyed(first), keyed(replace(first, severity="warning"))])
    assert await topic.all_alerts() == ["a"]


# --- From a shell ----------------------------------------------------------------------------------------------------


def shown(*arguments: str) -> tuple[list[str], str]:
    """The lines of a ``vtr`` command, and what it said besides."""
    done = vtr(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines(), done.stderr.decode()


async def test_a_shell_has_the_alerts_of_all_partitions_in_order_of_time(broker: Broker, prefix: str) -> None:
    topic = Topic(broker, f"{prefix}topic")
    await topic.create(partitions=3)
    async with topic.producer:
        for number in (5, 1, 4, 2, 3):
            raised = replace(alert(f"a{number}"), since=NOON + timedelta(minutes=number))
            await topic.send([keyed(raised)], partition=number % 3)
    options = ("--alerts-topic", topic.name, "--broker", broker.url)
    lines, said = await asyncio.to_thread(shown, "alerts", "--json", *options)
    assert [json.loads(line)["alert_id"] for line in lines] == ["a1", "a2", "a3", "a4", "a5"]
    assert said == ""


async def test_a_shell_has_the_worst_of_those_that_can_have_a_status_first(topic: Topic) -> None:
    rates = {"a": (100, 0.9), "b": (20, 0.85), "c": (19, 0.1), "d": (2, 0.0), "e": (0, None), "f": (30, 1.0)}
    sent = []
    for seller_id, (counted, rate) in rates.items():
        of_seller = metric(Scope(seller_id, None, None), counted)
        sent.append(keyed(replace(of_seller, live=replace(of_seller.live, vtr=rate))))
    await topic.send(sent)
    options = ("metrics", "--json", "--metrics-topic", topic.name, "--broker", topic.broker.url, "--worst")
    for more, expected in ((("9",), "bafdc"), (("2",), "ba"), (("9", "--min-counted", "19"), "cbafd")):
        lines, _ = await asyncio.to_thread(shown, *options, *more)
        assert "".join(json.loads(line)["seller_id"] for line in lines) == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("alerts",), "there are no alerts on {topic} at {broker}\n"),
        (("alerts", "--json", "--seller", "A1"), "there are no such alerts on {topic} at {broker}\n"),
        (("metrics",), "there are no metrics on {topic} at {broker}\n"),
        (("metrics", "--worst", "3"), "there are no such metrics on {topic} at {broker}\n"),
        (("dead-letters",), "there are no dead letters on {topic} at {broker}\n"),
        (("dead-letters", "--summary", "--topic", "x"), "there are no such dead letters on {topic} at {broker}\n"),
    ],
)
async def test_a_shell_is_told_that_there_is_nothing(topic: Topic, arguments: tuple[str, ...], said: str) -> None:
    option = f"--{arguments[0]}-topic"
    lines, error = await asyncio.to_thread(shown, *arguments, option, topic.name, "--broker", topic.broker.url)
    assert (lines, error) == ([], said.format(topic=topic.name, broker=topic.broker.url))


async def test_a_shell_that_follows_is_told_of_an_outage_once(capsys: pytest.CaptureFixture[str]) -> None:
    with EmbeddedBroker() as broker:
        async with connected_admin(Cluster(broker=broker.url)) as admin:
            await admin.create_topics([NewTopic("alerts", 1, 1)])
        following = show_as_they_come(subscribe_alerts(broker.url, topic="alerts", start="beginning"), repr)
        task = asyncio.create_task(following)
        await asyncio.sleep(0.5)
        broker.kill()
        await asyncio.sleep(1.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vtr: waiting for the broker: ")


def test_an_outage_is_told_once_a_minute_and_what_is_else_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    client = logging.getLogger("aiokafka.client")
    with outages_told_once(lambda: now):
        for second in range(130):
            now = 100.0 + second
            client.error("Unable connect to node with id %s: %s", 1, "refused")
            client.warning("Unable to update metadata from %s", [1])
            if second == 70:
                client.error("Topic %s not found in cluster metadata", "alerts")
    client.error("Unable connect to node with id %s: %s", 1, "refused")
    told = "vtr: waiting for the broker: Unable connect to node with id 1: refused"
    assert capsys.readouterr().err.splitlines() == [
        told,
        told,
        "vtr: Topic alerts not found in cluster metadata",
        told,
    ]


async def test_a_rebalance_while_a_group_asks_whether_it_is_let_in_is_not_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was fetched before is another member's now: it must not be taken for done, and be committed, here."""
    source = reader.Source(Cluster(), "alerts", "now", "mailer", follow=True)
    member = reader._Member(source, "mailer", [TopicPartition("alerts", 0)], {})

    class Consumer:
        async def getmany(self, **_: int) -> dict[TopicPartition, list[int]]:
            """Each record is the number of the assignment that it was fetched under."""
            return {TopicPartition("alerts", 0): [member._generation]}

    async def ask() -> None:
        await member.on_partitions_revoked(set())

    monkeypatch.setattr(member, "_consumer", Consumer(), raising=False)
    monkeypatch.setattr(member, "_require_entry", ask)
    for _ in range(2):
        assert await member.fetch() == [member._fetched]
