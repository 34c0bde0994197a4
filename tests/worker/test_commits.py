"""Committed offsets: the real end of every partition once all is read, so that lag means lag."""

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer

from stream.kafka.cluster import bootstrap_servers
from tests.worker.conftest import Deploy
from tests.worker.deployment import Input
from tests.worker.expected import metrics_are_as_computed
from tests.worker.shop import Shop, shop_in

AGO = datetime.now(UTC) - timedelta(hours=5)


async def test_every_partition_is_committed_to_its_end(deploy: Deploy) -> None:
    """Few records each, because it is the first ones that bookkeeping gets wrong, and the last ones that it forgets."""
    deployment = await deploy(partitions=4)
    # None in the last partition.
    one, more, moving = (shop_in(deployment, partition) for partition in range(3))
    sent: list[Input] = []

    async def send(*records: Input) -> None:
        sent.extend(records)
        await deployment.send(records)

    first = deployment.start()
    # Exactly one record: offset 0, alone in its partition and in its batch.
    await send(one.ships(1, AGO), more.ships(1, AGO), moving.ships(1, AGO))
    await deployment.eventually(deployment.all_committed)
    # The next batch of a partition, and the first of a topic that had none.
    await send(more.ships(2, AGO), more.ships(3, AGO), more.tracks(1, AGO))
    await deployment.eventually(deployment.all_committed)

    # Partitions leave and return.
    second = deployment.start()
    for number in range(10, 15):
        await send(one.ships(number, AGO), more.ships(number, AGO), moving.tracks(number, AGO))
        await deployment.eventually(deployment.all_committed)
    first.stop()
    await send(one.ships(20, AGO), more.ships(20, AGO), moving.ships(20, AGO))
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, sent)
    # What was committed is not committed again, nor back, by a worker that stops.
    second.stop()
    await deployment.all_committed()


@pytest.mark.kafka_only(reason="it has no transactions")
async def test_offsets_without_records_are_no_gap(deploy: Deploy) -> None:
    """A transaction's end takes an offset that no record has."""
    deployment = await deploy(partitions=1)
    shop = Shop(deployment.settings, "A1SELLER")
    before, within, after = shop.sends([1], AGO), shop.sends([2, 3], AGO), shop.sends([4], AGO)
    deployment.start()
    await deployment.send(before)
    await deployment.eventually(deployment.all_committed)

    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers(deployment.settings.broker), transactional_id=deployment.settings.group
    )
    async with producer, producer.transaction():
        for record in within:
            await producer.send(record.topic, record.value, key=record.key)
    # Nothing follows yet, so the marker is the end: it must not look like a record that is still to come.
    await deployment.eventually(metrics_are_as_computed, deployment, [*before, *within])

    await deployment.send(after)
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, [*before, *within, *after])
    # Four records and the marker.
    assert set((await deployment.input_ends()).values()) == {5}
