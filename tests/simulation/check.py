"""What must be true at the drained end of a seed, whatever went wrong before. Nothing of it is computed by the engine
but what a rebuilt engine must say, and that is compared with the oracle too."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec
from aiokafka import TopicPartition

from stream.dead_letters import headers
from stream.engine import Engine, EngineSettings
from stream.engine.alerts import alert_id
from stream.events import Event, OrderShipped, Rejection, TrackingUploaded, decode
from stream.records import Alert, Metric, Scope, Status, decode_alert, decode_metric
from stream.state import MemoryStore, StoredShipments
from stream.state.rows import WATERMARK_KEY, unpack_watermark
from tests import oracle
from tests.oracle import Rules, Shipment
from tests.oracle_rules import rules_of
from tests.simple_policy import SimplePolicy
from tests.simulation.run import SimulationError

if TYPE_CHECKING:
    from tests.simulation.run import Run

SAMPLED_HOURS = 8
"""Hours of a partition's past at which the statuses that had to hold are computed: each costs milliseconds."""

Fact = TypeVar("Fact", OrderShipped, TrackingUploaded)


def check(run: "Run") -> None:
    """Raises :class:`~tests.simulation.run.SimulationError`."""
    now, rules = run.world.clock(), rules_of(run.settings)
    events = run.inputs.good()
    _must_be(run.uncommitted(), {}, "uncommitted offsets")
    _dead_letters(run)
    chains = alert_chains(run)
    statuses = {scope: chain[-1].status for scope, chain in chains.items()}
    expected = oracle.metrics(events, now, rules, statuses)
    _must_be(_dated(published_metrics(run), now), expected, "published metrics")
    for scope, metric in expected.items():
        status = oracle.next_status(metric.status, metric.live.valid, metric.live.counted, rules)
        _must_be(metric.status, status, f"status of {scope}")
    gone = {scope: status for scope, status in statuses.items() if scope not in expected}
    _must_be(gone, dict.fromkeys(gone, "ok"), "statuses of scopes that are gone")
    for number in range(run.partitions):
        _statuses_that_had_to_hold(run, number, chains, rules)
        _rebuilt(run, number, expected, chains, now)


# --- What was published ----------------------------------------------------------------------------------------------


def _dead_letters(run: "Run") -> None:
    """Exactly the poison and what came too late, unchanged, at least once each."""
    found = {}
    for number in range(run.partitions):
        for row in run.cluster.logs[TopicPartition(run.settings.dead_letters_topic, number)].history:
            said = dict(row.headers)
            source = TopicPartition(said[headers.SOURCE_TOPIC].decode(), int(said[headers.SOURCE_PARTITION]))
            found[source, int(said[headers.SOURCE_OFFSET])] = row
    _must_be(found.keys(), {place for place, kind in run.kinds.items() if kind != "good"}, "dead letters' sources")
    for (tp, offset), row in found.items():
        (source_row,) = run.cluster.logs[tp].read(offset, 1)
        _must_be((row.key, row.value), (source_row.key, source_row.value), f"dead letter of {tp} {offset}")


def published_metrics(run: "Run") -> dict[Scope, Metric]:
    """What somebody knows who keeps the latest record of each key. Without the policy's name, as the oracle's."""
    found: dict[Scope, Metric] = {}
    for number in range(run.partitions):
        for row in run.cluster.logs[TopicPartition(run.settings.metrics_topic, number)].latest().values():
            if row.value is not None:
                metric = msgspec.structs.replace(decode_metric(row.value), policy="")
                if metric.scope in found:
                    raise SimulationError(f"two partitions have a metric of {metric.scope}")
                found[metric.scope] = metric
    return found


def _dated(metrics: dict[Scope, Metric], now: datetime) -> dict[Scope, Metric]:
    """An unchanged metric is not said again, and so is as old as its last change."""
    for metric in metrics.values():
        if metric.as_of > now:
            raise SimulationError(f"{metric.scope} is as of {metric.as_of}, and it is {now}")
    return {scope: msgspec.structs.replace(metric, as_of=now) for scope, metric in metrics.items()}


