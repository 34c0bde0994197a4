"""One run: a cluster, workers, a flow of events, faults from a seed, and the checks."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic

from msgspec import Struct, field
from msgspec.structs import replace

from stream.settings import Settings
from stream.topics import create_topics
from tests.chaos import checks
from tests.chaos.cluster import Cluster
from tests.chaos.faults import Happened, Scene, schedule
from tests.chaos.feed import Feed
from tests.chaos.flow import Flow
from tests.chaos.workers import Workers
from tests.worker.deployment import Deployment
from tests.worker.expected import MEMORYLESS

WORKERS = 3
PARTITIONS = 12
REPLICATION = 3


class Outcome(Struct):
    """What a run saw."""

    seed: int
    happened: list[Happened] = field(default_factory=list)
    records: int = 0
    dead_letters: int = 0
    scopes: int = 0
    alerts: int = 0
    repeated_alerts: int = 0
    seconds: float = 0.0


async def run(seed: int, folder: Path, say: Callable[[str], None]) -> Outcome:
    """Let it all happen.

    Raises AssertionError where something is wrong in the end, and :class:`~tests.chaos.cluster.TooLateError` where a
    fault had no effect. What the workers said is in ``folder``.
    """
    began = monotonic()
    random = Random(seed)  # noqa: S311 - faults, not secrets
    rounds = schedule(random)
    outcome = Outcome(seed)
    say(f"seed {seed}: {', then '.join('; '.join(faults) for faults in rounds)}")
    with TemporaryDirectory(prefix="vtr-chaos-") as stored, Cluster(Path(stored)) as cluster:
        async with AsyncExitStack() as stack:
            deployment = Deployment(_settings(cluster), folder)
            stack.callback(deployment.end)
            await create_topics(deployment.settings)
            feed = Feed(deployment.settings, seed)
            flow = Flow(deployment.settings, feed)
            await flow.open()
            stack.push_async_callback(flow.close)
            workers = Workers(cluster, deployment, Path(stored))
            scene = Scene(cluster, workers, flow, random)
            await flow.send(feed.history(datetime.now(UTC)))
            await flow.pause()
            for _ in range(WORKERS):
                workers.start(workers.new_slot())
            await workers.settled()
            await deployment.eventually(deployment.all_committed)
            say(f"{monotonic() - began:.0f} s: the cluster runs, and the history is read")
            for number, faults in enumerate(rounds):
                feed.is_repairing = number > 0
                flow.begin()
                for fault in faults:
                    happened = await scene.happens(fault)
                    outcome.happened.append(happened)
                    say(f"{monotonic() - began:.0f} s: {happened}")
                await flow.pause()
                await _check(deployment, flow, outcome)
                say(
                    f"{monotonic() - began:.0f} s: {outcome.records} records, {outcome.scopes} scopes, "
                    f"{outcome.alerts} alerts, {outcome.repeated_alerts} of them again, "
                    f"{outcome.dead_letters} dead letters: all as they must be"
                )
            await _rebuild(deployment, workers, flow, folder / "rebuilt")
            say(f"{monotonic() - began:.0f} s: a new worker made the same state of the changelog")
    assert [each.fault for each in outcome.happened] == [fault for faults in rounds for fault in faults]
    outcome.seconds = monotonic() - began
    return outcome


async def _check(deployment: Deployment, flow: Flow, outcome: Outcome) -> None:
    """All that must be true when all is read."""
    await deployment.eventually(deployment.all_committed)
    # Time must have reached the clock: until then, one shipped a moment ago may not count yet.
    await asyncio.sleep(deployment.settings.idle_after)
    read = await checks.read(deployment, flow.sent)
    await deployment.eventually(checks.metrics_are_exact, deployment, read.expected)
    outcome.alerts, outcome.repeated_alerts = await checks.alerts_are_whole(deployment, read.expected)
    await checks.dead_letters_are_exact(deployment, read.letters)
    await deployment.all_committed()
    outcome.records, outcome.dead_letters = read.records, len(read.letters)
    outcome.scopes = len(read.expected.metrics(datetime.now(UTC)))


async def _rebuild(deployment: Deployment, workers: Workers, flow: Flow, folder: Path) -> None:
    """A worker that has nothing but the changelog publishes the metrics of all scopes anew, to a topic of its own."""
    for slot in workers.present:
        await asyncio.to_thread(slot.process.stop)
    workers.present.clear()
    said = await deployment.ends(deployment.settings.alerts_topic)
    settings = replace(deployment.settings, metrics_topic=f"{deployment.settings.metrics_topic}-rebuilt")
    await create_topics(settings)
    rebuilt = Deployment(settings, folder)
    try:
        rebuilt.start()
        read = await checks.read(deployment, flow.sent)
        await rebuilt.eventually(checks.metrics_are_exact, rebuilt, read.expected)
        rebuilt.workers[0].stop()
    finally:
        rebuilt.end()
    assert await deployment.ends(deployment.settings.alerts_topic) == said, "and says no alert again"


def _settings(cluster: Cluster) -> Settings:
    return Settings(
        broker=cluster.url,
        partitions=PARTITIONS,
        replication=REPLICATION,
        metrics_interval=0.5,
        idle_after=1.0,
        batch_size=200,
        # The least that Apache Kafka allows.
        session_timeout=6.0,
        rebalance_timeout=15.0,
        web_port=0,
        log_format="text",
        **MEMORYLESS,  # type: ignore[arg-type]
    )
