"""What the tests of the worker share."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace

from stream.kafka.cluster import Cluster
from stream.settings import Settings
from stream.topics import create_topics
from tests.brokers import Broker
from tests.environment import own_settings
from tests.worker.deployment import Deployment

Deploy = Callable[..., Awaitable[Deployment]]


@pytest.fixture
def settings(broker: Broker, prefix: str, tmp_path: Path) -> Settings:
    """Settings of a deployment whose topics and group nobody else has, with short waits."""
    return settings_of(broker.cluster, prefix, tmp_path)


def settings_of(cluster: Cluster, prefix: str, folder: Path) -> Settings:
    """The same on any cluster."""
    return replace(
        own_settings(cluster.broker, prefix),
        **asdict(cluster),
        partitions=2,
        data_dir=str(folder / "data"),
        metrics_interval=0.2,
        idle_after=1.0,
        # Waited for whenever a worker is killed. The embedded broker lets a group's first member wait for half of it.
        session_timeout=3.0,
        rebalance_timeout=6.0,
        web_port=0,
        log_format="text",
    )


@pytest.fixture
async def deploy(settings: Settings, tmp_path: Path) -> AsyncIterator[Deploy]:
    """Makes a deployment and, unless told not to, its topics. Ends its workers with the test."""
    with ExitStack() as stack:

        async def make(*, topics: bool = True, **changes: object) -> Deployment:
            deployment = Deployment(replace(settings, **changes), tmp_path)
            stack.callback(deployment.close)
            if topics:
                await create_topics(deployment.settings)
            return deployment

        yield make
