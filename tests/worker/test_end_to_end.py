"""From events in to metrics and alerts out: what a subscriber sees of one seller's bad day."""

from datetime import UTC, datetime, timedelta

from stream.records import (
    Alert,
    Cause,
    Counts,
    OfficialCounts,
    Scope,
    decode_alert,
    decode_key,
    decode_metric,
)
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment
from tests.worker.expected import alerts_are_whole, metrics_are_as_computed
from tests.worker.shop import CATEGORY, PLACEHOLDER, Shop, shop_in

HOUR = timedelta(hours=1)


def scopes_of(shop: Shop) -> list[Scope]:
    """The scopes of a seller on one marketplace in one category, in the order of their keys."""
    return [Scope(shop.seller_id, "DE", CATEGORY), Scope(shop.seller_id, "DE"), Scope(shop.seller_id)]


def time_of(value: bytes) -> datetime:
    return datetime.fromisoformat(value.decode())


async def latest_alerts(deployment: Deployment, scopes: list[Scope], number: int) -> list[Alert]:
    """The latest alert of each scope, when each has had ``number`` of them."""
    alerts = [alert for alert in await deployment.alerts() if alert.scope in scopes]
    assert len(alerts) == number * len(scopes)
    latest = {alert.scope: alert for alert in alerts}
    return [latest[scope] for scope in scopes]


async def test_a_seller_falls_and_recovers(deploy: Deploy) -> None:
    deployment = await deploy()
    # Not in the first partition: a partition number that is lost on the way becomes 0.
    shop, other = shop_in(deployment, 1), shop_in(deployment, 0)
    scopes = scopes_of(shop)
    ago = datetime.now(UTC) - 5 * HOUR
    deployment.start()

    history = [*shop.sends(range(30), ago), *other.sends(range(30), ago)]
    await deployment.send(history)
    await deployment.eventually(metrics_are_as_computed, deployment, history)
    metrics = await deployment.metrics()
    assert {(metrics[scope].status, metrics[scope].live.valid, metrics[scope].allowance) for scope in scopes} == {
        ("ok", 30, 1)
    }

    steps = [
        # 30 of 31 are below the warn level, 30 of 32 below the threshold.
        (range(30, 31), PLACEHOLDER, "vtr-at-risk", "warning", "ok", (30, 1)),
        (range(31, 32), PLACEHOLDER, "vtr-breached", "critical", "at_risk", (30, 2)),
        # 43 of 45 end the breach, 78 of 80 the risk: each just reaches its level and the margin.
        (range(32, 45), None, "vtr-at-risk", "warning", "breached", (43, 2)),
        (range(45, 80), None, "vtr-recovered", "info", "at_risk", (78, 2)),
    ]
    for number, (parcels, tracking_number, kind, severity, previous, (valid, defects)) in enumerate(steps, start=1):
        records = shop.sends(parcels, ago, tracking_number)
        history += records
        await deployment.send(records)
        for alert in await deployment.eventually(latest_alerts, deployment, scopes, number):
            live = alert.metric.live
            assert (alert.type, alert.severity, alert.previous_status) == (kind, severity, previous)
            assert (live.counted, live.valid, live.defects) == (valid + defects, valid, defects)
            assert (alert.metric.scope, alert.metric.status) == (alert.scope, alert.status)
            assert alert.metric.needed_to_recover == (13 if kind == "vtr-breached" else 0)
            assert alert.causes == [Cause(reason="placeholder_number", carrier="DHL", count=defects)]
        await deployment.eventually(metrics_are_as_computed, deployment, history)

    alerts = await alerts_are_whole(deployment)
    assert {alert.seller_id for alert in alerts} == {shop.seller_id}
    await deployment.eventually(deployment.all_committed)
    deployment.workers[0].stop()

    for record in await deployment.read(deployment.settings.alerts_topic):
        alert = decode_alert(record.value or b"")
        headers = dict(record.headers)
        assert record.partition == 1
        assert decode_key(record.key or b"") == alert.scope
        assert headers["ce_specversion"] == b"1.0"
        assert headers["ce_id"] == alert.alert_id.encode()
        assert headers["ce_type"] == alert.type.encode()
        assert headers["ce_source"] == f"/vtr/{deployment.settings.group}".encode()
        assert time_of(headers["ce_time"]) == alert.since == alert.metric.as_of
    ids = []
    said: dict[Scope, tuple[Counts, OfficialCounts]] = {}
    for record in await deployment.read(deployment.settings.metrics_topic):
        metric = decode_metric(record.value or b"")
        headers = dict(record.headers)
        ids.append(headers["ce_id"])
        assert record.partition == (1 if metric.seller_id == shop.seller_id else 0)
        assert decode_key(record.key or b"") == metric.scope
        assert headers["ce_type"] == b"vtr-metric"
        assert time_of(headers["ce_time"]) == metric.as_of
        windows = (metric.live, metric.official)
        assert said.get(metric.scope) != windows, "a metric is said again when its windows change; at midnight one does"
        said[metric.scope] = windows
    assert len(set(ids)) == len(ids)
    assert len(said) == 6
