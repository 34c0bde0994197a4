"""One soak: a worker, its parcels, a steady flow, and a look each second."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic, time

from msgspec import Struct
from msgspec.structs import replace

from stream.embedded import free_port
from stream.settings import Settings
from stream.topics import create_topics
from tests.monitoring.exposition import Said, parsed
from tests.soak.feed import SteadyFeed
from tests.soak.samples import Sample, troubles
from tests.worker.deployment import Deployment
from tests.worker.web import get, is_ready

TELL_EVERY = 30.0

TOPIC_BYTES = 64 * 1024 * 1024
"""What the topics of a long run may take of the disk, each partition."""


class Soaked(Struct):
    """What came of it."""

    samples: list[Sample]
    """From after the warm-up."""
    troubles: list[str]


async def soak(
    settings: Settings, folder: Path, *, rate: int, warm_up: float, seconds: float, say: Callable[[str], None]
) -> Soaked:
    """Let a worker of these settings run for ``warm_up`` and ``seconds`` at ``rate`` events per second."""
    settings = replace(settings, web_port=free_port())
    deployment = Deployment(settings, folder)
    await create_topics(settings)
    feed = SteadyFeed(settings, rate)
    worker = deployment.start()
    flow: asyncio.Task[None] | None = None
    try:
        await deployment.send(feed.parcels())
        await deployment.eventually(deployment.all_committed)
        await deployment.eventually(is_ready, settings)
        flow = asyncio.create_task(feed.flow())
        samples: list[Sample] = []
        began = told_at = monotonic()
        while (elapsed := monotonic() - began) < warm_up + seconds:
            worker.check()
            if flow.done():
                flow.result()
            sample = await _look(settings, worker.pid, elapsed)
            if elapsed >= warm_up:
                samples.append(sample)
            if monotonic() - told_at >= TELL_EVERY or not told_at > began:
                told_at = monotonic()
                say(f"{_line(sample)}{'' if samples else '  (warming up)'}")
            await asyncio.sleep(1.0)
        flow.cancel()
        await asyncio.gather(flow, return_exceptions=True)
        await deployment.eventually(deployment.all_committed)
        worker.stop()
    finally:
        if flow is not None:
            flow.cancel()
        deployment.end()
    return Soaked(samples, troubles(samples, rate))


async def _look(settings: Settings, pid: int, elapsed: float) -> Sample:
    said = parsed((await get(settings, "/metrics")).body.decode())
    return Sample(
        seconds=elapsed,
        events=_sum(said, "vtr_events_total"),
        rss_mb=said["process_resident_memory_bytes"][()] / 1e6,
        open_files=_sum(said, "process_open_fds"),
        threads=len(list(Path(f"/proc/{pid}/task").iterdir())),  # noqa: ASYNC240 - no disk is behind it
        tasks=_sum(said, "vtr_tasks"),
        shipments=_sum(said, "vtr_shipments"),
        lag=_sum(said, "vtr_lag_records"),
        commits=_sum(said, "vtr_commits_total"),
        commit_age=time() - said["vtr_last_commit_timestamp_seconds"][()],
    )


def _sum(said: Said, name: str) -> int:
    return int(sum(said[name].values()))


def _line(sample: Sample) -> str:
    return (
        f"{sample.seconds:6.0f} s  {sample.events:>10,} events  {sample.rss_mb:6.1f} MB  {sample.open_files} files  "
        f"{sample.threads} threads  {sample.tasks} tasks  lag {sample.lag:,}  {sample.commits:,} commits"
    )
