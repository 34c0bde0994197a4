"""A record with a header that a client in C sent, whose name is no UTF-8, stops nobody."""

from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaProducer

from stream.kafka.cluster import bootstrap_servers
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, Input
from tests.worker.expected import metrics_are_as_computed
from tests.worker.shop import Shop
from tests.worker_units.test_header_names import batch_of

AGO = datetime.now(UTC) - timedelta(hours=5)


async def send_raw(deployment: Deployment, records: list[Input], name: bytes) -> None:
    """Send records of one key in one batch, each with a header of that name."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers(deployment.settings.broker)) as producer:
        batch = producer.create_batch()
        batch._builder = batch_of([(record.key, record.value, name) for record in records])
        batch._relative_offset = len(records)
        key = records[0].key or b""
        await (await producer.send_batch(batch, records[0].topic, partition=deployment.partition_of(key)))


async def has_a_letter(deployment: Deployment, value: bytes) -> None:
    assert [letter.value for letter in await deployment.dead_letters()] == [value]


async def test_they_count_and_are_dead_letters_as_any_other(deploy: Deploy) -> None:
    deployment = await deploy()
    shop = Shop(deployment.settings, "A1SELLER")
    history = shop.sends(range(6), AGO)
    shipped, tracked = history[::2], history[1::2]
    deployment.start()
    await deployment.send([shipped[0], *tracked])
    await send_raw(deployment, [*shipped[1:3], shipped[0]._replace(value=b"{broken"), shipped[3]], b"Gr\xf6\xdfe")
    await deployment.send(shipped[4:])
    await deployment.eventually(metrics_are_as_computed, deployment, history)
    await deployment.eventually(has_a_letter, deployment, b"{broken")
    (letter,) = await deployment.dead_letters()
    assert letter.headers[0] == ("Gr\\xf6\\xdfe", b"1")
    await deployment.eventually(deployment.all_committed)
    deployment.workers[0].stop()
