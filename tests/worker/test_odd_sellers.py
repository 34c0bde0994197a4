"""Sellers whose ids nobody expects, all the way from events to metrics and alerts, and over a restart."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from stream.records import Scope
from tests.command import vtr
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment
from tests.worker.expected import alerts_are_whole, metrics_are_as_computed
from tests.worker.shop import CATEGORY, PLACEHOLDER, Shop

AGO = datetime.now(UTC) - timedelta(hours=5)

ODD = {
    "a thousand characters": "A" * 1000,
    "emoji": "👩‍👩‍👧‍👦📦🇩🇪" * 20,
    "what JSON escapes": '["A1",null]\\"\0\n\u2028',
    "not normalised": "A\u030a\u212b\u00c5",
    "the other way round": "\u202eA1\u200b ",
}


async def has_alerts(deployment: Deployment, count: int) -> None:
    assert len(await deployment.alerts()) == count


async def test_odd_sellers_are_kept_apart(deploy: Deploy) -> None:
    deployment = await deploy()
    shops = [Shop(deployment.settings, seller_id) for seller_id in (*ODD.values(), "A", "A\u030a")]
    deployment.start()
    history = []
    for number, shop in enumerate(shops):
        # Each has other counts, so that two that are taken for one are noticed.
        history += [*shop.sends(range(20 + number), AGO), *shop.sends(range(100, 103), AGO, PLACEHOLDER)]
    await deployment.send(history)
    await deployment.eventually(metrics_are_as_computed, deployment, history)
    await deployment.eventually(has_alerts, deployment, 3 * len(shops))
    metrics = await deployment.metrics()
    for number, shop in enumerate(shops):
        for scope in (Scope(shop.seller_id), Scope(shop.seller_id, "DE"), Scope(shop.seller_id, "DE", CATEGORY)):
            live = metrics[scope].live
            assert (live.valid, live.defects, metrics[scope].status) == (20 + number, 3, "breached")
    assert await deployment.dead_letters() == []

    # The keys of shipments, metrics and alerts lead the successor back to the same sellers.
    await deployment.eventually(deployment.all_committed)
    deployment.workers[0].kill()
    deployment.start()
    more = [record for shop in shops for record in shop.sends(range(200, 300), AGO)]
    await deployment.send(more)
    await deployment.eventually(metrics_are_as_computed, deployment, [*history, *more])
    await deployment.eventually(has_alerts, deployment, 2 * 3 * len(shops))
    alerts = await alerts_are_whole(deployment)
    assert {alert.type for alert in alerts} == {"vtr-breached", "vtr-recovered"}
    deployment.workers[1].stop()

    await _are_found_in_a_shell(deployment)


async def _are_found_in_a_shell(deployment: Deployment) -> None:
    settings = deployment.settings
    for seller_id in ODD.values():
        if "\0" in seller_id:
            continue  # no shell can say it
        for command, topic in (("metrics", settings.metrics_topic), ("alerts", settings.alerts_topic)):
            options = ("--broker", settings.broker, f"--{command}-topic", topic, "--seller", seller_id)
            done = await asyncio.to_thread(vtr, command, "--json", *options)
            assert done.returncode == 0, done.stderr
            found = [json.loads(line) for line in done.stdout.splitlines()]
            assert {each["seller_id"] for each in found} == {seller_id}
