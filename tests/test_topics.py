"""Declaring and checking topics, on a real broker."""

import asyncio

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from msgspec.structs import replace

from stream.kafka.clients import BrokerError, connected_admin, partition_counts
from stream.settings import Settings
from stream.topics import TopicError, TopicSpec, check_topics, create_topics, required_topics
from tests.brokers import Broker
from tests.environment import own_settings

DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
def settings(broker: Broker, prefix: str) -> Settings:
    return replace(own_settings(broker.url, prefix), partitions=3)


def names(settings: Settings) -> list[str]:
    return [spec.name for spec in required_topics(settings)]


async def existing(settings: Settings) -> dict[str, int]:
    async with connected_admin(settings) as admin:
        counts = await partition_counts(admin)
    return {name: counts[name].total for name in names(settings) if name in counts}


def test_required_topics() -> None:
    compacted = {"cleanup.policy": "compact"}
    assert required_topics(Settings(partitions=8, replication=3)) == [
        TopicSpec("order-shipped", 8, 3, {}),
        TopicSpec("tracking-uploaded", 8, 3, {}),
        TopicSpec("tracking-scanned", 8, 3, {}),
        TopicSpec("vtr-metrics", 8, 3, compacted),
        TopicSpec("vtr-alerts", 8, 3, compacted | {"min.compaction.lag.ms": str(90 * DAY_MS)}),
        TopicSpec(
            "vtr-dead-letters",
            8,
            3,
            {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS), "max.message.bytes": "2097152"},
        ),
        TopicSpec("vtr-shipments-changelog", 8, 3, compacted),
    ]


def test_scans_are_optional() -> None:
    assert "tracking-scanned" not in names(Settings(tracking_scanned_topic=""))


async def test_create_is_idempotent(settings: Settings) -> None:
    first = await create_topics(settings)
    assert (first.created, first.existing) == (names(settings), [])
    second = await create_topics(settings)
    assert (second.created, second.existing) == ([], names(settings))
    assert await existing(settings) == dict.fromkeys(names(settings), 3)
    assert await check_topics(settings) == 3


async def test_created_at_the_same_time(settings: Settings) -> None:
    reports = await asyncio.gather(*(create_topics(settings) for _ in range(3)))
    assert sorted(name for report in reports for name in report.created) == sorted(names(settings))
    assert all({*report.created, *report.existing} == set(names(settings)) for report in reports)


async def test_configs_reach_the_broker(settings: Settings) -> None:
    await create_topics(settings)
    async with connected_admin(settings) as admin:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names(settings)]
        (response,) = await admin.describe_configs(resources)
    found = {name: {config[0]: config[1] for config in configs} for _, _, _, name, configs in response.resources}
    for spec in required_topics(settings):
        assert spec.configs.items() <= found[spec.name].items()


async def test_only_what_is_missing_is_created(settings: Settings) -> None:
    await create_topics(settings)
    more = replace(settings, metrics_topic=f"{settings.metrics_topic}-2")
    report = await create_topics(more)
    assert report.created == [more.metrics_topic]
    assert report.existing == [name for name in names(settings) if name != settings.metrics_topic]


async def test_create_names_the_topic_with_another_number(settings: Settings) -> None:
    await create_topics(settings)
    wanted = replace(
        settings,
        partitions=5,
        group=f"{settings.group}-2",
        order_shipped_topic=f"{settings.order_shipped_topic}-2",
        tracking_uploaded_topic=f"{settings.tracking_uploaded_topic}-2",
        tracking_scanned_topic="",
        metrics_topic=f"{settings.metrics_topic}-2",
        dead_letters_topic=f"{settings.dead_letters_topic}-2",
    )
    with pytest.raises(TopicError, match=f"must have 5 partitions, but {settings.alerts_topic} has 3; ") as raised:
        await create_topics(wanted)
    assert "\n" not in str(raised.value)
    assert await existing(wanted) == {settings.alerts_topic: 3}


async def test_check_names_every_missing_topic_and_creates_none(settings: Settings) -> None:
    for _ in range(2):
        with pytest.raises(TopicError) as raised:
            await check_topics(settings)
        assert str(raised.value) == (
            f"topics {', '.join(names(settings))} at {settings.broker} are missing; "
            "create them with `vtr topics create`"
        )


async def test_check_names_one_missing_topic(settings: Settings) -> None:
    await create_topics(settings)
    with pytest.raises(TopicError) as raised:
        await check_topics(replace(settings, alerts_topic="nope"))
    assert str(raised.value) == (f"topic nope at {settings.broker} is missing; create it with `vtr topics create`")


async def test_check_names_different_numbers(settings: Settings) -> None:
    await create_topics(settings)
    scanned = f"{settings.tracking_scanned_topic}-2"
    others = {
        name: f"{getattr(settings, name)}-2"
        for name in ("order_shipped_topic", "tracking_uploaded_topic", "metrics_topic", "alerts_topic", "group")
    }
    await create_topics(
        replace(
            settings,
            partitions=2,
            tracking_scanned_topic=scanned,
            dead_letters_topic=f"{settings.dead_letters_topic}-2",
            **others,
        )
    )
    with pytest.raises(TopicError, match=f"{settings.order_shipped_topic} has 3, .*{scanned} has 2, ") as raised:
        await check_topics(replace(settings, tracking_scanned_topic=scanned))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("setting", ["alerts_topic", "changelog_topic"])
async def test_check_names_a_topic_that_forgets(settings: Settings, setting: str) -> None:
    name = getattr(settings, setting)
    async with connected_admin(settings) as admin:
        await admin.create_topics([NewTopic(name, 3, 1, topic_configs={"cleanup.policy": "delete"})])
    await create_topics(settings)
    with pytest.raises(TopicError) as raised:
        await check_topics(settings)
    assert str(raised.value) == (
        f"topic {name} at {settings.broker} has the cleanup.policy delete, and so forgets what workers need; "
        "set it to compact"
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"alerts_topic": "vtr-metrics"}, "topic vtr-metrics cannot be both `metrics_topic` and `alerts_topic`"),
        (
            {"dead_letters_topic": "tracking-scanned"},
            "topic tracking-scanned cannot be both an input topic and `dead_letters_topic`",
        ),
        (
            {"order_shipped_topic": "vtr-shipments-changelog"},
            "topic vtr-shipments-changelog cannot be both an input topic and the changelog",
        ),
    ],
)
@pytest.mark.parametrize("command", [create_topics, check_topics])
async def test_a_topic_has_one_purpose(command: type, names: dict[str, str], said: str) -> None:
    with pytest.raises(TopicError) as raised:
        await command(replace(Settings(broker="kafka://127.0.0.1:1"), **names))
    assert str(raised.value) == said


async def test_check_goes_by_the_topics_not_by_the_setting(settings: Settings) -> None:
    await create_topics(settings)
    assert await check_topics(replace(settings, partitions=64)) == 3


@pytest.mark.kafka_only(reason="it has no replicas")
async def test_what_the_broker_refuses_is_one_line(settings: Settings) -> None:
    with pytest.raises(TopicError, match=r"refuses topic .*replication factor") as raised:
        await create_topics(replace(settings, replication=3))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("command", [create_topics, check_topics])
async def test_without_a_broker(command: type) -> None:
    with pytest.raises(BrokerError, match=r"cannot reach a Kafka broker at 127\.0\.0\.1:1: Connection refused"):
        await command(Settings(broker="kafka://127.0.0.1:1"))
