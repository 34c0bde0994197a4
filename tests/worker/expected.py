"""What must come out, computed by the pure engine alone: no Kafka, no restart, no rebalance."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from msgspec.structs import replace

from stream.engine import Engine, EngineSettings
from stream.engine.alerts import alert_id
from stream.events import Rejection, decode
from stream.policy import RulesPolicy
from stream.records import Alert, Metric, Scope
from stream.settings import Settings
from stream.state import HeldShipments
from tests.worker.deployment import Deployment, Input

MEMORYLESS = {"recover_margin": Decimal(0), "min_counted": 0}
"""Settings with which a status depends on the counts alone, and not on the way to them: how many events one look at
the statuses covers is different in every run."""


def computed(settings: Settings, records: Iterable[Input], as_of: datetime) -> dict[Scope, Metric]:
    """The metrics of all scopes after all these records."""
    shipments = HeldShipments(settings.lag_days)
    engine = Engine(RulesPolicy.of(settings), EngineSettings.of(settings), shipments)
    decoded = [decode(record.value) for record in records]
    changes = engine.apply([event for event in decoded if not isinstance(event, Rejection)])
    assert not changes.rejected
    engine.advance(as_of)
    return {metric.scope: metric for metric in engine.metrics()}


def dated(metrics: Mapping[Scope, Metric], as_of: datetime) -> dict[Scope, Metric]:
    """The metrics with that date: an unchanged one is not said again, and so is as old as its last change."""
    return {scope: replace(metric, as_of=as_of) for scope, metric in metrics.items()}


async def metrics_are_as_computed(deployment: Deployment, records: Iterable[Input]) -> None:
    """Asserts that every scope's metric is what the pure engine computes from the records as of now."""
    published, now = await deployment.metrics(), datetime.now(UTC)
    assert dated(published, now) == computed(deployment.settings, records, now)


async def alerts_are_whole(deployment: Deployment) -> list[Alert]:
    """Asserts that each scope's alerts follow from one another, none lost and none said twice, up to its metric."""
    alerts = await deployment.alerts()
    metrics = await deployment.metrics()
    histories: dict[Scope, list[Alert]] = {}
    for alert in alerts:
        histories.setdefault(alert.scope, []).append(alert)
    for scope, history in histories.items():
        status, last_id = "ok", ""
        for alert in history:
            assert alert.previous_status == status
            last_id = alert_id(deployment.settings.group, last_id, scope, alert.status)
            assert alert.alert_id == last_id
            status = alert.status
    said = {scope: history[-1].status for scope, history in histories.items()}
    assert {scope: metric.status for scope, metric in metrics.items()} == dict.fromkeys(metrics, "ok") | {
        scope: status for scope, status in said.items() if scope in metrics
    }
    return alerts
