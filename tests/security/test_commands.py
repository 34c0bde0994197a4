"""Every command that talks to Kafka, and a subscriber, with a client's certificate."""

import asyncio
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace

from stream import Cluster, subscribe_alerts, subscribe_metrics
from stream.settings import Settings
from stream.subscribe import latest_metrics
from tests.command import vtr
from tests.security.kafka import SecureKafkaNode
from tests.worker.conftest import settings_of
from tests.worker.deployment import Deployment
from tests.worker.expected import metrics_are_as_computed
from tests.worker.shop import PLACEHOLDER, Shop

pytestmark = pytest.mark.kafka_only(reason="it knows neither TLS nor logins")


@pytest.fixture
def settings(secure: SecureKafkaNode, prefix: str, tmp_path: Path) -> Settings:
    """Settings of a deployment whose clients have a certificate."""
    return settings_of(secure.certificate, prefix, tmp_path)


def written(settings: Settings, file: Path) -> Path:
    """The settings as a file."""
    given = {name: value for name, value in asdict(settings).items() if value is not None}
    file.write_text("".join(f"{name} = '{value}'\n" for name, value in given.items()), encoding="utf-8")
    return file


async def test_every_command(secure: SecureKafkaNode, settings: Settings, tmp_path: Path) -> None:
    config = written(settings, tmp_path / "vtr.toml")

    async def run(*arguments: str, file: Path = config) -> str:
        done = await asyncio.to_thread(vtr, *arguments, "--config", str(file))
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    (tmp_path / "worker").mkdir()
    deployment = Deployment(settings, tmp_path / "worker")
    shop = Shop(settings, "A1SELLER")
    ago = datetime.now(UTC) - timedelta(hours=5)
    history = shop.sends(range(30), ago, PLACEHOLDER)
    unusable = history[0]._replace(key=b"A2SELLER")
    events = tmp_path / "history.ndjson"
    events.write_bytes(b"".join((record.value or b"") + b"\n" for record in history))

    assert (await run("topics", "create")).count("created") == 7
    assert "2 partitions each" in await run("topics", "check")
    with closing(deployment):
        deployment.start()
        assert "60 of 60 events" in await run("replay", str(events), "--into", settings.broker)
        await deployment.eventually(metrics_are_as_computed, deployment, history)
        await deployment.send([unusable])

        async def has_a_letter() -> None:
            assert len(await deployment.dead_letters()) == 1

        await deployment.eventually(has_a_letter)
        await deployment.eventually(deployment.all_committed)
        deployment.workers[0].stop()

    alerts = [json.loads(line) for line in (await run("alerts", "--json")).splitlines()]
    assert {alert["status"] for alert in alerts} == {"breached"}
    assert len((await run("metrics", "--json")).splitlines()) == 3
    assert json.loads(await run("dead-letters", "--summary", "--json"))["code"] == "key_mismatch"
    letter = json.loads(await run("dead-letters", "--json"))
    assert "key_mismatch" in await run("dead-letters", "show", f"{letter['partition']}:{letter['offset']}")
    await run("dead-letters", "resend", "--force", "--yes")
    assert json.loads(await run("replay", "--from-topics", "--json"))["accepted"] == 60
    clear = written(replace(settings, **asdict(secure.clear)), tmp_path / "clear.toml")
    again = ("replay", "--from-topics", "--into", secure.clear.broker, "--into-config", str(clear))
    assert "published  60 of 60 events" in await run(*again)
    order = json.loads(history[0].value or b"")["order_id"]
    assert "placeholder_number" in await run("explain", shop.seller_id, order)
    assert "30 defects among 30 counted" in await run("report", shop.seller_id)
    assert "sent" in (await asyncio.to_thread(vtr, *SIMULATE, settings.broker, "--config", str(config))).stderr.decode()

    successor = replace(
        settings,
        group=f"{settings.group}-2",
        metrics_topic=f"{settings.metrics_topic}-2",
        alerts_topic=f"{settings.alerts_topic}-2",
    )
    next_config = written(successor, tmp_path / "next.toml")
    await run("topics", "create", file=next_config)
    rebuilt = await run("rebuild", "--previous-alerts", settings.alerts_topic, file=next_config)
    assert "alerts  3 stand as they were told" in rebuilt


SIMULATE = ("simulate", "--events", "50", "--sellers", "2", "--broker")


async def test_a_subscriber(secure: SecureKafkaNode, settings: Settings, tmp_path: Path) -> None:
    """As a program of somebody else: with a cluster, or with all settings."""
    config = written(settings, tmp_path / "vtr.toml")
    assert (await asyncio.to_thread(vtr, "topics", "create", "--config", str(config))).returncode == 0
    clusters: list[Cluster] = [secure.certificate, secure.login, settings]
    for cluster in clusters:
        assert await latest_metrics(cluster, topic=settings.metrics_topic) == {}
        alerts = subscribe_alerts(cluster, topic=settings.alerts_topic, group=f"{settings.group}-mailer", follow=False)
        assert [alert async for alert in alerts] == []
        metrics = subscribe_metrics(cluster, topic=settings.metrics_topic, follow=False)
        assert [metric async for metric in metrics] == []
