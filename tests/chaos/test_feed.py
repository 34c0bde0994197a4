"""The feed is as imperfect as it promises, and where nothing goes wrong the engine and the oracle agree on it."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from stream.engine import Engine, EngineSettings
from stream.events import MAX_FUTURE, Rejection, check_arrival, decode
from stream.policy import RulesPolicy
from stream.settings import Settings
from stream.state import HeldShipments
from tests.chaos.expected import Expected
from tests.chaos.feed import DUPLICATES, LATE, POISON, REORDERED, Feed
from tests.worker.expected import MEMORYLESS

SETTINGS = Settings(**MEMORYLESS)  # type: ignore[arg-type]
NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
RECORDS = 12_000


def test_the_oracle_and_the_engine_agree_on_the_feed() -> None:
    feed = Feed(SETTINGS, seed=1)
    sent = feed.history(NOW)
    flow = feed.take(RECORDS // 2, NOW)
    feed.is_repairing = True
    flow += feed.take(RECORDS // 2, NOW)

    engine = Engine(RulesPolicy.of(SETTINGS), EngineSettings.of(SETTINGS), HeldShipments(10))
    statuses = set()
    for part in (sent, flow[: RECORDS // 2], flow[RECORDS // 2 :]):
        for each in part:
            event = decode(each.record.value)
            rejection: Rejection | None
            if isinstance(event, Rejection):
                rejection = event
            else:
                rejection = check_arrival(event, each.record.key, NOW + MAX_FUTURE)
                if rejection is None:
                    rejection = next((why for _, why in engine.apply([event]).rejected), None)
            assert (None if rejection is None else rejection.code) == each.code
        engine.advance(NOW)
        statuses.add(frozenset(metric.status for metric in engine.metrics()))

    start = NOW.replace(minute=0)
    found = {metric.scope: replace(metric, as_of=start, policy="") for metric in engine.metrics()}
    assert found == Expected(each.event for each in [*sent, *flow] if each.event is not None).metrics(NOW)
    assert {"ok", "at_risk", "breached"} in statuses
    for kind in ("pending", "exempt", "defects", "valid"):
        assert sum(getattr(metric.live, kind) for metric in found.values()) > 100, kind


def test_the_feed_is_as_imperfect_as_it_says() -> None:
    feed = Feed(SETTINGS, seed=2)
    sent = feed.take(RECORDS, NOW)
    counts = feed.counts
    for kind, share in (("duplicates", DUPLICATES), ("reordered", REORDERED), ("late", LATE), ("poison", POISON)):
        assert 0.5 < counts[kind] / counts["records"] / share < 1.8, kind
    assert counts["too late"]
    assert len({(each.record.topic, each.record.key, each.record.value) for each in sent}) < 0.97 * len(sent)
    times = [each.event.event_time for each in sent if each.event is not None]
    assert any(time < NOW - timedelta(hours=3) for time in times)


def test_a_seed_gives_the_same_records() -> None:
    one, same, other = (Feed(SETTINGS, seed).take(2000, NOW) for seed in (3, 3, 4))
    assert one == same != other