def alert_chains(run: "Run") -> dict[Scope, list[Alert]]:
    """The alerts of each scope without repeats. Each must follow from the one before: the next status, for a reason
    that its own metric gives, under the id that only this history leads to. So none is lost and none is made up."""
    chains: dict[Scope, list[Alert]] = {}
    rules = rules_of(run.settings)
    for number in range(run.partitions):
        for row in run.cluster.logs[TopicPartition(run.settings.alerts_topic, number)].history:
            assert row.value is not None
            alert = decode_alert(row.value)
            chain = chains.setdefault(alert.scope, [])
            if any(alert.alert_id == earlier.alert_id for earlier in chain):
                continue
            previous_status, previous_id = (chain[-1].status, chain[-1].alert_id) if chain else ("ok", "")
            what = f"{alert.type} of {alert.scope} at offset {row.offset}"
            _must_be(alert.previous_status, previous_status, f"previous status of {what}")
            _must_be(
                alert.alert_id, alert_id(run.settings.group, previous_id, alert.scope, alert.status), f"id of {what}"
            )
            live = alert.metric.live
            _must_be(alert.status, oracle.next_status(previous_status, live.valid, live.counted, rules), what)
            _must_be(sum(cause.count for cause in alert.causes), live.defects, f"causes of {what}")
            chain.append(alert)
    return chains


# --- What had to be said ---------------------------------------------------------------------------------------------


class _Bounds(NamedTuple):
    """How the shipments of a scope can count at an hour, whatever a worker had read ahead by then."""

    surely_valid: int
    maybe_valid: int
    surely_defect: int
    maybe_defect: int
    surely_counted: int


_Facts = dict[tuple[str, str], tuple[list[OrderShipped], list[TrackingUploaded]]]
"""The facts of each shipment."""


def _statuses_that_had_to_hold(run: "Run", number: int, chains: dict[Scope, list[Alert]], rules: Rules) -> None:
    """Which status a scope has in the middle of a backlog depends on how far which topic was read. But what lies in a
    topic before the first event of an hour has surely been read when time passes that hour, and what lies behind it may
    have. Where every possibility has the same status, an alert must have said so by then.
    """
    hours = _hours_passed(run, number)
    tps = [TopicPartition(topic, number) for topic in run.settings.input_topics]
    logged = {tp: list(_usable(run, tp)) for tp in tps}
    everything = _by_shipment(event for some in logged.values() for _, event in some)
    for hour in sorted(run.random.sample(hours, min(SAMPLED_HOURS, len(hours)))):
        instant = oracle.EPOCH + hour * oracle.HOUR
        surely = _by_shipment(event for some in logged.values() for event in _surely_read(some, instant))
        for scope, bounds in _bounds(surely, everything, hour, rules).items():
            possible = _possible(bounds, rules)
            status = _status_at(chains.get(scope, []), instant)
            if status not in possible:
                raise SimulationError(
                    f"{scope} was {status} at {instant}, and must have been of {sorted(possible)}: {bounds}"
                )


def _hours_passed(run: "Run", number: int) -> range:
    """The hours that time passed one by one. They begin at the first watermark that anybody reached: that of a worker
    that died before it was stored is told by the alerts it had sent."""
    changelog = run.cluster.logs[TopicPartition(run.settings.changelog_topic, number)]
    reached = [
        (row.time, unpack_watermark(row.value)) for row in changelog.history if row.key == WATERMARK_KEY and row.value
    ]
    if not reached:
        return range(0)
    stored_at, first = reached[0]
    for row in run.cluster.logs[TopicPartition(run.settings.alerts_topic, number)].history:
        if row.time < stored_at:
            first = max(first, oracle.hour_of(decode_alert(row.value or b"").since))
    return range(first + 1, max(hour for _, hour in reached) + 1)


def _usable(run: "Run", tp: TopicPartition) -> Iterator[tuple[bool, Event]]:
    """The events of a topic's partition in their order, and whether each was there before any worker was."""
    backlog = run.backlog_ends.get(tp, 0)
    for row in run.cluster.logs[tp].rows:
        if run.kinds[tp, row.offset] == "good":
            event = decode(row.value)
            assert not isinstance(event, Rejection)
            yield row.offset < backlog, event


def _surely_read(logged: Sequence[tuple[bool, Event]], instant: datetime) -> Iterator[Event]:
    for was_there, event in logged:
        if not was_there or event.event_time >= instant:
            return
        yield event


def _bounds(surely: _Facts, everything: _Facts, hour: int, rules: Rules) -> dict[Scope, _Bounds]:
    kinds: dict[Scope, list[set[str]]] = {}
    for key, (shipped, tracked) in everything.items():
        shipped_before, tracked_before = surely.get(key, ([], []))
        shipments = [
            Shipment(one, other)
            for one in _latest_or_later(shipped_before, shipped)
            for other in _latest_or_later(tracked_before, tracked)
            if one is not None
        ]
        maybe_unknown = not shipped_before
        found: dict[Scope, set[str]] = {}
        for shipment in shipments:
            is_live = oracle.is_live(shipment, hour)
            for scope in shipment.scopes:
                found.setdefault(scope, set()).add(oracle.outcome(shipment, hour, rules)[0] if is_live else "none")
        for scope, outcomes in found.items():
            if maybe_unknown or any(scope not in shipment.scopes for shipment in shipments):
                outcomes.add("none")
            kinds.setdefault(scope, []).append(outcomes)
    return {
        scope: _Bounds(
            sum(outcomes == {"valid"} for outcomes in each),
            sum("valid" in outcomes for outcomes in each),
            sum(outcomes == {"defect"} for outcomes in each),
            sum("defect" in outcomes for outcomes in each),
            sum(outcomes <= {"valid", "defect"} for outcomes in each),
        )
        for scope, each in kinds.items()
    }


