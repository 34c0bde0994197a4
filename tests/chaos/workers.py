"""The workers of a run, and who of them has which partitions, by the brokers and by their own word."""

from pathlib import Path

from msgspec.structs import replace

from stream.embedded import free_port
from stream.settings import Settings
from tests.chaos.cluster import Cluster, Members, until
from tests.worker.deployment import Deployment
from tests.worker.process import WorkerProcess
from tests.worker.web import get

PATIENCE = 90.0
"""Seconds until a group has its partitions: a session that must end, a rebalance and a restore."""


class Slot:
    """The place of a worker: one that comes after it finds the same store and answers on the same port."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.process: WorkerProcess


class Workers:
    """The group. ``present`` are those that ought to be its members."""

    def __init__(self, cluster: Cluster, deployment: Deployment, folder: Path) -> None:
        self.present: list[Slot] = []
        self.topics = tuple(
            getattr(deployment.settings, name)
            for name in ("order_shipped_topic", "metrics_topic", "alerts_topic", "changelog_topic")
        )
        self._cluster = cluster
        self._deployment = deployment
        self._folder = folder
        self._slots = 0

    def new_slot(self) -> Slot:
        """A place for one more: every other one keeps its store on disk."""
        self._slots += 1
        settings = replace(
            self._deployment.settings,
            web_port=free_port(),
            store="memory" if self._slots % 2 else "rocksdb",
            data_dir=str(self._folder / f"data-{self._slots}"),
        )
        return Slot(settings)

    def start(self, slot: Slot) -> None:
        """Start a worker in a place."""
        slot.process = self._deployment.start(slot.settings)
        self.present.append(slot)

    def leave(self, slot: Slot) -> None:
        """It is to be no member any more."""
        self.present.remove(slot)

    def come_back(self, slot: Slot) -> None:
        """It is to be one again."""
        self.present.append(slot)

    async def settled(self) -> Members:
        """Wait until the group has as many members as it ought to, every partition has one of them, and each of them
        says that it works on its own."""
        settings = self._deployment.settings
        every = sorted(range(settings.partitions))

        async def look() -> Members | None:
            for worker in self._deployment.workers:
                worker.check()
            members = await self._cluster.members(settings.group, settings.order_shipped_topic)
            if members is None or len(members) != len(self.present):
                return None
            if sorted(number for partitions in members.values() for number in partitions) != every:
                return None
            try:
                said = [await self.partitions_of(slot) for slot in self.present]
            except AssertionError:
                return None
            return members if sorted(map(sorted, said)) == sorted(map(sorted, members.values())) else None

        return await until(look, PATIENCE, f"{len(self.present)} workers share {len(every)} partitions")

    async def partitions_of(self, slot: Slot) -> frozenset[int]:
        """What a worker says that it has. Raises AssertionError where it does not run yet or is not done."""
        facts = (await get(slot.settings, "/readyz")).json["facts"]
        assert facts["state"] == "running"
        return frozenset(facts["assigned_partitions"])
