"""What other programs import to follow alerts and metrics.

    async for alert in subscribe_alerts("kafka://127.0.0.1:9092", severities={"critical"}):
        print(alert.seller_id, alert.metric.live.vtr)

Leaving such a loop closes the subscription in the background, when Python collects it. To have it closed, and the
group's offsets committed, at a certain point:

    async with contextlib.aclosing(subscribe_alerts(broker, group="mailer")) as alerts:
        async for alert in alerts:
            …
"""

import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection
from typing import Literal, TypeVar, get_args

from aiokafka import ConsumerRecord
from msgspec import Struct

from stream.kafka.cluster import Cluster
from stream.places import canonical_marketplace
from stream.reader import Source, Start, open_reader
from stream.records import (
    Alert,
    AlertType,
    InvalidRecordError,
    Metric,
    Scope,
    Severity,
    Status,
    decode_alert,
    decode_key,
    decode_metric,
)
from stream.settings import Settings

ScopeWidth = Literal["seller", "marketplace", "category"]

REMEMBERED_ALERTS = 65_536
"""Alert ids by which repeats are dropped: some 10 MB. A repeat comes from a worker that crashed and read its last
batch again, so it is at most a few batches' alerts behind, and most events cause no alert at all."""

_DEFAULTS = Settings()

logger = logging.getLogger(__name__)

_Name = TypeVar("_Name", bound=str)
_Record = TypeVar("_Record", Alert, Metric)


def subscribe_alerts(
    broker: str | Cluster = _DEFAULTS.broker,
    *,
    topic: str = _DEFAULTS.alerts_topic,
    start: Start = "now",
    group: str | None = None,
    follow: bool = True,
    seller_ids: Collection[str] | None = None,
    marketplaces: Collection[str] | None = None,
    scope: ScopeWidth | None = None,
    types: Collection[AlertType] | None = None,
    severities: Collection[Severity] | None = None,
    statuses: Collection[Status] | None = None,
) -> AsyncGenerator[Alert, None]:
    """Alerts as they are raised, in the order of their seller's partition.

    ``broker`` is ``kafka://host:port[,host:port…]``, or a :class:`~stream.kafka.cluster.Cluster` where clients connect
    over TLS or log in; settings are one too. ``start`` says whether to read what the topic holds
    (``"beginning"``) or only what comes after the first ``await`` (``"now"``).

    With ``group``, the subscription goes on where the group stopped, and shares the topic with the group's other
    members; ``start`` is where a new group starts. An alert counts as done when the next one is asked for, so after
    a crash, or a ``break``, the last one comes again: at least once, never none. Kafka forgets groups that nobody
    used for a week (``offsets.retention.minutes``). Do not block the event loop for more than 10 s: the group would
    take the subscriber for dead.

    ``follow=False`` ends at what was the end of the topic at the start; otherwise it waits for more, also while the
    broker is away, but not where the broker is back and lets it in no more. Filters are None for "all".
    ``marketplaces`` leaves out alerts of whole sellers, which have no marketplace. ``scope`` is the width an alert's
    scope must have: a whole seller, a marketplace, or a category.

    Alerts whose ``alert_id`` came before are dropped, and so are tombstones (of scopes that no longer exist);
    records that are no alerts are logged as warnings and skipped.

    Raises ValueError or TypeError at once for arguments that cannot be meant, and from the iteration
    :class:`~stream.kafka.probe.BrokerError`, one line, within seconds where the broker or the topic is not there.
    """
    wanted = _Wanted.of(seller_ids, marketplaces, scope, statuses, types, severities)
    source = _source(broker, topic, start, group, follow=follow)
    return _subscribe(source, _accept_alert(wanted))


def subscribe_metrics(
    broker: str | Cluster = _DEFAULTS.broker,
    *,
    topic: str = _DEFAULTS.metrics_topic,
    start: Start = "now",
    group: str | None = None,
    follow: bool = True,
    seller_ids: Collection[str] | None = None,
    marketplaces: Collection[str] | None = None,
    scope: ScopeWidth | None = None,
    statuses: Collection[Status] | None = None,
) -> AsyncGenerator[Metric, None]:
    """Metrics as they change. Arguments and errors are those of :func:`subscribe_alerts`.

    The topic is compacted, so its beginning has the latest metric of every scope and possibly earlier ones; from
    the beginning with ``follow=False`` and without ``group``, only the latest of each scope is given, by way of
    :func:`latest_metrics`. Tombstones (of scopes that no longer exist) are skipped.
    """
    wanted = _Wanted.of(seller_ids, marketplaces, scope, statuses)
    source = _source(broker, topic, start, group, follow=follow)
    if start == "beginning" and not follow and group is None:
        return _latest(source, wanted)
    return _subscribe(source, _accept_metric(wanted))


async def latest_metrics(
    broker: str | Cluster = _DEFAULTS.broker,
    *,
    topic: str = _DEFAULTS.metrics_topic,
    seller_ids: Collection[str] | None = None,
    marketplaces: Collection[str] | None = None,
    scope: ScopeWidth | None = None,
    statuses: Collection[Status] | None = None,
) -> dict[Scope, Metric]:
    """The latest metric of every scope at this moment; scopes that no longer exist are left out.

    Filters and errors are those of :func:`subscribe_alerts`. Reads the whole topic, and keeps in memory what the
    filters but ``statuses`` let through: a status is wanted now, not at some time in the past.
    """
    wanted = _Wanted.of(seller_ids, marketplaces, scope, statuses)
    return await _latest_by_scope(_source(broker, topic, "beginning", None, follow=False), wanted)


