"""Workers come, go and crash while events flow: the partitions move, and the result is as if nothing had happened."""

from msgspec.structs import replace

from stream.settings import Settings
from stream.topics import create_topics
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, Input
from tests.worker.expected import MEMORYLESS, alerts_are_whole, metrics_are_as_computed
from tests.worker.history import flowing, simulated

PARTITIONS = 4


class Members:
    """Tells which worker serves which partition: each has a dead-letter topic of its own, and gets bad records."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._topics: list[str] = []
        self._probes = 0

    async def settings(self) -> Settings:
        """Settings for one more worker of the group."""
        settings = self._deployment.settings
        topic = f"{settings.dead_letters_topic}-{len(self._topics)}"
        self._topics.append(topic)
        settings = replace(settings, dead_letters_topic=topic)
        await create_topics(settings)
        return settings

    async def share(self, *shares: int) -> None:
        """Asserts how many partitions each worker serves now, in the order of their starts; each is served once."""
        deployment = self._deployment
        self._probes += 1
        probe = b"probe %d" % self._probes
        topic = deployment.settings.order_shipped_topic
        await deployment.send(Input(topic, probe, None, partition=number) for number in range(PARTITIONS))

        async def answered() -> list[int]:
            answers = [
                {letter.partition for letter in await deployment.read(topic) if letter.key == probe}
                for topic in self._topics
            ]
            assert set().union(*answers) == set(range(PARTITIONS))
            return [len(partitions) for partitions in answers]

        assert await deployment.eventually(answered) == list(shares)


async def test_partitions_move_and_nothing_is_lost(deploy: Deploy) -> None:
    # Two workers share a folder, as on one machine. The third keeps its rows in memory: what it leaves behind is newer
    # than what the others' databases know.
    deployment = await deploy(store="rocksdb", partitions=PARTITIONS, batch_size=50, **MEMORYLESS)
    members = Members(deployment)
    history = simulated(deployment.settings, 8000, sellers=20)

    async with flowing(deployment, history, at_once=20):
        first = deployment.start(await members.settings())
        second = deployment.start(await members.settings())
        await deployment.eventually(members.share, 2, 2)
        first.stop()
        await deployment.eventually(members.share, 0, 4)
        third = deployment.start(replace(await members.settings(), store="memory"))
        await deployment.eventually(members.share, 0, 2, 2)
        third.kill()
        await deployment.eventually(members.share, 0, 4, 0)
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, history)
    second.stop()
    assert await alerts_are_whole(deployment)
    assert not await deployment.dead_letters()
