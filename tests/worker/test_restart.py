"""A worker that stops, or is killed, is followed by one that goes on as if nothing had happened."""

from pathlib import Path

import pytest

from stream.state.rocks import RocksStore
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment
from tests.worker.expected import MEMORYLESS, alerts_are_whole, metrics_are_as_computed
from tests.worker.history import simulated


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
