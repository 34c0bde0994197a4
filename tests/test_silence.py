"""Whose tracking feed has gone silent, by the hours of their shipments."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import cast

import pytest

from stream.engine import Engine, EngineSettings
from stream.engine.silence import LEAST_SHIPMENTS, SILENCE_HOURS
from stream.events import Event, OrderShipped, TrackingUploaded
from stream.settings import Settings
from stream.state import HeldShipments, MemoryStore, StoredShipments
from stream.worker import silences as kept
from stream.worker.silences import Silences
from tests.simple_policy import SimplePolicy

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
ENOUGH = LEAST_SHIPMENTS


def shipped(hours_ago: int, count: int, *, seller: str = "A1", tracked: bool = False, **changes: str) -> list[Event]:
    """Parcels of one hour."""
    at = NOW - timedelta(hours=hours_ago)
    events: list[Event] = []
    for number in range(count):
        order = f"{seller}-{hours_ago}-{number}-{tracked}"
        fields = {"category": "Home", "fulfilled_by": "merchant"} | changes
        events.append(
            OrderShipped(
                event_id=order,
                event_time=at,
                seller_id=seller,
                order_id=order,
                shipment_id=order,
                marketplace="DE",
                shipped_at=at,
                carrier="DHL",
                category=fields["category"],
                fulfilled_by=fields["fulfilled_by"],  # type: ignore[arg-type]
            )
        )
        if tracked:
            events.append(
                TrackingUploaded(
                    event_id=order,
                    event_time=at,
                    seller_id=seller,
                    shipment_id=order,
                    tracking_number="1Z",
                    carrier="UPS",
                )
            )
    return events


def engine(*events: list[Event], grace_hours: int = 24) -> Engine:
    made = Engine(SimplePolicy(Fraction(95, 100), grace_hours), EngineSettings.of(Settings()), HeldShipments(10))
    made.apply([event for each in events for event in each])
    made.advance(NOW)
    return made


@pytest.mark.parametrize("grace_hours", [0, 24])
@pytest.mark.parametrize(
    ("events", "hours"),
    [
        ([shipped(9, 3, tracked=True), shipped(8, 3), shipped(2, 3)], 8),
        ([shipped(8, ENOUGH)], 8),
        ([shipped(0, ENOUGH)], 0),
        ([shipped(SILENCE_HOURS - 1, 1), shipped(0, ENOUGH)], SILENCE_HOURS - 1),
        ([shipped(SILENCE_HOURS, 10), shipped(3, ENOUGH)], 3),  # what is older is looked at no more
    ],
)
def test_a_silence_lasts_since_the_first_of_the_shipments_that_lack_tracking(
    events: list[list[Event]], hours: int, grace_hours: int
) -> None:
    assert engine(*events, grace_hours=grace_hours).silences() == {"A1": hours}


@pytest.mark.parametrize(
    "events",
    [
        [shipped(8, ENOUGH), shipped(2, 1, tracked=True)],  # heard again
        [shipped(8, ENOUGH), shipped(8, 1, tracked=True)],  # heard in the same hour
        [shipped(8, ENOUGH - 1)],  # too few
        [shipped(8, ENOUGH), shipped(2, 1, tracked=True, category="Toys")],  # heard elsewhere
        [shipped(8, ENOUGH, fulfilled_by="marketplace"), shipped(2, 1, tracked=True)],
    ],
)
def test_who_is_heard_is_not_silent(events: list[list[Event]]) -> None:
    assert engine(*events).silences() == {"A1": 0}


@pytest.mark.parametrize(
    "events",
    [
        [],
        [shipped(SILENCE_HOURS, 10)],
        [shipped(8, ENOUGH, fulfilled_by="marketplace")],  # the seller has nothing to give
    ],
)
def test_who_ships_nothing_is_neither(events: list[list[Event]]) -> None:
    assert engine(*events).silences() == {}


def test_what_is_left_out_breaks_no_silence() -> None:
    left_out = shipped(2, 3, fulfilled_by="marketplace")
    assert engine(shipped(8, ENOUGH), left_out).silences() == {"A1": 8}


def test_each_seller_has_its_own() -> None:
    others = engine(shipped(8, ENOUGH), shipped(2, 1, seller="B2", tracked=True), shipped(5, ENOUGH, seller="C3"))
    assert others.silences() == {"A1": 8, "B2": 0, "C3": 5}


def test_tracking_that_comes_later_ends_it() -> None:
    made = engine(shipped(8, ENOUGH))
    late = shipped(8, ENOUGH)
    made.apply(
        [
            TrackingUploaded(
                event_id="t", event_time=NOW, seller_id="A1", shipment_id=late[0].shipment_id, tracking_number="1Z"
            )
        ]
    )
    assert made.silences() == {"A1": 0}


def test_a_restart_forgets_nothing() -> None:
    policy, settings = SimplePolicy(Fraction(95, 100), 24), EngineSettings.of(Settings())
    store = MemoryStore()

    def shipments() -> StoredShipments:
        return StoredShipments(store, settings.lag_days)

    stored = shipments()
    made = Engine(policy, settings, stored)
    store.write(stored.save(made.apply(shipped(9, 1, tracked=True) + shipped(8, ENOUGH)).shipments))
    watermark = made.advance(NOW).watermark
    assert Engine.restore(policy, settings, shipments(), watermark=watermark).silences() == {"A1": 8}


def test_before_the_first_watermark_there_is_none() -> None:
    made = Engine(SimplePolicy(Fraction(95, 100), 24), EngineSettings.of(Settings()), HeldShipments(10))
    made.apply(shipped(8, ENOUGH))
    assert made.silences() == {}


class Slow:
    """In the place of an engine, which cannot be derived from where it is compiled. Counts the looks at it."""

    looks = 0

    def silences(self) -> dict[str, int]:
        self.looks += 1
        return {"A1": self.looks}


def test_the_longer_a_look_takes_the_rarer_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    now, used = 100.0, 0.0

    def thread_time() -> float:
        nonlocal used
        used += 0.1  # of a processor, for each look
        return used

    monkeypatch.setattr(kept, "monotonic", lambda: now)
    monkeypatch.setattr(kept, "thread_time", thread_time)
    slow = cast("Engine", Slow())
    silences = Silences()
    assert silences.of({3: slow}) == {3: {"A1": 1}}
    now += 4.9
    assert silences.of({3: slow}) == {3: {"A1": 1}}
    now += 0.2
    assert silences.of({3: slow}) == {3: {"A1": 2}}
    again = cast("Engine", Slow())
    assert silences.of({3: again}) == {3: {"A1": 1}}, "another engine is another partition's, or restored anew"
    assert silences.of({}) == {}
    assert silences.of({3: again}) == {3: {"A1": 2}}
