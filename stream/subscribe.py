"""What other programs import to follow alerts and metrics.

    async for alert in subscribe_alerts("kafka://127.0.0.1:9092", severities={"critical"}):
        print(alert.seller_id, alert.metric.live.vtr)

Leaving such a loop closes the subscription in the background, when Python collects it. To have it closed, and the
group's offsets committed, at a certain point:

    async with contextlib.aclosing(subscribe_alerts(broker, group="mailer")) as alerts:
        async for alert in alerts:
            …
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from itertools import chain
from types import TracebackType
from typing import Literal, Self, TypeVar, get_args

from aiokafka import ConsumerRebalanceListener, ConsumerRecord
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from msgspec import Struct

from stream.kafka import (
    BrokerError,
    TopicPartition,
    connected_admin,
    connected_consumer,
    end_offsets,
    is_cut_off,
    partition_counts,
)
from stream.places import canonical_marketplace
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
from stream.settings import Settings, bootstrap_servers
from stream.topics import require_topics

Start = Literal["now", "beginning"]
ScopeWidth = Literal["seller", "marketplace", "category"]

REMEMBERED_ALERTS = 65_536
"""Alert ids by which repeats are dropped: some 10 MB. A repeat comes from a worker that crashed and read its last
batch again, so it is at most a few batches' alerts behind, and most events cause no alert at all."""

COMMIT_INTERVAL = 5.0
"""Seconds between commits of a group: what a subscriber that is killed gets again."""

COMMIT_TIMEOUT = 3.0
"""Seconds a commit may take. One that fails is repeated with the next, and costs no more than repeated records."""

JOIN_TIMEOUT = 60.0
"""Seconds in which a group must have let a new member in. A rebalance takes at most 10, the session timeout; one
after the crash of another member twice that."""

STALL_TIMEOUT = 30.0
"""Seconds without any progress after which a subscription that is to end at the end gives up."""

POLL_MS = 1_000
"""How long to wait for records before looking at the clock again."""

POLL_RECORDS = 2_000
"""Unpacking more records at once would block the caller's event loop for more than some 10 ms."""

_DEFAULTS = Settings()

logger = logging.getLogger(__name__)

_Name = TypeVar("_Name", bound=str)
_Record = TypeVar("_Record", Alert, Metric)


