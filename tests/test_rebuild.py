"""The parts of a rebuild that need no broker: the state, the first alerts, and where a seller belongs."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from stream.engine import Engine, EngineSettings
from stream.events import Event, OrderShipped, TrackingScanned, TrackingUploaded
from stream.policy import RulesPolicy
from stream.rebuild.alerts import first_alerts
from stream.rebuild.places import Places
from stream.rebuild.state import reached, rebuild_state
from stream.records import Alert, Counts, Metric, OfficialCounts, Scope, Status
from stream.replay import Summary, read_sorted, replay
from stream.settings import Settings
from stream.simulator import SimulationConfig, simulate_history
from stream.state import MemoryStore, StoredShipments
from stream.state.rows import shipment_key
from stream.topics import TopicError

END = datetime(2026, 10, 1, 12, 30, tzinfo=UTC)
SETTINGS = Settings(group="new", min_counted=5)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of three months."""
    config = SimulationConfig(seed=5, sellers=9, start=END - timedelta(days=90), end=END)
    file = tmp_path_factory.mktemp("history") / "history.ndjson"
    file.write_bytes(b"".join(record.value + b"\n" for record in simulate_history(config, 5000)))
    return file


@pytest.fixture(scope="module")
def events(file: Path) -> list[Event]:
    """Its events."""
    return list(read_sorted([str(file)])[0])


def test_a_worker_goes_on_from_the_state_as_if_it_had_seen_all(file: Path, events: list[Event]) -> None:
    middle = events[4000].event_time
    summary = Summary()
    state = rebuild_state(events[:4001], SETTINGS, summary, middle)
    assert (state.as_of, summary.accepted) == (middle, 4001)
    whole = replay([str(file)], SETTINGS, as_of=middle)
    assert list(state.metrics.values()) == whole.metrics
    assert {alert.status for alert in state.alerts.values()} == {"ok", "at_risk", "breached"}

    store = MemoryStore()
    rows = {shipment_key(shipment_id): row for shipment_id, row in state.rows()}
    store.write(rows)
    shipments = StoredShipments(store, SETTINGS.lag_days)
    engine = Engine.restore(
        RulesPolicy.of(SETTINGS),
        EngineSettings.of(SETTINGS),
        shipments,
        watermark=state.hour,
        last_alerts=state.alerts.values(),
    )
    # Nothing is said again.
    assert engine.advance(middle).alerts == []
    last = middle + timedelta(days=10)
    engine.apply([event for event in events[4001:] if event.event_time <= last])
    engine.advance(last)
    rebuilt = {metric.scope: metric for metric in engine.metrics()}
    seen = replay([str(file)], SETTINGS, as_of=last)
    counted = {metric.scope: (metric.live, metric.official) for metric in seen.metrics if metric.live.counted}
    assert counted
    assert {scope: (rebuilt[scope].live, rebuilt[scope].official) for scope in counted} == counted
    # Nothing is kept that nobody needs.
    assert 0 < len(rows) < len({(event.seller_id, event.shipment_id) for event in events})


def test_later_events_are_known_and_have_not_happened(events: list[Event]) -> None:
    middle, last = events[4000].event_time, events[-1].event_time
    until_middle = rebuild_state(events[:4001], SETTINGS, Summary(), middle)
    summary = Summary()
    state = rebuild_state(events, SETTINGS, summary, middle)
    assert summary.accepted == len(events)
    assert (state.as_of, state.metrics, state.alerts) == (middle, until_middle.metrics, until_middle.alerts)
    known = dict(state.rows())
    assert known.keys() > dict(until_middle.rows()).keys()
    assert {(e.seller_id, e.shipment_id) for e in events if e.event_time == last} <= known.keys()


def test_time_is_that_of_the_type_that_lags() -> None:
    def at(minute: int) -> datetime:
        return END + timedelta(minutes=minute)

    latest: dict[type[Event], datetime] = {TrackingScanned: at(1), TrackingUploaded: at(5), OrderShipped: at(9)}
    assert reached(latest, at(10), ()) == at(1)
    assert reached(latest, at(10), {TrackingScanned}) == at(5)
    assert reached(latest, at(10), {TrackingScanned, TrackingUploaded}) == at(9)
    assert reached(latest, at(10), {TrackingScanned, TrackingUploaded, OrderShipped}) == at(10)
    # A seller's clock may be ahead.
    assert reached(latest, at(4), {TrackingScanned}) == at(4)


