"""A worker scraped by Prometheus itself: the shipped rules fire, Alertmanager notifies, dashboards have data."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time

from msgspec.structs import replace

from stream.embedded import HOST, free_port
from stream.settings import Settings
from tests.monitoring.dashboards import FILES, filled, load, queries, variables
from tests.monitoring.programs import program
from tests.monitoring.stack import Prometheus, monitoring
from tests.worker.conftest import Deploy
from tests.worker.deployment import Input
from tests.worker.shop import Shop, shop_in
from tests.worker.web import is_ready

NOW = datetime.now(UTC)
AGO = NOW - timedelta(hours=5)
SILENT_SINCE = timedelta(hours=14)

SECONDS = 10
"""What the charts show: as long as it took to get here, about."""

BAD_EVENTS = 30

ALERTS = "/api/v2/alerts"
"""Alertmanager's, all that it has."""


async def test_alerts_reach_a_webhook_and_dashboards_have_data(deploy: Deploy, tmp_path: Path) -> None:
    for name in ("prometheus", "alertmanager"):
        program(name)  # before anything is started
    deployment = await deploy(web_port=free_port(), metrics_sellers="worst:5", min_counted=5)
    settings = deployment.settings
    other = replace(settings, web_port=free_port())
    good, bad = shop_in(deployment, 0), shop_in(deployment, 1)
    at_risk, silent = Shop(settings, "AT-RISK"), Shop(settings, "SILENT")
    deployment.start()
    await deployment.eventually(is_ready, settings)
    with monitoring(tmp_path, [settings.web_port, other.web_port]) as (prometheus, alertmanager, webhook):

        async def is_scraped() -> None:
            # Only what rises while somebody looks is an increase.
            assert set(prometheus.query('vtr_events_total{outcome="missing_field"}').values()) == {0}

        await deployment.eventually(is_scraped)
        await deployment.send(
            [
                *good.sends(range(10), AGO),
                *bad.sends(range(10), AGO, "N/A"),
                *at_risk.sends(range(48), AGO),
                *at_risk.sends(range(48, 50), AGO, "N/A"),
                *(silent.ships(number, NOW - SILENT_SINCE) for number in range(6)),
                *(
                    Input(settings.order_shipped_topic, good.key, b'{"type": "order-shipped"}')
                    for _ in range(BAD_EVENTS)
                ),
            ]
        )

        async def all_is_notified() -> None:
            firing = webhook.alerts("firing")
            # Others may fire for a moment, as little patience as they are given here.
            assert set(firing) >= {
                ("VtrSellerBreached", bad.seller_id),
                ("VtrSellerAtRisk", at_risk.seller_id),
                ("VtrSellerTrackingSilent", silent.seller_id),
                ("VtrDeadLettersRising", ""),
                ("VtrWorkerDown", at(other)),
            }
            assert firing["VtrSellerBreached", bad.seller_id]["annotations"]["summary"].endswith(": 0%")
            assert firing["VtrSellerAtRisk", at_risk.seller_id]["annotations"]["summary"].endswith(": 96%")

        await deployment.eventually(all_is_notified)
        numbers = prometheus.query('job_level_status:vtr_scopes:sum{level="seller"}')
        assert {labels[-1]: count for labels, count in numbers.items()} == {"ok": 2, "at_risk": 1, "breached": 1}
        assert prometheus.query("job:vtr_silent_sellers:sum") == {("vtr",): 1}
        assert prometheus.query("job:vtr_partitions:count") == {("vtr",): 2}
        assert has_no_data(prometheus, bad) == []

        # Another worker takes a partition, and nobody is counted twice on the way.
        deployment.start(other)

        async def each_has_one() -> None:
            assert prometheus.query("vtr_assigned_partitions") == {(at(each), "vtr"): 1 for each in (settings, other)}
            assert ("VtrWorkerDown", at(other)) in webhook.alerts("resolved")
            assert prometheus.query("job:vtr_partitions:count") == {("vtr",): 2}

        moves_at = time()
        await deployment.eventually(each_has_one)
        sellers = prometheus.query_range('sum(job_level_status:vtr_scopes:sum{level="seller"})', moves_at, time())
        assert max(sellers) == len((good, bad, at_risk, silent))

        for worker in deployment.workers:
            worker.kill()

        async def the_end_is_notified() -> None:
            assert ("VtrNoWorker", "") in webhook.alerts("firing")
            # What nobody tells of any more is over in the end: Prometheus does not go on with the last that it heard.
            assert ("VtrSellerBreached", bad.seller_id) in webhook.alerts("resolved")
            # That no worker answers says all that each of them has to say.
            states = {alert["labels"]["alertname"]: alert["status"]["state"] for alert in alertmanager.get(ALERTS)}
            assert (states.get("VtrNoWorker"), states.get("VtrWorkerDown")) == ("active", "suppressed")

        await deployment.eventually(the_end_is_notified)


def at(settings: Settings) -> str:
    """The worker's name in Prometheus."""
    return f"{HOST}:{settings.web_port}"


def has_no_data(prometheus: Prometheus, seller: Shop) -> list[str]:
    """The queries and variables of all dashboards that Prometheus has no answer to."""
    empty = []
    asked = 0
    end = time()
    for file in FILES:
        dashboard = load(file)
        values: dict[str, str] = {}
        for variable in variables(dashboard):
            found = prometheus.label_values(filled(variable.selector, values), variable.label)
            # Of several sellers one that an alert is about.
            values[variable.name] = seller.seller_id if seller.seller_id in found else (found or [""])[0]
            if not found:
                empty.append(f"{dashboard['title']}: {variable}")
        for where, expression in queries(dashboard):
            asked += 1
            answer = prometheus.query_range(filled(expression, values), end - SECONDS, end)
            if not any(map(math.isfinite, answer)):
                empty.append(f"{where}: {filled(expression, values)}")
    assert asked > 40
    return empty