def subscribe_alerts(
    broker: str = _DEFAULTS.broker,
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

    ``broker`` is ``kafka://host:port[,host:port…]``. ``start`` says whether to read what the topic holds
    (``"beginning"``) or only what comes after the first ``await`` (``"now"``).

    With ``group``, the subscription goes on where the group stopped, and shares the topic with the group's other
    members; ``start`` is where a new group starts. An alert counts as done when the next one is asked for, so after
    a crash, or a ``break``, the last one comes again: at least once, never none. Kafka forgets groups that nobody
    used for a week (``offsets.retention.minutes``). Do not block the event loop for more than 10 s: the group would
    take the subscriber for dead.

    ``follow=False`` ends at what was the end of the topic at the start; otherwise it waits for more, also while the
    broker is away. Filters are None for "all". ``marketplaces`` leaves out alerts of whole sellers, which have no
    marketplace. ``scope`` is the width an alert's scope must have: a whole seller, a marketplace, or a category.

    Alerts whose ``alert_id`` came before are dropped, and so are tombstones (of scopes that no longer exist);
    records that are no alerts are logged as warnings and skipped.

    Raises ValueError or TypeError at once for arguments that cannot be meant, and from the iteration
    :class:`~stream.kafka.BrokerError`, one line, within seconds where the broker or the topic is not there.
    """
    wanted = _Wanted.of(seller_ids, marketplaces, scope, statuses, types, severities)
    _check_source(broker, start, group)
    return _subscribe(_Source(broker, topic, start, group, follow), _accept_alert(wanted))


def subscribe_metrics(
    broker: str = _DEFAULTS.broker,
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
    _check_source(broker, start, group)
    source = _Source(broker, topic, start, group, follow)
    if start == "beginning" and not follow and group is None:
        return _latest(source, wanted)
    return _subscribe(source, _accept_metric(wanted))


async def latest_metrics(
    broker: str = _DEFAULTS.broker,
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
    return await _latest_by_scope(_Source(broker, topic, "beginning", None, follow=False), wanted)


class _Source(Struct, frozen=True):
    broker: str
    topic: str
    start: Start
    group: str | None
    follow: bool


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


def _check_source(broker: str, start: Start, group: str | None) -> None:
    bootstrap_servers(broker)
    _check("start", start, get_args(Start))
    if group == "":
        raise ValueError("group must have a name, or be None")


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
    source: _Source, accept: Callable[[ConsumerRecord], _Record | None]
) -> AsyncGenerator[_Record, None]:
    # The only generator: at its end, asyncio closes all that are left at once, whoever waits for whom.
    async with await _reader(source) as reader:
        while (records := await reader.fetch()) is not None:
            for record in records:
                accepted = accept(record)
                if accepted is not None:
                    yield accepted
                if not await reader.done(record):
                    break


async def _latest(source: _Source, wanted: _Wanted) -> AsyncGenerator[Metric, None]:
    for metric in (await _latest_by_scope(source, wanted)).values():
        yield metric


async def _latest_by_scope(source: _Source, wanted: _Wanted) -> dict[Scope, Metric]:
    latest: dict[Scope, Metric] = {}
    async with await _reader(source) as reader:
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


async def _reader(source: _Source) -> "_Reader":
    async with connected_admin(source.broker) as admin:
        existing = await partition_counts(admin)
    require_topics([source.topic], existing, source.broker)
    partitions = [TopicPartition(source.topic, number) for number in range(existing[source.topic].total)]
    needs_ends = source.start == "now" or not source.follow
    ends = await end_offsets(source.broker, partitions) if needs_ends else {}
    if source.group is None:
        return _Reader(source, partitions, ends)
    return _Member(source, source.group, partitions, ends)


class _Reader:
    """Reads the partitions of a topic from where its source says to where it says."""

    def __init__(
        self,
        source: _Source,
        partitions: list[TopicPartition],
        ends: dict[TopicPartition, int],
    ) -> None:
        self._source = source
        self._partitions = partitions
        self._ends = ends
        """Where the partitions ended at the start; empty where that is of no interest."""
        self._connection = connected_consumer(source.broker, group=source.group)
        self._positions: list[int] = []
        self._moved = time.monotonic()

    async def __aenter__(self) -> Self:
        self._consumer = await self._connection.__aenter__()
        try:
            await self._start()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._connection.__aexit__(kind, error, traceback)

    async def fetch(self) -> list[ConsumerRecord] | None:
        """The next records, possibly none, tombstones included; None at the end."""
        if not self._source.follow and not await self._is_behind():
            return None
        batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
        records = chain.from_iterable(batches.values())
        if self._source.follow:
            return list(records)
        return [record for record in records if record.offset < self._ends.get(_partition(record), 0)]

    async def done(self, record: ConsumerRecord) -> bool:  # noqa: ARG002
        """Told of each record when the next one is asked for. False where the rest of the fetch is to be dropped."""
        return True

    async def _start(self) -> None:
        self._consumer.assign(self._partitions)
        if self._source.start == "now":
            for partition, end in self._ends.items():
                self._consumer.seek(partition, end)

    async def _is_behind(self) -> bool:
        """Whether assigned partitions are not at their ends. Raises TimeoutError after :data:`STALL_TIMEOUT`."""
        partitions = [partition for partition in self._ends if partition in self._consumer.assignment()]
        try:
            async with asyncio.timeout(STALL_TIMEOUT):
                positions = [await self._consumer.position(partition) for partition in partitions]
        except IllegalStateError:
            return True  # A rebalance took the partition away meanwhile.
        if positions != self._positions:
            self._positions, self._moved = positions, time.monotonic()
        elif time.monotonic() - self._moved > STALL_TIMEOUT:
            raise TimeoutError
        return any(position < self._ends[partition] for partition, position in zip(partitions, positions, strict=True))


class _Member(_Reader, ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads the part of a topic that a consumer group leaves to it, from where the group stopped."""

    def __init__(
        self, source: _Source, group: str, partitions: list[TopicPartition], ends: dict[TopicPartition, int]
    ) -> None:
        super().__init__(source, partitions, ends)
        self._group = group
        self._done: dict[TopicPartition, int] = {}
        """The offset after the last record done, of each partition with records done since the last commit."""
        self._generation = 0
        """Counts the rebalances."""
        self._fetched = 0
        """The generation of the last fetch."""
        self._due = time.monotonic() + COMMIT_INTERVAL

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if not is_cut_off(self._consumer):
                await self._commit()
        finally:
            await super().__aexit__(kind, error, traceback)

    async def fetch(self) -> list[ConsumerRecord] | None:
        await self._commit_when_due()
        records = await super().fetch()
        # No await since the consumer gave them, so it is the generation that they belong to.
        self._fetched = self._generation
        return records

    async def done(self, record: ConsumerRecord) -> bool:
        if self._generation != self._fetched:
            # Whoever has the partition now reads on from what was committed, so the rest is theirs, or comes again.
            return False
        self._done[_partition(record)] = record.offset + 1
        await self._commit_when_due()
        return True

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002 - they are all
        self._generation += 1
        await self._commit()
        self._done.clear()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Nothing to do: the consumer goes on from what the group committed."""

    async def _start(self) -> None:
        async with _joining(self._source):
            await self._establish()
            self._consumer.subscribe([self._source.topic], listener=self)
            # Waits for the assignment, and takes no record.
            await self._consumer.getmany(TopicPartition(self._source.topic, -1))

    async def _establish(self) -> None:
        """Gives a new group its position, so that it misses nothing from now on.

        Without one, a group whose members stop before their first commit would start at another "now" the next
        time; and what a broker takes for "now" can be wrong, see :func:`~stream.kafka.end_offsets`.
        """
        async with connected_consumer(self._source.broker, group=self._group) as consumer:
            consumer.assign(self._partitions)
            new = [partition for partition in self._partitions if await consumer.committed(partition) is None]
            if not new:
                return
            starts = self._ends if self._source.start == "now" else await consumer.beginning_offsets(new)
            # Refused where the group has got members meanwhile; then they have done the same.
            with suppress(CommitFailedError):
                await consumer.commit({partition: starts[partition] for partition in new})

    async def _commit_when_due(self) -> None:
        if time.monotonic() >= self._due:
            await self._commit()

    async def _commit(self) -> None:
        self._due = time.monotonic() + COMMIT_INTERVAL
        if not self._done:
            return
        offsets = dict(self._done)
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                await self._consumer.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            logger.warning("group %s: not committed, so records may come again: %s", self._group, type(error).__name__)
            return
        for partition in offsets:
            self._done.pop(partition, None)


@asynccontextmanager
async def _joining(source: _Source) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(JOIN_TIMEOUT):
            yield
    except TimeoutError:
        raise BrokerError(
            f"the Kafka broker at {source.broker} did not let group {source.group} in within {JOIN_TIMEOUT:g} s; "
            "check that its offsets topic is available, and that the group's other members are alive"
        ) from None


def _partition(record: ConsumerRecord) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)