# --- First alerts ----------------------------------------------------------------------------------------------------

SCOPE = Scope("A", "DE", "Home")


def metric(status: Status) -> Metric:
    counts = {"counted": 1, "valid": 1, "defects": 0, "pending": 0, "exempt": 0, "ambiguous": 0, "vtr": 1.0}
    return Metric(
        seller_id=SCOPE.seller_id,
        marketplace=SCOPE.marketplace,
        category=SCOPE.category,
        as_of=END,
        live=Counts(**counts),  # type: ignore[arg-type]
        official=OfficialCounts(from_=END.date(), to=END.date(), **counts),  # type: ignore[arg-type]
        threshold=0.95,
        status=status,
        allowance=0,
        needed_to_recover=0,
        policy="p",
    )


def alert(status: Status, alert_id: str) -> Alert:
    return Alert(
        alert_id=alert_id,
        type="vtr-breached",
        severity="critical",
        seller_id=SCOPE.seller_id,
        marketplace=SCOPE.marketplace,
        category=SCOPE.category,
        status=status,
        previous_status="ok",
        since=END,
        metric=metric(status),
        causes=[],
    )


def begun(own: Alert | None, told: Alert | None, metrics: Mapping[Scope, Metric] | None = None) -> list[Alert]:
    known = {SCOPE: metric("ok")} if metrics is None else metrics
    of_own, of_told = ({} if each is None else {SCOPE: each} for each in (own, told))
    alerts, untold = first_alerts(of_own, of_told, known, "new", END)
    assert [each for each in alerts if each not in untold] == [each for each in alerts if each == told]
    return alerts


def test_what_was_told_stands_under_its_own_id() -> None:
    assert begun(alert("breached", "mine"), alert("breached", "told")) == [alert("breached", "told")]


def test_nothing_is_said_of_what_is_ok_and_was() -> None:
    assert begun(None, None) == begun(alert("ok", "mine"), None) == begun(None, alert("ok", "told")) == []
    assert begun(alert("ok", "mine"), alert("ok", "told")) == []


def test_what_nobody_was_told_is_new() -> None:
    assert begun(alert("breached", "mine"), None) == [alert("breached", "mine")]


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (alert("breached", "mine"), alert("at_risk", "told")),
        (alert("breached", "mine"), alert("ok", "told")),
        (alert("ok", "mine"), alert("breached", "told")),
    ],
)
def test_what_is_other_follows_on_what_was_told(own: Alert, told: Alert) -> None:
    (follows,) = begun(own, told)
    assert follows == replace(own, alert_id=follows.alert_id, previous_status=told.status)
    assert follows.alert_id not in (own.alert_id, told.alert_id)
    # The same again, whoever comes to it.
    assert begun(replace(own, alert_id="another"), told) == [follows]


def test_what_never_was_wrong_recovers() -> None:
    (follows,) = begun(None, alert("breached", "told"))
    assert (follows.type, follows.severity, follows.status) == ("vtr-recovered", "info", "ok")
    assert (follows.previous_status, follows.since, follows.metric) == ("breached", END, metric("ok"))
    # Where nothing is counted at all, the worker says so.
    assert begun(None, alert("breached", "told"), {}) == [alert("breached", "told")]


# --- Places ----------------------------------------------------------------------------------------------------------


def test_a_seller_is_where_its_events_arrive() -> None:
    default = Places(8, {})
    sellers = [f"A{number}" for number in range(50)]
    assert {default.of(seller) for seller in sellers} == set(range(8))
    by_default: dict[bytes | None, set[int]] = {seller.encode(): {default.of(seller)} for seller in sellers}
    assert Places(8, by_default).of("unseen") == default.of("unseen")

    other: dict[bytes | None, set[int]] = {seller.encode(): {(default.of(seller) + 1) % 8} for seller in sellers}
    places = Places(8, other)
    assert [{places.of(seller)} for seller in sellers] == list(other.values())
    with pytest.raises(TopicError, match="seller unseen is in history files only"):
        places.of("unseen")
    with pytest.raises(TopicError, match="events of seller A1 are in the partitions 0, 3"):
        Places(8, {b"A1": {3, 0}}).of("A1")
