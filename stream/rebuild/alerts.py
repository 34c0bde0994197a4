"""What a new alert topic begins with, so that subscribers hear what is other than they were told, and no more."""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from stream.engine.alerts import alert_id
from stream.kafka.cluster import Cluster
from stream.reader import Source, open_reader
from stream.records import Alert, InvalidRecordError, Metric, Scope, decode_alert, encode_key
from stream.topics import TopicError


async def told_until(cluster: Cluster, topic: str, until: datetime) -> dict[Scope, Alert]:
    """The last alert of each scope in a topic whose status began by then.

    Raises :class:`~stream.topics.TopicError` where the topic is missing or holds anything else, and
    :class:`~stream.kafka.probe.BrokerError`.
    """
    told: dict[Scope, Alert] = {}
    async with await open_reader(Source(cluster, topic, "beginning", None, follow=False)) as reader:
        while (records := await reader.fetch()) is not None:
            for record in records:
                if record.value is None:
                    continue
                try:
                    alert = decode_alert(record.value)
                except InvalidRecordError as error:
                    where = f"{topic}/{record.partition}:{record.offset}"
                    raise TopicError(
                        f"{where} at {cluster.broker} is none of the alerts to go on from: {error}"
                    ) from error
                if alert.since <= until:
                    told[alert.scope] = alert
    return told


def first_alerts(
    own: Mapping[Scope, Alert],
    told: Mapping[Scope, Alert],
    metrics: Mapping[Scope, Metric],
    source: str,
    as_of: datetime,
) -> tuple[list[Alert], list[Alert]]:
    """The alerts that a new topic begins with, at most one of each scope, and those of them that nobody was told.

    ``own`` are the last alerts by the history, ``told`` those of the deployment before; ``metrics`` are ``as_of`` then.
    Where both come to the same status, the one that was told stands again, under its own id, by which subscribers know
    it; where that is ok, none. Where they do not, an alert follows on the one that was told.
    """
    begun: list[Alert] = []
    untold: list[Alert] = []
    for scope in sorted({*own, *told}, key=encode_key):
        alert, before = own.get(scope), told.get(scope)
        status = "ok" if alert is None else alert.status
        if before is None:
            if alert is not None and status != "ok":
                untold.append(alert)
        elif before.status == status:
            if status != "ok":
                begun.append(before)
        elif (alert := alert or _recovered(metrics.get(scope), as_of)) is None:
            # Nothing is counted there any more, which a worker sees at its start.
            begun.append(before)
        else:
            new_id = alert_id(source, before.alert_id, scope, alert.status)
            untold.append(replace(alert, alert_id=new_id, previous_status=before.status))
    return begun + untold, untold


def _recovered(metric: Metric | None, as_of: datetime) -> Alert | None:
    """The alert of a scope that by its history never was anything but ok."""
    if metric is None:
        return None
    return Alert(
        alert_id="",
        type="vtr-recovered",
        severity="info",
        seller_id=metric.seller_id,
        marketplace=metric.marketplace,
        category=metric.category,
        status="ok",
        previous_status="ok",
        since=as_of,
        metric=metric,
        causes=[],
    )
