"""A worker that stops, or is killed, is followed by one that goes on as if nothing had happened."""

import re
from pathlib import Path

import pytest

from stream.embedded import free_port
from stream.state.rocks import RocksStore
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment
from tests.worker.expected import MEMORYLESS, alerts_are_whole, metrics_are_as_computed
from tests.worker.history import simulated
from tests.worker.process import WorkerProcess
from tests.worker.web import get


async def persisted_and_end(deployment: Deployment) -> dict[int, tuple[int | None, int]]:
    """Of each partition, the changelog offset that its database holds, and the changelog's last."""
    settings = deployment.settings
    held = {}
    for partition, end in (await deployment.ends(settings.changelog_topic)).items():
        store = RocksStore(Path(settings.data_dir) / settings.group / str(partition.partition))
        held[partition.partition] = (store.offset, end - 1)
        store.close()
    return held


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
async def test_after_a_stop_and_a_crash_nothing_is_missing(deploy: Deploy, store: str) -> None:
    # Small batches, so that there are some under way whenever the worker is killed.
    deployment = await deploy(store=store, batch_size=20, **MEMORYLESS)
    history = simulated(deployment.settings, 4500, sellers=12)

    await deployment.send(history[:1500])
    worker = deployment.start()
    await deployment.eventually(deployment.all_committed)
    worker.stop()
    if store == "rocksdb":
        # So the next start reads the changelog's tail, and not all of it.
        assert all(held == last for held, last in (await persisted_and_end(deployment)).values())

    await deployment.send(history[1500:3000])
    before = await deployment.ends(deployment.settings.changelog_topic)

    async def has_begun() -> None:
        assert await deployment.ends(deployment.settings.changelog_topic) != before

    worker = deployment.start()
    await deployment.eventually(has_begun)
    worker.kill()
    assert await deployment.committed() != await deployment.input_ends()
    if store == "rocksdb":
        # What the changelog does not have, no successor elsewhere could restore.
        assert all(held is None or held <= last for held, last in (await persisted_and_end(deployment)).values())

    await deployment.send(history[3000:])
    worker = deployment.start()
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, history)
    worker.stop()
    assert await alerts_are_whole(deployment)
    assert not await deployment.dead_letters()


async def test_a_stopped_worker_goes_on_with_its_windows_and_a_killed_one_counts_anew(deploy: Deploy) -> None:
    deployment = await deploy(store="rocksdb", web_port=free_port(), **MEMORYLESS)
    history = simulated(deployment.settings, 2400, sellers=12)

    async def work(until: int) -> WorkerProcess:
        await deployment.send(history[until - 800 : until])
        worker = deployment.start()
        await deployment.eventually(deployment.all_committed)
        await deployment.eventually(metrics_are_as_computed, deployment, history[:until])
        assert b"\nvtr_restore_duration_seconds " in (await get(deployment.settings, "/metrics")).body
        return worker

    def begins(worker: WorkerProcess) -> set[tuple[str, str]]:
        return set(re.findall(r"partition (\d): windows (as they were kept|counted anew|kept for)", worker.output))

    anew, went_on = ({(number, how) for number in "01"} for how in ("counted anew", "as they were kept"))
    worker = await work(800)
    worker.stop()
    assert begins(worker) == anew | {("0", "kept for"), ("1", "kept for")}
    worker = await work(1600)
    worker.kill()
    assert begins(worker) == went_on
    # Its database is as it was before it started, with the windows of then; the changelog has the rest.
    worker = await work(2400)
    worker.stop()
    assert begins(worker) >= anew
    assert not begins(worker) & went_on
    assert await alerts_are_whole(deployment)
