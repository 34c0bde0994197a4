"""Workers on a broker that wants TLS and logins: they work, and say what keeps them out."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from stream import reader
from stream.embedded import free_port
from stream.kafka.clients import RefusedError
from stream.records import Metric
from stream.subscribe import subscribe_metrics
from tests.security.kafka import PASSWORD, SecureKafkaNode
from tests.worker.conftest import Deploy
from tests.worker.expected import MEMORYLESS, alerts_are_whole, metrics_are_as_computed
from tests.worker.history import simulated
from tests.worker.test_start import fails_with_one_line
from tests.worker.web import is_not_ready, is_ready

pytestmark = pytest.mark.kafka_only(reason="it knows neither TLS nor logins")

ANOTHER = "another-password"

IMPATIENT = """\
import stream.worker.health as health
health.STUCK_AFTER, health.ASK_WHY_EVERY = 3.0, 1.0
"""
"""A worker waits 20 s before it takes brokers for away. A test need not."""


async def test_a_worker_works_over_tls_with_a_login_and_restores(deploy: Deploy) -> None:
    deployment = await deploy(**MEMORYLESS)
    history = simulated(deployment.settings, 900, sellers=4)
    await deployment.send(history[:600])
    worker = deployment.start()
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, history[:600])
    worker.stop()

    # By another mechanism, and with a log as detailed as it can be: it has all requests, of which PLAIN's login is one.
    await deployment.send(history[600:])
    worker = deployment.start(replace(deployment.settings, sasl_mechanism="PLAIN", log_level="debug"))
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, history)
    worker.stop()
    assert await alerts_are_whole(deployment)
    assert "SaslHandShakeRequest" in worker.output
    assert not [line for line in worker.lines if PASSWORD in line]


async def test_a_worker_that_may_not_come_in_does_not_start(deploy: Deploy) -> None:
    deployment = await deploy(topics=False, sasl_password=ANOTHER)
    line = fails_with_one_line(deployment)
    assert line.startswith("vtr: the Kafka broker at 127.0.0.1:")
    assert " does not let user vtr in: " in line
    assert ANOTHER not in line


async def test_a_worker_without_its_files_does_not_start(deploy: Deploy, tmp_path: Path) -> None:
    deployment = await deploy(topics=False, ssl_ca_file=str(tmp_path / "gone.pem"))
    assert fails_with_one_line(deployment) == (
        f"vtr: cannot read `ssl_ca_file` {tmp_path / 'gone.pem'}: No such file or directory"
    )


async def test_who_is_let_in_no_more(deploy: Deploy, secure: SecureKafkaNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password changes: a worker says why it does nothing and goes on when it may, and a subscription ends."""
    deployment = await deploy(sasl_mechanism="PLAIN", web_port=free_port(), **MEMORYLESS)
    history = simulated(deployment.settings, 600, sellers=4)
    await deployment.send(history[:300])
    worker = deployment.start(patch=IMPATIENT)
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, history[:300])

    monkeypatch.setattr(reader, "AWAY_AFTER", 2.0)
    topic = deployment.settings.metrics_topic
    refused = asyncio.create_task(anext(subscribe_metrics(deployment.settings, topic=topic)))
    followed = asyncio.create_task(anext(subscribe_metrics(secure.login, topic=topic)))
    await asyncio.sleep(1.0)
    assert {refused.done(), followed.done()} == {False}
    why = f"the Kafka broker at {deployment.settings.servers[0]} does not let user vtr in: "
    secure.restart_with(ANOTHER)
    try:
        await deployment.eventually(is_not_ready, deployment.settings, why)
        with pytest.raises(RefusedError, match=why):
            await asyncio.wait_for(refused, 30)
    finally:
        secure.restart_with(PASSWORD)
    await deployment.send(history[300:])
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, history)
    await deployment.eventually(is_ready, deployment.settings)
    assert isinstance(await asyncio.wait_for(followed, 30), Metric), "with a password that holds it only waited"
    worker.stop()
    assert f"not ready: {why}" in worker.output
    assert PASSWORD not in worker.output
