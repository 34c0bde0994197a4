"""Time passes as far as has been read: no faster than the slowest topic, and by the clock when all have been."""

from datetime import UTC, datetime, timedelta

from tests.worker.conftest import Deploy
from tests.worker.expected import MEMORYLESS, metrics_are_as_computed
from tests.worker.shop import Shop, shop_in

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


async def test_grace_ends_though_nothing_more_arrives(deploy: Deploy) -> None:
    deployment = await deploy()
    shop = Shop(deployment.settings, "A1SELLER")
    started = datetime.now(UTC)
    # Grace ends 24 hours after the end of the hour of shipping: the event is dated before that, the clock is behind it.
    parcel = shop.ships(1, started - 26 * HOUR)
    await deployment.send([parcel])
    deployment.start()

    async def is_defect() -> None:
        metrics = await deployment.metrics()
        assert {(metric.live.pending, metric.live.defects) for metric in metrics.values()} == {(0, 1)}
        assert all(started <= metric.as_of <= datetime.now(UTC) for metric in metrics.values())

    await deployment.eventually(is_defect)
    await metrics_are_as_computed(deployment, [parcel])

    # Tracking that comes late all the same repairs it, at the time it has become by then.
    tracked = shop.tracks(1, started - HOUR)
    await deployment.send([tracked])
    await deployment.eventually(metrics_are_as_computed, deployment, [parcel, tracked])


async def test_a_topic_read_ahead_raises_no_alarm(deploy: Deploy) -> None:
    """Every parcel is tracked within the hour, so no rate is ever below 100 %, whichever topic is read first."""
    # A client draws the order in which it reads topics: in some of so many partitions it reads the shipments first.
    deployment = await deploy(partitions=6, batch_size=50, **MEMORYLESS)
    shops = [shop_in(deployment, partition) for partition in range(6)]
    start = datetime.now(UTC) - 25 * 24 * HOUR
    times = [start + number * HOUR for number in range(24 * 24)]
    shipped = [shop.ships(number, at) for number, at in enumerate(times) for shop in shops]
    tracked = [shop.tracks(number, at + 50 * MINUTE) for number, at in enumerate(times) for shop in shops]
    await deployment.send(shipped + tracked)

    deployment.start()
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, shipped + tracked)
    assert await deployment.alerts() == []
    assert {metric.live.counted for metric in (await deployment.metrics()).values()} == {len(times)}
