"""How the app is set up."""

from pathlib import Path
from typing import Any, cast

import pytest
from faust.transport.drivers import aiokafka as driver

from stream.settings import Settings
from stream.state import MemoryStore
from stream.worker.app import VtrApp, create_app, open_store
from stream.worker.consumer import BatchConsumer
from stream.worker.transport import BatchTransport
from tests.worker_units.fakes import ALERTS, CHANGELOG, SETTINGS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("web_enabled", False),
        ("topic_disable_leader", True),
        ("topic_allow_declare", False),
        ("table_standby_replicas", 0),
        ("stream_wait_empty", False),
        ("consumer_auto_offset_reset", "earliest"),
        ("producer_acks", -1),
        ("broker_max_poll_records", 4000),
    ],
)
async def test_the_app_is_set_up(app: VtrApp, name: str, value: object) -> None:
    assert getattr(app.conf, name) == value


async def test_the_app_reads_the_inputs_with_one_agent_at_a_time(app: VtrApp, consumer: BatchConsumer) -> None:
    (agent,) = app.agents.values()
    assert (agent.concurrency, set(cast("Any", agent.channel).topics)) == (1, set(SETTINGS.input_topics))
    assert (type(app.transport), type(consumer), consumer.in_transaction) == (BatchTransport, BatchConsumer, False)
    assert {table.changelog_topic_name for table in app.tables.values()} == {CHANGELOG, ALERTS}
    assert app.topics.acking_topics == set(SETTINGS.input_topics), "a changelog is read and never committed"


async def test_brokers_and_stores_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = Settings(broker="kafka://a:1,[::1]", store="rocksdb", data_dir=str(tmp_path), group="shop")
    assert driver.server_list(create_app(settings, 4).transport.url, 0) == ["a:1", "[::1]:9092"]
    open_store(settings, 3).close()
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["3"]
    assert isinstance(open_store(Settings(), 3), MemoryStore)
