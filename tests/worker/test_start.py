"""A worker that cannot start says so in one line, soon, and with an exit code that a supervisor sees."""

from pathlib import Path
from time import monotonic

from aiokafka.admin import NewTopic

from stream.kafka.clients import connected_admin
from stream.state.rocks import RocksStore
from stream.topics import required_topics
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment

SOON = 10.0

NO_PATIENCE = "import stream.worker.tables; stream.worker.tables.OPEN_TIMEOUT = 1.0"
"""A database may be closed late by its last owner, and for that a worker waits 20 s. A test need not."""


def fails_with_one_line(deployment: Deployment, patch: str | None = None) -> str:
    """The one line that a worker ends with."""
    started = monotonic()
    worker = deployment.start(patch=patch)
    assert worker.wait(3 * SOON) == 1
    assert monotonic() - started < SOON
    lines = worker.output.splitlines()
    assert len(lines) == 1, worker.output
    return lines[0]


async def test_an_unreachable_broker(deploy: Deploy) -> None:
    deployment = await deploy(topics=False, broker="kafka://127.0.0.1:1")
    line = fails_with_one_line(deployment)
    assert line.startswith("vtr: cannot reach a Kafka broker at 127.0.0.1:1: Connection refused")


async def test_missing_topics_are_named(deploy: Deploy) -> None:
    deployment = await deploy(topics=False)
    line = fails_with_one_line(deployment)
    assert line.endswith("are missing; create them with `vtr topics create`")
    assert [spec.name for spec in required_topics(deployment.settings) if spec.name not in line] == []


async def test_topics_whose_partition_counts_differ(deploy: Deploy) -> None:
    deployment = await deploy(topics=False)
    settings = deployment.settings
    counts = {spec.name: 2 for spec in required_topics(settings)}
    counts[settings.tracking_uploaded_topic] = 3
    async with connected_admin(settings) as admin:
        await admin.create_topics([NewTopic(name, count, 1) for name, count in counts.items()])
    line = fails_with_one_line(deployment)
    assert "must have the same number of partitions" in line
    assert f"{settings.order_shipped_topic} has 2" in line
    assert f"{settings.tracking_uploaded_topic} has 3" in line


async def test_a_database_that_another_process_holds(deploy: Deploy) -> None:
    deployment = await deploy(store="rocksdb", log_level="error")
    settings = deployment.settings
    folder = Path(settings.data_dir) / settings.group / "1"
    store = RocksStore(folder)
    try:
        line = fails_with_one_line(deployment, NO_PATIENCE)
    finally:
        store.close()
    assert f"stopped: cannot open the store in {folder}" in line
    assert "lock" in line.lower()


async def test_a_folder_that_cannot_be_used(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    deployment = await deploy(store="rocksdb", data_dir=str(tmp_path / "file" / "data"))
    line = fails_with_one_line(deployment)
    assert line == f"vtr: cannot use --data-dir {tmp_path / 'file' / 'data'}: Not a directory"
