"""What goes wrong, each with the effect that shows that it did: a fault without effect fails the run."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from time import monotonic
from typing import NamedTuple

from stream.kafka.clients import TopicPartition
from tests.chaos.cluster import Cluster, Members, Replicas, TooLateError, until
from tests.chaos.flow import Flow
from tests.chaos.workers import Slot, Workers

PATIENCE = 60.0
"""Seconds for what takes ten on a quiet machine."""

KILLED = -9
"""The exit code of a process that was ended by SIGKILL."""

ZOMBIE_LINGERS = 3.0
"""Seconds the others work on a frozen worker's partitions before it goes on: by then its own state is old."""


class Happened(NamedTuple):
    """A fault that had its effect."""

    fault: str
    seconds: float
    effect: str
    flowed: int
    """Records that the brokers took meanwhile."""

    def __str__(self) -> str:
        return f"{self.fault} ({self.seconds:.1f} s, {self.flowed} records meanwhile): {self.effect}"


@dataclass
class Scene:
    """What faults happen to."""

    cluster: Cluster
    workers: Workers
    flow: Flow
    random: Random

    async def happens(self, fault: str) -> Happened:
        """Let it happen. Raises :class:`TooLateError` where its effect is not seen."""
        began, before = monotonic(), self.flow.acknowledged
        # Not at the same point of a batch's way each time.
        await asyncio.sleep(self.random.uniform(0.2, 1.5))
        effect = await FAULTS[fault](self)
        flowed = self.flow.acknowledged - before
        if not flowed:
            raise TooLateError(f"{fault}: the brokers took no record meanwhile")
        return Happened(fault, monotonic() - began, effect, flowed)


async def kill_a_worker(scene: Scene) -> str:
    """SIGKILL, and a new one in its place once the others have its partitions."""
    victim, before, its = await _choose(scene)
    victim.process.kill()
    if victim.process.exit_code != KILLED:
        raise TooLateError(f"{victim.process.name} ended with {victim.process.exit_code}")
    scene.workers.leave(victim)
    taken_over = await _taken_over(scene, before, its)
    scene.workers.start(victim)
    await scene.workers.settled()
    return f"{victim.process.name} took over from one that ended with {KILLED}, whose {taken_over}"


async def freeze_a_worker(scene: Scene) -> str:
    """SIGSTOP past its session, while the others work on its partitions; then it goes on, knowing nothing."""
    victim, before, its = await _choose(scene)
    victim.process.freeze()
    try:
        scene.workers.leave(victim)
        taken_over = await _taken_over(scene, before, its)
        await asyncio.sleep(ZOMBIE_LINGERS)
    finally:
        victim.process.thaw()
    scene.workers.come_back(victim)
    after = await scene.workers.settled()
    if not after.keys() - before.keys():
        raise TooLateError(f"{victim.process.name} is no new member of the group")
    return f"{victim.process.name} was frozen, its {taken_over}, and it came back as another member"


async def add_a_worker(scene: Scene) -> str:
    """One more."""
    before = await scene.workers.settled()
    scene.workers.start(scene.workers.new_slot())
    after = await scene.workers.settled()
    (added,) = after.keys() - before.keys()
    if not after[added]:
        raise TooLateError("the new worker has no partitions")
    return f"the new worker got partitions {_list(after[added])}"


async def remove_a_worker(scene: Scene) -> str:
    """One stops as a supervisor stops it."""
    victim, before, its = await _choose(scene)
    scene.workers.leave(victim)
    await asyncio.to_thread(victim.process.stop)
    return f"{victim.process.name} ended with 0, its {await _taken_over(scene, before, its)}"


async def kill_the_leading_broker(scene: Scene) -> str:
    """SIGKILL to the broker that leads most partitions; it comes back with what it stored."""
    cluster, topics = scene.cluster, scene.workers.topics

    async def all_in_sync() -> dict[TopicPartition, Replicas] | None:
        replicas = await cluster.replicas(topics)
        return replicas if all(len(each.in_sync) == len(cluster.nodes) for each in replicas.values()) else None

    before = await until(all_in_sync, PATIENCE, "every broker has all of every partition")
    leaders = [each.leader for each in before.values()]
    leading = max(cluster.nodes, key=leaders.count)
    its = [partition for partition, each in before.items() if each.leader == leading]

    async def others_lead() -> bool:
        now = await cluster.replicas(topics)
        return all(now[partition].leader not in (leading, -1) for partition in its)

    node = cluster.nodes[leading]
    node.kill()
    if node.pid is not None:
        raise TooLateError(f"broker {leading} still runs")
    await until(others_lead, PATIENCE, f"others lead what broker {leading} led")
    # The group's coordinator may have been there too: workers must find another.
    await scene.workers.settled()
    node.launch()
    await asyncio.to_thread(node.wait_until_ready)
    await until(all_in_sync, PATIENCE, f"broker {leading} is back in sync")
    return f"broker {leading} led {len(its)} of {len(before)} partitions; others took over, and it came back in sync"


FAULTS: dict[str, Callable[[Scene], Awaitable[str]]] = {
    function.__name__.replace("_", " "): function
    for function in (kill_a_worker, freeze_a_worker, add_a_worker, remove_a_worker, kill_the_leading_broker)
}

ROUNDS = (
    ("kill a worker", "freeze a worker", "add a worker"),
    ("kill the leading broker", "kill a worker", "freeze a worker", "remove a worker"),
)
"""What the short run has; the order within a round is drawn."""


def schedule(random: Random) -> list[list[str]]:
    """The faults of a run, round by round."""
    return [random.sample(faults, len(faults)) for faults in ROUNDS]


async def _choose(scene: Scene) -> tuple[Slot, Members, frozenset[int]]:
    """A worker, the group as it is, and the partitions that the worker has."""
    members = await scene.workers.settled()
    victim = scene.random.choice(scene.workers.present)
    return victim, members, await scene.workers.partitions_of(victim)


async def _taken_over(scene: Scene, before: Members, its: frozenset[int]) -> str:
    """Wait until the member that had these partitions is gone, and the others have them."""
    (member,) = [each for each, partitions in before.items() if partitions == its]
    after = await scene.workers.settled()
    if member in after:
        raise TooLateError(f"the group still has the member with partitions {_list(its)}")
    return f"partitions {_list(its)} went to the others"


def _list(partitions: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(partitions)))