class _Wanted(Struct, frozen=True):
    seller_ids: frozenset[str] | None
    marketplaces: frozenset[str] | None
    scope: ScopeWidth | None
    statuses: frozenset[str] | None
    types: frozenset[str] | None
    severities: frozenset[str] | None

    @staticmethod
    def of(
        seller_ids: Collection[str] | None,
        marketplaces: Collection[str] | None,
        scope: ScopeWidth | None,
        statuses: Collection[Status] | None,
        types: Collection[AlertType] | None = None,
        severities: Collection[Severity] | None = None,
    ) -> "_Wanted":
        if scope is not None:
            _check("scope", scope, get_args(ScopeWidth))
        codes = _names("marketplaces", marketplaces)
        return _Wanted(
            _names("seller_ids", seller_ids),
            None if codes is None else frozenset(map(canonical_marketplace, codes)),
            scope,
            _names("statuses", statuses, get_args(Status)),
            _names("types", types, get_args(AlertType)),
            _names("severities", severities, get_args(Severity)),
        )

    def has_scope(self, scope: Scope) -> bool:
        return (
            (self.seller_ids is None or scope.seller_id in self.seller_ids)
            and (self.marketplaces is None or scope.marketplace in self.marketplaces)
            and (self.scope is None or self.scope == _width(scope))
        )

    def has_metric(self, metric: Metric) -> bool:
        return self.has_scope(metric.scope) and (self.statuses is None or metric.status in self.statuses)

    def has_alert(self, alert: Alert) -> bool:
        return (
            self.has_scope(alert.scope)
            and (self.statuses is None or alert.status in self.statuses)
            and (self.types is None or alert.type in self.types)
            and (self.severities is None or alert.severity in self.severities)
        )


def _width(scope: Scope) -> ScopeWidth:
    if scope.marketplace is None:
        return "seller"
    return "marketplace" if scope.category is None else "category"


def _names(argument: str, names: Collection[_Name] | None, known: Collection[str] = ()) -> frozenset[str] | None:
    if names is None:
        return None
    if isinstance(names, str):
        # A string is a collection of strings too; its letters are never meant.
        raise TypeError(f"{argument} must be a collection such as {{{names!r}}}, not a string")
    for name in names if known else ():
        _check(argument, name, known)
    return frozenset(names)


def _check(argument: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise ValueError(f"{argument}: {name!r} is none of {', '.join(known)}")


def _source(broker: str | Cluster, topic: str, start: Start, group: str | None, *, follow: bool) -> Source:
    cluster = broker if isinstance(broker, Cluster) else Cluster(broker=broker)
    _check("start", start, get_args(Start))
    if group == "":
        raise ValueError("group must have a name, or be None")
    return Source(cluster, topic, start, group, follow)


def _accept_alert(wanted: _Wanted) -> Callable[[ConsumerRecord], Alert | None]:
    seen: OrderedDict[str, None] = OrderedDict()

    def accept(record: ConsumerRecord) -> Alert | None:
        if record.value is None:
            return None
        try:
            alert = decode_alert(record.value)
        except InvalidRecordError as error:
            _warn(record, error)
            return None
        if not wanted.has_alert(alert):
            return None
        repeated = alert.alert_id in seen
        seen[alert.alert_id] = None
        seen.move_to_end(alert.alert_id)
        if len(seen) > REMEMBERED_ALERTS:
            seen.popitem(last=False)
        return None if repeated else alert

    return accept


def _accept_metric(wanted: _Wanted) -> Callable[[ConsumerRecord], Metric | None]:
    def accept(record: ConsumerRecord) -> Metric | None:
        if record.value is None:
            return None
        try:
            metric = decode_metric(record.value)
        except InvalidRecordError as error:
            _warn(record, error)
            return None
        return metric if wanted.has_metric(metric) else None

    return accept


def _warn(record: ConsumerRecord, error: InvalidRecordError) -> None:
    logger.warning("skipped %s/%s offset %s: %s", record.topic, record.partition, record.offset, error)


async def _subscribe(
    source: Source, accept: Callable[[ConsumerRecord], _Record | None]
) -> AsyncGenerator[_Record, None]:
    # The only generator: at its end, asyncio closes all that are left at once, whoever waits for whom.
    async with await open_reader(source) as reader:
        while (records := await reader.fetch()) is not None:
            for record in records:
                accepted = accept(record)
                if accepted is not None:
                    yield accepted
                if not await reader.done(record):
                    break


async def _latest(source: Source, wanted: _Wanted) -> AsyncGenerator[Metric, None]:
    for metric in (await _latest_by_scope(source, wanted)).values():
        yield metric


async def _latest_by_scope(source: Source, wanted: _Wanted) -> dict[Scope, Metric]:
    latest: dict[Scope, Metric] = {}
    async with await open_reader(source) as reader:
        while (records := await reader.fetch()) is not None:
            for record in records:
                try:
                    if record.value is None:
                        latest.pop(decode_key(record.key or b""), None)
                        continue
                    metric = decode_metric(record.value)
                except InvalidRecordError as error:
                    _warn(record, error)
                    continue
                if wanted.has_scope(metric.scope):
                    latest[metric.scope] = metric
    return {scope: metric for scope, metric in latest.items() if wanted.has_metric(metric)}
