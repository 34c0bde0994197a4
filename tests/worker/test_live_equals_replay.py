"""The same history through Kafka and a worker, and through ``vtr replay``: the same numbers."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from stream.records import Metric, Scope, decode_metric
from tests.worker.conftest import Deploy
from tests.worker.expected import MEMORYLESS, dated
from tests.worker.history import simulated
from tests.worker.process import PROJECT


async def replayed(file: Path, as_of: datetime, out: Path) -> dict[Scope, Metric]:
    arguments = ["replay", str(file), "--as-of", as_of.isoformat(), "--metrics", str(out)]
    flags = [word for name, value in MEMORYLESS.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "stream",
        *arguments,
        *flags,
        cwd=file.parent,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
    return metrics_in(out)


def metrics_in(file: Path) -> dict[Scope, Metric]:
    metrics = map(decode_metric, file.read_bytes().splitlines())
    return {metric.scope: metric for metric in metrics}


async def test_live_equals_replay(deploy: Deploy, tmp_path: Path) -> None:
    deployment = await deploy(partitions=3, **MEMORYLESS)
    history = simulated(deployment.settings, 20_000, sellers=40)
    file = tmp_path / "history.ndjson"
    file.write_bytes(b"".join((record.value or b"") + b"\n" for record in history))
    await deployment.send(history)
    deployment.start()
    await deployment.eventually(deployment.all_committed)

    async def is_as_replayed() -> None:
        live, now = await deployment.metrics(), datetime.now(UTC)
        assert dated(live, now) == await replayed(file, now, tmp_path / "metrics.ndjson")

    await deployment.eventually(is_as_replayed)
    assert len(await deployment.metrics()) > 100
