"""Offsets with gaps on Apache Kafka, which compacts topics and can empty them: what is left is read, to its end."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from aiokafka.admin import NewTopic, RecordsToDelete

from stream.kafka.clients import connected_admin
from stream.topics import required_topics
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, Input
from tests.worker.expected import MEMORYLESS, metrics_are_as_computed
from tests.worker.shop import Shop

pytestmark = pytest.mark.kafka_only(reason="it does not compact")

AGO = datetime.now(UTC) - timedelta(hours=5)

COMPACTED_SOON = {
    "cleanup.policy": "compact",
    # Only what is not written to any more is compacted.
    "segment.ms": "500",
    "min.cleanable.dirty.ratio": "0.001",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "500",
    "delete.retention.ms": "0",
}
ROUNDS = 3
"""Segments that are written, each a second after the other."""


async def configured(deploy: Deploy, name: str, configs: dict[str, str], **changes: object) -> Deployment:
    """A deployment of one partition in which the topic of that setting is of another kind."""
    deployment = await deploy(topics=False, partitions=1, **MEMORYLESS, **changes)
    settings = deployment.settings
    special = {getattr(settings, name): configs}
    async with connected_admin(settings) as admin:
        await admin.create_topics(
            [
                NewTopic(
                    spec.name,
                    spec.partitions,
                    spec.replication,
                    topic_configs=special.get(spec.name, dict(spec.configs)),
                )
                for spec in required_topics(settings)
            ]
        )
    return deployment


async def has_gaps(deployment: Deployment, topic: str) -> None:
    """Asserts that records are gone, and that offsets are missing between those that are left."""
    offsets = [record.offset for record in await deployment.read(topic)]
    end = (await deployment.ends(topic))[deployment._partitions(topic)[0]]
    assert len(offsets) < end - 20, f"{len(offsets)} of {end} records are left"
    assert any(later - earlier > 1 for earlier, later in pairwise(offsets))


async def test_a_compacted_input_is_read_and_committed_to_its_end(deploy: Deploy) -> None:
    """Of each seller only the last event is left. The first record is among those that stay, at offset 0: that is the
    gap behind which Faust's own bookkeeping stops."""
    deployment = await configured(deploy, "order_shipped_topic", COMPACTED_SOON, batch_size=1)
    settings = deployment.settings
    shops = [Shop(settings, f"A{number}SELLER") for number in range(3)]
    once = Shop(settings, "A0ONCE")
    await deployment.send([once.ships(1, AGO)])
    for part in range(ROUNDS):
        await deployment.send(shop.ships(20 * part + number, AGO) for number in range(20) for shop in shops)
        await asyncio.sleep(1)
    await deployment.eventually(has_gaps, deployment, settings.order_shipped_topic)
    left = await deployment.read(settings.order_shipped_topic)
    assert left[0].offset == 0

    worker = deployment.start()
    # The committed one is that of the end: the last record's and one more, however many there are.
    await deployment.eventually(deployment.all_committed)
    history = [Input(record.topic, record.key, record.value) for record in left]
    await deployment.eventually(metrics_are_as_computed, deployment, history)
    worker.stop()


async def test_a_compacted_changelog_restores_the_same_state(deploy: Deploy) -> None:
    """What comes last of each row is all that is left of it."""
    deployment = await configured(deploy, "changelog_topic", COMPACTED_SOON)
    shop = Shop(deployment.settings, "A1SELLER")
    history = [shop.ships(number, AGO) for number in range(30)]
    worker = deployment.start()
    for part in range(ROUNDS):
        at = AGO + timedelta(minutes=part)
        # Every second parcel only once, so that its row stays between others that go.
        more = [shop.tracks(number, at, event_id=f"t{part}-{number}") for number in range(0, 30, 2 if part else 1)]
        await deployment.send([*history, *more] if part == 0 else more)
        history += more
        await deployment.eventually(deployment.all_committed)
        await asyncio.sleep(1)
    await deployment.eventually(has_gaps, deployment, deployment.settings.changelog_topic)
    worker.kill()
    await _goes_on_from(deployment, history)


async def test_an_emptied_changelog_restores_nothing_and_the_worker_starts(deploy: Deploy) -> None:
    """By hand, say: the first offset is then the end, and there is no record that recovery could wait for."""
    deployment = await configured(deploy, "changelog_topic", {"cleanup.policy": "compact,delete"})
    history = Shop(deployment.settings, "A1SELLER").sends(range(30), AGO)
    worker = deployment.start()
    await deployment.send(history)
    await deployment.eventually(deployment.all_committed)
    worker.kill()
    ends = await deployment.ends(deployment.settings.changelog_topic)
    async with connected_admin(deployment.settings) as admin:
        await admin.delete_records({place: RecordsToDelete(before_offset=end) for place, end in ends.items()})
    assert await deployment.read(deployment.settings.changelog_topic) == []
    await _goes_on_from(deployment, [])


async def _goes_on_from(deployment: Deployment, history: list[Input]) -> None:
    """A worker that has nothing but the changelog, and one more parcel, which tells that the partition is at work."""
    more = Shop(deployment.settings, "A1SELLER").sends([100], AGO)
    await deployment.send(more)
    deployment.start()
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, [*history, *more])