def _by_shipment(events: Iterable[Event]) -> _Facts:
    found: _Facts = {}
    for event in events:
        shipped, tracked = found.setdefault((event.seller_id, event.shipment_id), ([], []))
        if isinstance(event, OrderShipped):
            shipped.append(event)
        elif isinstance(event, TrackingUploaded):
            tracked.append(event)
    return found


def _latest_or_later(before: list[Fact], every: list[Fact]) -> list[Fact | None]:
    """The fact that holds if nothing more was read, and those that may hold instead."""
    latest: Fact | None = max(before, key=_version, default=None)
    facts: list[Fact | None] = [latest]
    facts += [fact for fact in every if latest is None or _version(fact) > _version(latest)]
    return facts


def _version(event: Event) -> tuple[datetime, str]:
    return event.event_time, event.event_id


def _possible(bounds: _Bounds, rules: Rules) -> set[Status]:
    """The statuses that a scope can have, whatever it had before."""
    if bounds.maybe_valid == bounds.maybe_defect == 0:
        return {"ok"}
    if bounds.surely_counted < max(1, rules.min_counted):
        return {"ok", "at_risk", "breached"}
    best = Fraction(bounds.maybe_valid, bounds.maybe_valid + bounds.surely_defect)
    worst = Fraction(bounds.surely_valid, bounds.surely_valid + bounds.maybe_defect)
    if rules.is_below_threshold(best):
        return {"breached"}
    if best < rules.warn:
        return {"at_risk", "breached"}
    if worst >= min(Fraction(1), rules.warn + rules.recover_margin):
        return {"ok"}
    return {"ok", "at_risk", "breached"}


def _status_at(chain: Sequence[Alert], instant: datetime) -> Status:
    status: Status = "ok"
    for alert in chain:
        if alert.since <= instant:
            status = alert.status
    return status


# --- What is kept ----------------------------------------------------------------------------------------------------


def _rebuilt(
    run: "Run", number: int, expected: dict[Scope, Metric], chains: dict[Scope, list[Alert]], now: datetime
) -> None:
    """Who restores a partition from its changelog and its alerts alone has what its owner has."""
    store = MemoryStore()
    changelog = run.cluster.logs[TopicPartition(run.settings.changelog_topic, number)]
    store.write({row.key: row.value for row in changelog.rows if row.key is not None})
    rows = dict(store.scan())
    owners = [process for process in run.alive() if process.app.processor.shipments.holds(number)]
    _must_be(len(owners), 1, f"owners of partition {number}")
    _must_be(dict(owners[0].app.processor.shipments.store(number).scan()), rows, f"rows of partition {number}")
    settings = run.settings
    shipments = StoredShipments(store, settings.lag_days)
    engine = Engine.restore(
        SimplePolicy.of(settings),
        EngineSettings.of(settings),
        shipments,
        watermark=shipments.watermark(),
        last_alerts=[chain[-1] for scope, chain in chains.items() if partition_of(run, scope) == number],
    )
    alerts = engine.advance(now).alerts
    _must_be([alert.type for alert in alerts], [], f"alerts of a rebuilt partition {number}")
    found = {metric.scope: msgspec.structs.replace(metric, policy="") for metric in engine.metrics()}
    own = {scope: metric for scope, metric in expected.items() if partition_of(run, scope) == number}
    _must_be(found, own, f"metrics of a rebuilt partition {number}")


def partition_of(run: "Run", scope: Scope) -> int:
    """The partition of a seller's events."""
    return int(scope.seller_id[1:]) % run.partitions


def _must_be(found: object, expected: object, what: str) -> None:
    if found == expected:
        return
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = [key for key in {**found, **expected} if found.get(key) != expected.get(key)]
        lines = [f"\n  {key}:\n    found    {found.get(key)}\n    expected {expected.get(key)}" for key in keys[:3]]
        raise SimulationError(f"{what}: {len(keys)} differ{''.join(lines)}")
    raise SimulationError(f"{what}: found {found}, expected {expected}")
