"""The engine against the oracle: any history, in any order, in any batches, across restarts.

The histories are small and crowded: few sellers, shipments and instants, so that corrections, duplicates, ties and
window edges meet all the time. Histories span 33 days, less than anything is kept, so no event comes too late.
``VTR_HYPOTHESIS_EXAMPLES`` multiplies the number of examples, ``0.5`` where it is not CI that runs them.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Literal, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from stream.engine import Changes, Engine, EngineSettings
from stream.engine.engine import SWEEP_SHARES
from stream.events import (
    MAX_AHEAD_SHIPPING,
    Event,
    Milestone,
    OrderShipped,
    Rejection,
    RejectionCode,
    TrackingScanned,
    TrackingUploaded,
    decode,
)
from stream.policy import Outcome, Policy, Verdict
from stream.records import Alert, Metric, Scope, Status
from stream.settings import Settings
from stream.state import MemoryStore, StoredShipments
from stream.state.rows import WATERMARK_KEY, pack_watermark
from tests import oracle
from tests.environment import in_ci
from tests.oracle import Monitor, Rules
from tests.oracle_rules import rules_of
from tests.simple_policy import SimplePolicy

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
REAL_NUMBER = "00340434161094042557"

Line = bytes
"""An event as it arrives. Every application decodes it anew, so a duplicate is not the same object."""


def examples(count: int) -> settings:
    """So many in CI, and half of them on a developer's machine."""
    share = float(os.environ.get("VTR_HYPOTHESIS_EXAMPLES", "1" if in_ci(os.environ) else "0.5"))
    return settings(
        max_examples=max(1, round(count * share)),
        deadline=None,
        derandomize=bool(os.environ.get("CI")),  # also where it is false: the same each time in any run of CI
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


# --- Histories -------------------------------------------------------------------------------------------------------

# What is drawn most stands in a list more than once, so that shipments meet in a scope and some of them are valid.
SELLERS = ["A", "A", "A", "A1"]
SHIPMENTS = ["1", "11", "2", "12", "3"]
"""Seller and shipment ids that run together when they are joined carelessly."""

MARKETPLACES = ["DE", "DE", "UK", "GB"]
CATEGORIES = ["Home", "Home", "Toys"]
NUMBERS = [REAL_NUMBER] * 4 + ["1Z999AA10123456784"] * 3 + [None, " ", "NULL", "N/A", "none", "0000000000", "order"]
CARRIERS = ["DHL", "DHL", "GLS", None, " "]
EVENT_IDS = ["1", "9", "10", "a", "A", "é", "🎁"]


def to_json(**fields: object) -> Line:
    """A line with the fields that are given."""
    return msgspec.json.encode(fields)


def shipped(shipment_id: str, shipped_at: datetime, /, **fields: object) -> Line:
    """A line of a shipment that counts in every scope of seller A."""
    defaults: dict[str, object] = {
        "type": "order-shipped",
        "event_id": "1",
        "event_time": shipped_at,
        "seller_id": "A",
        "order_id": f"order-{shipment_id}",
        "shipment_id": shipment_id,
        "marketplace": "DE",
        "category": "Home",
        "carrier": "DHL",
        "shipped_at": shipped_at,
    }
    return to_json(**(defaults | fields))


def tracked(shipment_id: str, event_time: datetime, /, **fields: object) -> Line:
    """A line that makes such a shipment valid."""
    defaults: dict[str, object] = {
        "type": "tracking-uploaded",
        "event_id": "1",
        "event_time": event_time,
        "seller_id": "A",
        "shipment_id": shipment_id,
        "tracking_number": REAL_NUMBER,
    }
    return to_json(**(defaults | fields))


def decoded(line: Line) -> Event:
    result = decode(line)
    assert not isinstance(result, Rejection), result
    return result


def all_decoded(lines: Iterable[Line]) -> list[Event]:
    return [decoded(line) for line in lines]


def ends() -> st.SearchStrategy[datetime]:
    """The last instant of a history, on any hour of the day."""
    offsets = st.sampled_from([timedelta(0), SECOND, HOUR / 2, HOUR - SECOND])
    return st.builds(lambda hour, offset: MIDNIGHT + hour * HOUR + offset, st.integers(0, 23), offsets)


def ship_times(end: datetime, grace_hours: int) -> st.SearchStrategy[datetime]:
    """The edges of the live window and of the grace period, and anything between and a little outside."""
    edges = [0, grace_hours, grace_hours + 1, grace_hours + 1, grace_hours + 2, 718, 719, 720, 721, -1, -30]
    hours_ago = st.sampled_from(edges) | st.integers(-30, 33 * 24)
    offsets = st.sampled_from([timedelta(0), SECOND, HOUR / 2, HOUR - SECOND, HOUR - timedelta(microseconds=1)])
    return st.builds(
        lambda hours, offset: oracle.EPOCH + (oracle.hour_of(end) - hours) * HOUR + offset, hours_ago, offsets
    )


def promises(end: datetime, lag_days: int) -> st.SearchStrategy[datetime]:
    """The edges of the official window, and anything between and a little outside."""
    edges = [lag_days + days for days in (-1, 0, 1, 28, 29, 30, 31)]
    days_ago = st.sampled_from(edges) | st.integers(-12, 45)
    offsets = st.sampled_from([timedelta(0), SECOND, DAY / 2, DAY - SECOND])
    return st.builds(lambda days, offset: oracle.EPOCH + (oracle.day_of(end) - days) * DAY + offset, days_ago, offsets)


def event_times(end: datetime) -> st.SearchStrategy[datetime]:
    """Few of them, so that facts tie and their event ids decide."""
    few = [timedelta(0), HOUR, HOUR + timedelta(microseconds=1), 30 * HOUR, 10 * DAY]
    ago = st.sampled_from(few) | st.integers(0, 33 * 24 * 3600).map(lambda seconds: seconds * SECOND)
    return ago.map(lambda ago: end - ago)


MONEY = st.fixed_dictionaries(
    {
        "amount": st.sampled_from(["19.99", "20.00", "5", "20", "19.999999"]),
        "currency": st.sampled_from(["EUR", "EUR", "GBP"]),
    }
)


def shipped_lines(end: datetime, grace_hours: int, lag_days: int) -> st.SearchStrategy[Line]:
    def build(
        shipment_id: str,
        event_time: datetime,
        shipped_at: datetime,
        fields: dict[str, object],
        letter: dict[str, object],
    ) -> Line:
        return to_json(
            **fields,
            **letter,
            type="order-shipped",
            order_id=f"order-{shipment_id}",
            shipment_id=shipment_id,
            # Nobody announces a shipment more than a month ahead; such an event would be rejected.
            event_time=max(event_time, shipped_at - MAX_AHEAD_SHIPPING),
            shipped_at=shipped_at,
        )

    fields = st.fixed_dictionaries(
        {
            "event_id": st.sampled_from(EVENT_IDS),
            "seller_id": st.sampled_from(SELLERS),
            "marketplace": st.sampled_from(MARKETPLACES),
            "category": st.sampled_from(CATEGORIES),
            "carrier": st.sampled_from(CARRIERS),
        },
        optional={
            "fulfilled_by": st.sampled_from(["merchant", "merchant", "merchant", "marketplace"]),
            "promised_delivery_by": promises(end, lag_days),
        },
    )
    countries = st.sampled_from(["DE", "GB", "UK", "US", "SE", None])
    # Letters need four fields to agree, so they are drawn together or not at all.
    no_letter: dict[str, object] = {}
    letters = st.just(no_letter) | st.fixed_dictionaries(
        {
            "ship_method": st.sampled_from(["Brief", "Paket", None]),
            "order_value": st.none() | MONEY,
            "ship_from": countries,
            "ship_to": countries,
        }
    )
    return st.builds(build, st.sampled_from(SHIPMENTS), event_times(end), ship_times(end, grace_hours), fields, letters)


def tracked_lines(end: datetime) -> st.SearchStrategy[Line]:
    def build(shipment_id: str, number: str | None, fields: dict[str, object]) -> Line:
        # The order's own id is a placeholder; it is the one number that depends on the shipment.
        number = f"order-{shipment_id}" if number == "order" else number
        return to_json(type="tracking-uploaded", shipment_id=shipment_id, tracking_number=number, **fields)

    fields = st.fixed_dictionaries(
        {
            "event_id": st.sampled_from(EVENT_IDS),
            "event_time": event_times(end),
            "seller_id": st.sampled_from(SELLERS),
            "carrier": st.sampled_from(CARRIERS),
        }
    )
    return st.builds(build, st.sampled_from(SHIPMENTS), st.sampled_from(NUMBERS), fields)


def scanned_lines(end: datetime) -> st.SearchStrategy[Line]:
    fields = st.fixed_dictionaries(
        {
            "event_id": st.sampled_from(EVENT_IDS),
            "event_time": event_times(end),
            "seller_id": st.sampled_from(SELLERS),
            "shipment_id": st.sampled_from(SHIPMENTS),
            "milestone": st.sampled_from(["carrier_received", "delivered"]),
        }
    )
    return fields.map(lambda fields: to_json(type="tracking-scanned", **fields))


def version(line: Line) -> tuple[object, ...]:
    """Two different events must differ in this: an event id names one event."""
    event = decoded(line)
    return type(event), event.seller_id, event.shipment_id, event.event_time, event.event_id


def lines(end: datetime, grace_hours: int, lag_days: int, *, most: int) -> st.SearchStrategy[list[Line]]:
    one = shipped_lines(end, grace_hours, lag_days)
    either = one | tracked_lines(end) | one | tracked_lines(end) | scanned_lines(end)
    # Long histories are rare where nothing asks for them, and it takes several events to move one status twice.
    return st.sampled_from([1, most // 3, most // 2]).flatmap(
        lambda least: st.lists(either, min_size=least, max_size=most, unique_by=version)
    )


@st.composite
def all_settings(draw: st.DrawFn) -> Settings:
    """Levels that few shipments can sit on exactly, and the defaults."""
    threshold, warn_level = draw(
        st.sampled_from(
            [("0.5", "0.75"), ("0.4", "0.9"), ("0.3333", "0.6"), ("0.75", "1"), ("0.6", "0.6"), ("0.95", "0.97")]
        )
    )
    return Settings(
        threshold=Decimal(threshold),
        warn_level=Decimal(warn_level),
        recover_margin=Decimal(draw(st.sampled_from(["0.005", "0", "0.04"]))),
        at_threshold=draw(st.sampled_from(["pass", "fail"])),
        min_counted=draw(st.integers(0, 3)),
        grace_hours=draw(st.sampled_from([24, 0, 1, 72])),
        lag_days=draw(st.sampled_from([10, 10, 0, 14])),
    )


class Step(NamedTuple):
    """A batch, and the instant the watermark moves to afterwards, if it does."""

    batch: list[Line]
    to: datetime | None


class Case(NamedTuple):
    settings: Settings
    end: datetime
    lines: list[Line]
    steps: list[Step]
    is_strict: bool

    @property
    def rules(self) -> Rules:
        return rules_of(self.settings, is_strict=self.is_strict)

    def new_run(self) -> "Run":
        return Run(self.settings, self.is_strict)


@st.composite
def cases(draw: st.DrawFn, *, longest: timedelta = 34 * DAY, most: int = 30) -> Case:
    """A history, and one way for it to arrive: shuffled, with duplicates, in batches between which time passes.

    ``longest`` is how long before its end the watermark may stop first.
    """
    settings = draw(all_settings())
    end = draw(ends())
    assert settings.grace_hours is not None
    history = draw(lines(end, settings.grace_hours, settings.lag_days, most=most))
    repeated = draw(st.lists(st.sampled_from(history), max_size=4))
    arriving = draw(st.permutations([*history, *repeated]))
    # A batch may be empty, and so may the first.
    least_cuts = draw(st.sampled_from([0, 3]))
    cuts = sorted(draw(st.lists(st.integers(0, len(arriving)), min_size=least_cuts, max_size=6)))
    batches = [arriving[low:high] for low, high in zip([0, *cuts], [*cuts, len(arriving)], strict=True)]
    pauses = [draw(st.none() | instants_before(end, longest)) for _ in batches[1:]]
    in_order = iter(sorted(pause for pause in pauses if pause is not None))
    stops = [pause and next(in_order) for pause in pauses]
    steps = [Step(*step) for step in zip(batches, [*stops, end], strict=True)]
    return Case(settings, end, history, steps, draw(st.booleans()))


def instants_before(end: datetime, longest: timedelta) -> st.SearchStrategy[datetime]:
    """Full hours, and anything else; most of them in the last days, where pending ends."""
    hour = oracle.hour_of(end)
    hours_ago = st.integers(0, min(90, longest // HOUR)) | st.integers(0, longest // HOUR)
    full_hours = hours_ago.map(lambda hours: oracle.EPOCH + (hour - hours) * HOUR)
    return full_hours | st.integers(0, longest // SECOND).map(lambda seconds: end - seconds * SECOND)


# --- Running an engine as a worker does ------------------------------------------------------------------------------


class StrictPolicy:
    """The standard policy, and what the oracle's strict rules add."""

    judges_reuse = True
    milestones: frozenset[Milestone] = frozenset({"delivered"})

    def __init__(self, policy: SimplePolicy) -> None:
        self._policy = policy
        self.standard = policy.standard

    def rules_for(self, shipped: OrderShipped) -> "StrictPolicy":  # noqa: ARG002 - the same for all
        return self

    def judge(
        self,
        shipped: OrderShipped,
        tracking: TrackingUploaded | None,
        scans: Sequence[TrackingScanned],
        entered_at: datetime | None,
        is_reused: bool,
    ) -> Verdict:
        verdict = self._policy.judge(shipped, tracking, scans, entered_at, is_reused)
        delivered = next((scan for scan in scans if scan.milestone == "delivered"), None)
        if verdict.outcome is Outcome.VALID and tracking is not None and entered_at is not None:
            carrier = (tracking.carrier or "").strip() or (shipped.carrier or "").strip()
            if is_reused:
                verdict = Verdict(Outcome.DEFECT, "reused_number", carrier)
            elif delivered is not None and entered_at > (delivered.scanned_at or delivered.event_time):
                verdict = Verdict(Outcome.DEFECT, "late_tracking", carrier)
        return verdict._replace(ambiguous=shipped.category == "Toys")


@dataclass
class Run:
    """An engine, the store it is restored from, and the alerts it gave."""

    settings: Settings
    is_strict: bool = False
    store: MemoryStore = field(default_factory=MemoryStore)
    alerts: list[Alert] = field(default_factory=list)
    engine: Engine = field(init=False)

    shipments: StoredShipments = field(init=False)

    def __post_init__(self) -> None:
        self.shipments = self._stored()
        self.engine = Engine(self.policy(), EngineSettings.of(self.settings), self.shipments)

    def policy(self) -> Policy:
        policy = SimplePolicy.of(self.settings)
        return StrictPolicy(policy) if self.is_strict else policy

    def _stored(self) -> StoredShipments:
        return StoredShipments(self.store, self.settings.lag_days)

    def apply(self, batch: Sequence[Line]) -> Changes:
        changes = self.engine.apply(all_decoded(batch))
        self.save(changes)
        return changes

    def advance(self, to: datetime) -> list[Alert]:
        changes = self.engine.advance(to)
        self.save(changes)
        self.alerts.extend(changes.alerts)
        return changes.alerts

    def save(self, changes: Changes) -> None:
        self.shipments.save(changes.shipments)
        if changes.watermark is not None:
            self.store.write({WATERMARK_KEY: pack_watermark(changes.watermark)})

    def step(self, step: Step) -> list[Alert]:
        changes = self.apply(step.batch)
        assert changes.rejected == []
        return [] if step.to is None else self.advance(step.to)

    def restart(self) -> None:
        """Nothing survives but the rows, in another order, and the latest alert of every scope."""
        rows = sorted(self.store.scan())
        self.store = MemoryStore()
        self.store.write(dict(rows))
        latest = {alert.scope: alert for alert in self.alerts}.values()
        self.shipments = self._stored()
        self.engine = Engine.restore(
            self.policy(),
            EngineSettings.of(self.settings),
            self.shipments,
            watermark=self.shipments.watermark(),
            last_alerts=latest,
        )

    def metrics(self) -> dict[Scope, Metric]:
        """As the oracle gives them: without the name of the policy."""
        found = [msgspec.structs.replace(metric, policy="") for metric in self.engine.metrics()]
        by_scope = {metric.scope: metric for metric in found}
        assert len(by_scope) == len(found)
        return by_scope


def run(case: Case) -> Run:
    result = case.new_run()
    for step in case.steps:
        result.step(step)
    return result


def statuses_of(metrics: dict[Scope, Metric]) -> dict[Scope, Status]:
    return {scope: metric.status for scope, metric in metrics.items()}


def without_status(metrics: dict[Scope, Metric]) -> dict[Scope, Metric]:
    """A status, and the two numbers that depend on it, are the only things that depend on what was before."""
    return {
        scope: msgspec.structs.replace(metric, status="ok", allowance=0, needed_to_recover=0)
        for scope, metric in metrics.items()
    }


def with_hour(metrics: dict[Scope, Metric]) -> dict[Scope, Metric]:
    """``as_of`` rounded down: of the watermark only the hour is stored, and no number depends on more."""
    return {
        scope: msgspec.structs.replace(metric, as_of=oracle.EPOCH + oracle.hour_of(metric.as_of) * HOUR)
        for scope, metric in metrics.items()
    }


# --- Properties ------------------------------------------------------------------------------------------------------


@examples(80)
@given(cases())
def test_metrics_are_the_oracles_however_the_events_arrive(case: Case) -> None:
    found = run(case).metrics()
    expected = oracle.metrics(all_decoded(case.lines), case.end, case.rules, statuses_of(found))
    event(f"{len(found)} scopes")
    assert found == expected


@examples(40)
@given(cases())
def test_metrics_are_those_of_one_batch_and_one_advance(case: Case) -> None:
    at_once = case.new_run()
    at_once.step(Step(case.lines, case.end))
    assert without_status(run(case).metrics()) == without_status(at_once.metrics())


@examples(40)
@given(cases(longest=5 * DAY))
def test_the_stored_shipments_do_not_depend_on_how_the_events_arrive(case: Case) -> None:
    at_once = case.new_run()
    at_once.step(Step(case.lines, case.end))
    assert dict(run(case).store.scan()) == dict(at_once.store.scan())


RestartAt = Literal["batch lost", "batch stored", "step done"]


@examples(100)
@given(cases(longest=4 * DAY), st.data())
def test_a_restart_changes_nothing(case: Case, data: st.DataObject) -> None:
    """Whether the worker dies before a batch is stored (it is read again then), or after, or after time has moved."""
    moments: list[RestartAt] = ["batch lost", "batch stored", "step done"]
    numbers = st.integers(0, len(case.steps) - 1)
    restarts = data.draw(st.sets(st.tuples(numbers, st.sampled_from(moments)), min_size=1))
    steady, restarted = case.new_run(), case.new_run()
    for number, step in enumerate(case.steps):
        steady.step(step)
        if (number, "batch lost") in restarts:
            restarted.engine.apply(all_decoded(step.batch))
            restarted.restart()
        restarted.apply(step.batch)
        if (number, "batch stored") in restarts:
            restarted.restart()
            restarted.apply(step.batch)
        if step.to is not None:
            restarted.advance(step.to)
        if (number, "step done") in restarts:
            before = restarted.metrics()
            restarted.restart()
            if step.to is not None:  # else a scope that the batch emptied goes only with the next evaluation
                assert with_hour(restarted.metrics()) == with_hour(before)
    for each in (steady, restarted):
        each.advance(case.end)  # a restart may have been the last thing that happened
    assert restarted.metrics() == steady.metrics()
    assert restarted.alerts == steady.alerts


@examples(100)
@given(cases(longest=4 * DAY), st.data())
def test_no_alert_is_lost_or_new_wherever_a_crash_cuts_a_step(case: Case, data: st.DataObject) -> None:
    """The rows of a step are stored first, then its alerts are sent, then its watermark is stored. Whoever dies on the
    way leaves a successor that does the whole step again."""
    steady, crashing = case.new_run(), case.new_run()
    for step in case.steps:
        steady.step(step)
        if step.to is None or data.draw(st.booleans()):
            crashing.step(step)
            continue
        crashing.apply(step.batch)
        changes = crashing.engine.advance(step.to)
        changes.watermark = None
        crashing.save(changes)
        crashing.alerts += changes.alerts[: data.draw(st.integers(0, len(changes.alerts)))]
        crashing.restart()
        crashing.step(step)
    for each in (steady, crashing):
        each.advance(case.end)
    assert crashing.metrics() == steady.metrics()
    # A scope that is gone by then says its recovery at a later instant, but under the same id.
    assert {alert.alert_id for alert in crashing.alerts} == {alert.alert_id for alert in steady.alerts}
    assert len(crashing.alerts) == len(steady.alerts)


@examples(40)
@given(cases(longest=4 * DAY), st.data())
def test_the_metrics_taken_are_always_those_that_hold(case: Case, data: st.DataObject) -> None:
    """Whoever keeps the latest metric of each scope, and drops a scope that is gone, knows what holds."""
    subject = case.new_run()
    known: dict[Scope, Metric] = {}
    for step in case.steps:
        subject.step(step)
        if step.to is None or (step is not case.steps[-1] and data.draw(st.booleans())):
            continue
        most = data.draw(st.none() | st.integers(1, 3))
        is_due = True
        while is_due:
            for scope in subject.engine.take_gone():
                known.pop(scope, None)
            taken = subject.engine.take_metrics(most)
            is_due = subject.engine.has_due_metrics
            assert most is None or len(taken) <= most
            known |= {metric.scope: metric for metric in taken}
        assert without_time(known) == without_time(subject.metrics())
        assert subject.engine.take_metrics() == []


def without_time(metrics: dict[Scope, Metric]) -> dict[Scope, Metric]:
    """What a metric says, without the moment it said so."""
    return {scope: msgspec.structs.replace(metric, as_of=MIDNIGHT, policy="") for scope, metric in metrics.items()}


@examples(80)
@given(cases(longest=4 * DAY))
def test_statuses_and_alerts_are_the_oracles(case: Case) -> None:
    subject = case.new_run()
    monitor = Monitor(case.rules)
    for step in case.steps:
        alerts = subject.step(step)
        monitor.apply(all_decoded(step.batch))
        if step.to is None:
            continue
        changes = monitor.advance(step.to)
        assert_alerts_are(changes, alerts)
        expected = oracle.metrics(monitor.events, step.to, monitor.rules, monitor.statuses)
        assert subject.metrics() == expected
    event(f"{min(len(subject.alerts), 10)} alerts")
    ids = [alert.alert_id for alert in subject.alerts]
    assert len(set(ids)) == len(ids)


def assert_alerts_are(changes: list[oracle.Change], alerts: list[Alert]) -> None:
    assert [alert.since for alert in alerts] == sorted(alert.since for alert in alerts)
    expected = {(change.since, change.scope): change for change in changes}
    found = {(alert.since, alert.scope): alert for alert in alerts}
    assert len(found) == len(alerts)
    assert found.keys() == expected.keys()
    for key, alert in found.items():
        change = expected[key]
        assert (alert.previous_status, alert.status) == (change.previous, change.status)
        assert msgspec.structs.replace(alert.metric, policy="") == change.metric
        assert_causes_are(change, alert)


def assert_causes_are(change: oracle.Change, alert: Alert) -> None:
    """The most frequent kinds of defect first, each with its full count; all of them when they are few."""
    named = [((cause.reason, cause.carrier), cause.count) for cause in alert.causes]
    assert all(change.causes.get(kind) == count for kind, count in named)
    counts = [count for _, count in named]
    assert counts == sorted(change.causes.values(), reverse=True)[: len(named)]
    assert len(named) >= min(3, len(change.causes))
    assert sum(counts) <= alert.metric.live.defects
    if len(named) == len(change.causes):
        assert sum(counts) == alert.metric.live.defects


@examples(40)
@given(cases())
def test_a_seller_is_the_sum_of_its_marketplaces_and_of_their_categories(case: Case) -> None:
    found = run(case).metrics()
    for scope, metric in found.items():
        for counts in (metric.live, metric.official):
            assert counts.counted == counts.valid + counts.defects
        if scope.category is None:
            is_child = _is_category_of(scope) if scope.marketplace is not None else _is_marketplace_of(scope)
            children = [child for key, child in found.items() if is_child(key)]
            assert children
            assert _sums([metric]) == _sums(children)


def _is_marketplace_of(seller: Scope) -> Callable[[Scope], bool]:
    return lambda key: key.seller_id == seller.seller_id and key.marketplace is not None and key.category is None


def _is_category_of(marketplace: Scope) -> Callable[[Scope], bool]:
    return lambda key: key[:2] == marketplace[:2] and key.category is not None


def _sums(metrics: list[Metric]) -> list[int]:
    """Of every counter of both windows."""
    rows = [
        [getattr(counts, name) for counts in (metric.live, metric.official) for name in _COUNTERS] for metric in metrics
    ]
    return [sum(column) for column in zip(*rows, strict=True)]


_COUNTERS = ("counted", "valid", "defects", "pending", "exempt", "ambiguous")


@examples(25)
@given(cases(longest=2 * DAY), st.sampled_from([HOUR, 5 * HOUR, DAY, 57 * DAY]))
def test_everything_is_forgotten_in_the_end(case: Case, stride: timedelta) -> None:
    subject = run(case)
    # The last promise lies 12 days ahead, and a shipment is kept for lag_days + 30 days after it.
    now, end = case.end, case.end + (12 + case.settings.lag_days + 31) * DAY
    while now < end:
        now = min(now + stride, end)
        subject.advance(now)
    assert subject.metrics() == {}
    latest = {alert.scope: alert.status for alert in subject.alerts}
    assert set(latest.values()) <= {"ok"}
    sweep_all(subject, now)
    assert list(dict(subject.store.scan())) == [WATERMARK_KEY]
    subject.restart()
    assert subject.metrics() == {}
    assert subject.advance(now + 60 * DAY) == []


def sweep_all(subject: Run, now: datetime) -> None:
    """Let the hours pass in which a sweep goes round twice: one that had begun, and a whole one."""
    for hours in range(2 * SWEEP_SHARES):
        subject.advance(now + (hours + 1) * HOUR)


@examples(40)
@given(cases(), st.data())
def test_applying_events_again_changes_nothing(case: Case, data: st.DataObject) -> None:
    subject = run(case)
    before, alerts = subject.metrics(), len(subject.alerts)
    changes = subject.apply(data.draw(st.permutations(case.lines)))
    assert changes.shipments == {}
    assert changes.rejected == []
    assert subject.advance(case.end) == []
    assert subject.metrics() == before
    assert len(subject.alerts) == alerts


# --- Examples --------------------------------------------------------------------------------------------------------


def run_of(lines: Iterable[Line], at: datetime, **settings: object) -> Run:
    subject = Run(msgspec.structs.replace(Settings(), **settings))
    subject.step(Step(list(lines), at))
    return subject


def shipments(valid: int, defects: int, shipped_at: datetime) -> list[Line]:
    """The defects lack tracking, so they are pending at first."""
    names = [str(number) for number in range(valid + defects)]
    return [
        *(shipped(name, shipped_at) for name in names),
        *(tracked(name, shipped_at) for name in names[:valid]),
    ]


SELLER = Scope("A")


@pytest.mark.parametrize(
    ("valid", "status", "allowance", "needed"),
    [(190, "at_risk", 0, 0), (189, "breached", 0, 45), (191, "at_risk", 1, 0), (194, "ok", 4, 0)],
)
def test_200_counted(valid: int, status: str, allowance: int, needed: int) -> None:
    subject = run_of(shipments(valid, 200 - valid, MIDNIGHT - 3 * DAY), MIDNIGHT)
    metric = subject.metrics()[SELLER]
    assert (metric.live.counted, metric.live.valid, metric.live.vtr) == (200, valid, valid / 200)
    assert (metric.status, metric.allowance, metric.needed_to_recover) == (status, allowance, needed)
    assert {alert.status for alert in subject.alerts} == ({status} - {"ok"})


@pytest.mark.parametrize("warn_level", ["0.95", "0.97"])
def test_exactly_on_the_threshold_can_be_made_to_fail(warn_level: str) -> None:
    lines = shipments(190, 10, MIDNIGHT - 3 * DAY)
    subject = run_of(lines, MIDNIGHT, at_threshold="fail", warn_level=Decimal(warn_level))
    assert subject.metrics()[SELLER].status == "breached"


def test_a_status_improves_only_with_a_margin_above_the_level_it_left() -> None:
    """200 shipments, of which more and more are valid, then fewer."""
    shipped_at = MIDNIGHT - 3 * DAY
    subject = run_of(shipments(189, 11, shipped_at), MIDNIGHT)
    statuses = [(189, subject.metrics()[SELLER].status)]
    for number in range(189, 196):
        subject.step(Step([tracked(str(number), shipped_at)], MIDNIGHT))
        statuses.append((number + 1, subject.metrics()[SELLER].status))
    for number in (195, 194, 193):
        removed = tracked(str(number), shipped_at + SECOND, tracking_number=None)
        subject.step(Step([removed], MIDNIGHT))
        statuses.append((number, subject.metrics()[SELLER].status))
    assert statuses == [
        (189, "breached"),
        (190, "breached"),
        (191, "at_risk"),  # 0.955
        (192, "at_risk"),
        (193, "at_risk"),
        (194, "at_risk"),  # 0.97 is not below the warn level, but not by the margin above it
        (195, "ok"),  # 0.975
        (196, "ok"),
        (195, "ok"),
        (194, "ok"),
        (193, "at_risk"),
    ]


def test_a_scope_that_is_gone_is_said_to_be_gone_unless_it_is_back() -> None:
    shipped_at = MIDNIGHT - 3 * DAY
    toys = {Scope("A", "DE", "Toys"), Scope("A", "DE"), SELLER}
    subject = run_of([shipped("1", shipped_at)], MIDNIGHT)
    home = {Scope("A", "DE", "Home"), Scope("A", "DE"), SELLER}
    assert {metric.scope for metric in subject.engine.take_metrics()} == home
    subject.step(Step([shipped("1", shipped_at, event_id="2", category="Toys")], MIDNIGHT))
    taken = {metric.scope: metric for metric in subject.engine.take_metrics()}
    assert subject.engine.take_gone() == [Scope("A", "DE", "Home")]
    assert taken[Scope("A", "DE", "Toys")] == next(m for m in subject.engine.metrics() if m.category == "Toys")
    # Gone and back before anybody looked.
    subject.step(Step([shipped("1", shipped_at, event_id="3")], MIDNIGHT))
    subject.step(Step([shipped("1", shipped_at, event_id="4", category="Toys")], MIDNIGHT))
    assert not toys & set(subject.engine.take_gone())
    assert set(subject.metrics()) == toys


@pytest.mark.parametrize(
    ("shipped_at", "now", "pending"),
    [
        (datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 22, 0, 0, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 21, 0, 0, 0, tzinfo=UTC), datetime(2026, 11, 22, 0, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 21, 0, 0, 0, tzinfo=UTC), datetime(2026, 11, 22, 1, 0, 0, tzinfo=UTC), False),
    ],
)
def test_pending_lasts_until_the_grace_after_the_hour(shipped_at: datetime, now: datetime, pending: bool) -> None:
    expected = (0, 1) if pending else (1, 0)
    applied_first = run_of([shipped("1", shipped_at)], now)
    applied_last = run_of([], now)
    applied_last.apply([shipped("1", shipped_at)])
    passed_by = run_of([shipped("1", shipped_at)], shipped_at)
    passed_by.advance(now)
    for subject in (applied_first, applied_last, passed_by):
        live = subject.metrics()[SELLER].live
        assert (live.defects, live.pending) == expected


@pytest.mark.parametrize(
    ("hours_ago", "offset", "counted"),
    [
        (719, timedelta(0), 1),
        (720, HOUR - SECOND, 0),
        (0, HOUR - SECOND, 1),
        (-1, timedelta(0), 0),
    ],
)
def test_edges_of_the_live_window(hours_ago: int, offset: timedelta, counted: int) -> None:
    shipped_at = MIDNIGHT - hours_ago * HOUR + offset
    subject = run_of([shipped("1", shipped_at), tracked("1", shipped_at)], MIDNIGHT)
    assert subject.metrics()[SELLER].live.counted == counted


@pytest.mark.parametrize(
    ("promised", "counted"),
    [
        (datetime(2026, 10, 13, 23, 59, 59, tzinfo=UTC), 0),
        (datetime(2026, 10, 14, tzinfo=UTC), 1),
        (datetime(2026, 11, 12, 23, 59, 59, tzinfo=UTC), 1),
        (datetime(2026, 11, 13, tzinfo=UTC), 0),
    ],
)
def test_edges_of_the_official_window(promised: datetime, counted: int) -> None:
    shipped_at = MIDNIGHT - 20 * DAY  # in the live window, so that the scope exists
    lines = [shipped("1", shipped_at, promised_delivery_by=promised), tracked("1", shipped_at)]
    for now in (MIDNIGHT, MIDNIGHT + DAY - SECOND):
        official = run_of(lines, now).metrics()[SELLER].official
        assert (official.from_.isoformat(), official.to.isoformat()) == ("2026-10-14", "2026-11-12")
        assert official.counted == counted


@pytest.mark.parametrize(("promised", "exists"), [(MIDNIGHT - 39 * DAY, True), (MIDNIGHT - 39 * DAY - SECOND, False)])
def test_a_scope_whose_last_shipment_left_both_windows_is_gone(promised: datetime, exists: bool) -> None:
    shipped_at = MIDNIGHT - 720 * HOUR
    subject = run_of([shipped("1", shipped_at, promised_delivery_by=promised)], MIDNIGHT)
    assert (SELLER in subject.metrics()) is exists


TOO_LATE = timedelta(hours=960)


def test_an_event_too_old_for_any_window_is_rejected() -> None:
    """At 40 days and for shipping facts outside both windows, not a second earlier."""
    old, fresh = MIDNIGHT - TOO_LATE, MIDNIGHT - TOO_LATE + HOUR
    lines = {
        "old": shipped("old", old),
        "old, about a recent shipment": shipped("recent", old, shipped_at=MIDNIGHT - 719 * HOUR),
        "old, promised inside the window": shipped("promised", old, promised_delivery_by=MIDNIGHT - 39 * DAY),
        "fresh": shipped("fresh", fresh, shipped_at=old),
        "old tracking": tracked("recent", old + HOUR - SECOND),
        "fresh tracking": tracked("recent", fresh),
    }
    subject = run_of([], MIDNIGHT)
    changes = subject.apply(list(lines.values()))
    rejected = {name for name, line in lines.items() for late, _ in changes.rejected if decoded(line) == late}
    assert rejected == {"old", "old tracking"}
    assert {rejection.code for _, rejection in changes.rejected} == {RejectionCode.TOO_LATE}
    assert subject.metrics()[SELLER].live.valid == 1


def test_a_sweep_finds_all_rows_of_a_large_store() -> None:
    """More rows than shares, half of them to be forgotten while the others stay."""
    old = MIDNIGHT - 20 * DAY
    last_hour = old + TOO_LATE - HOUR
    subject = run_of([shipped(f"old-{number}", old) for number in range(400)], MIDNIGHT)
    subject.step(Step([shipped(f"new-{number}", last_hour) for number in range(400)], last_hour))
    assert len(subject.store) == 801
    sweep_all(subject, last_hour)
    assert len(subject.store) == 401
    assert subject.metrics()[SELLER].live.defects == 400


def test_a_scope_that_lost_its_last_shipment_recovers_after_a_restart() -> None:
    """Its shipment was moved to another category, the worker died, and no shipment names the scope any more."""
    shipped_at = MIDNIGHT - 3 * DAY
    moved = shipped("1", shipped_at, event_id="2", category="Toys")
    steady = run_of([shipped("1", shipped_at)], MIDNIGHT, min_counted=1)
    restarted = run_of([shipped("1", shipped_at)], MIDNIGHT, min_counted=1)
    for subject in (steady, restarted):
        subject.apply([moved])
    restarted.restart()
    for subject in (steady, restarted):
        subject.advance(MIDNIGHT + HOUR)
    home = Scope("A", "DE", "Home")
    assert [alert.status for alert in steady.alerts if alert.scope == home] == ["breached", "ok"]
    assert restarted.alerts == steady.alerts


def test_a_recovery_is_not_lost_between_the_changelog_and_the_alerts() -> None:
    """The rows of a step are stored before its alerts are sent. A worker that dies in between, in the step in which
    the last shipment left the windows, leaves a successor with neither the shipment nor the alert."""
    subject = run_of([shipped("1", MIDNIGHT - 3 * DAY)], MIDNIGHT, min_counted=1)
    assert {alert.status for alert in subject.alerts} == {"breached"}
    lost = subject.engine.advance(MIDNIGHT + 60 * DAY)
    subject.save(lost)
    subject.restart()
    said = subject.advance(MIDNIGHT + 60 * DAY)
    assert {(alert.scope, alert.alert_id) for alert in said} == {(alert.scope, alert.alert_id) for alert in lost.alerts}
    assert {alert.status for alert in said} == {"ok"}


def test_keys_do_not_run_together() -> None:
    """Whatever separates seller and shipment in a key, the two stay apart."""
    owners = [("A", "\0B"), ("A\0", "B"), ("A", "1B"), ("A1", "B"), ("AB", "\0"), ("A", "B\0")]
    now = MIDNIGHT
    lines = chain.from_iterable(
        (shipped(name, now, seller_id=seller, order_id="o"), tracked(name, now, seller_id=seller))
        for seller, name in owners
    )
    found = run_of(lines, now).metrics()
    counted = {scope.seller_id: metric.live.valid for scope, metric in found.items() if scope.marketplace is None}
    assert counted == {"A": 3, "A\0": 1, "A1": 1, "AB": 1}
