"""One shipment: facts in any order end in the same state."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.events import Event, OrderShipped, TrackingScanned, TrackingUploaded
from stream.shipment import EPOCH, MAX_ENTRIES, Entry, Shipment, day_of, hour_of
from stream.state.rows import pack
from tests import oracle

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ID = ("A", "1")
SHIPPED = OrderShipped(
    event_id="e", event_time=AT, seller_id="A", shipment_id="1", order_id="o", marketplace="DE", shipped_at=AT
)
TRACKING = TrackingUploaded(
    event_id="e", event_time=AT, seller_id="A", shipment_id="1", tracking_number="X1", carrier="DHL"
)
SCAN = TrackingScanned(event_id="e", event_time=AT, seller_id="A", shipment_id="1", milestone="delivered")
quick = settings(deadline=None, max_examples=25)

# Few versions and contents, so that facts tie: in their time, in their id, and (an id used twice) in both.
VERSIONS = st.tuples(st.integers(1, 3).map(lambda n: AT + n * SECOND), st.sampled_from("ab"))
WORDS = st.sampled_from([None, "x", "y"])
MILESTONES = st.sampled_from(["delivered", "in_transit", "returned"])
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda v, w: replace(SHIPPED, event_time=v[0], event_id=v[1], carrier=w), VERSIONS, WORDS),
    st.builds(
        lambda v, w, c, at: replace(
            TRACKING, event_time=v[0], event_id=v[1], tracking_number=w, carrier=c, uploaded_at=at
        ),
        VERSIONS,
        WORDS,
        st.sampled_from([None, "DHL"]),
        st.sampled_from([None, AT, AT - SECOND]),
    ),
    st.builds(
        lambda v, m, w: replace(SCAN, event_time=v[0], event_id=v[1], milestone=m, carrier=w),
        VERSIONS,
        MILESTONES,
        WORDS,
    ),
)


def known(shipment: Shipment) -> tuple[object, ...]:
    """All that a shipment knows."""
    return shipment.shipped, shipment.tracking, shipment.scans, shipment.entries, shipment.latest


def merged(*events: Event) -> Shipment:
    shipment = Shipment()
    for event in events:
        shipment.merge(event)
    return shipment


def parts(shipment: Shipment) -> list[Event]:
    return [fact for fact in (shipment.shipped, shipment.tracking, *shipment.scans) if fact is not None]


# --- Merging ---------------------------------------------------------------------------------------------------------


@quick
@given(st.lists(EVENTS, max_size=8), st.data())
def test_any_order_ends_in_the_same_bytes(events: list[Event], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations([*events, *events[:3]]))  # some of them twice
    assert pack(1, merged(*shuffled)) == pack(1, merged(*events))


@quick
@given(st.lists(EVENTS, min_size=1, max_size=8))
def test_a_fact_that_is_known_changes_nothing(events: list[Event]) -> None:
    shipment = merged(*events)
    before = pack(1, shipment)
    assert not any(shipment.merge(event) for event in events)
    assert pack(1, shipment) == before


@quick
@given(st.lists(EVENTS, min_size=1, max_size=8))
def test_the_highest_version_of_each_kind_wins(events: list[Event]) -> None:
    highest: dict[object, tuple[datetime, str]] = {}
    for event in events:
        kind = event.milestone if isinstance(event, TrackingScanned) else type(event)
        highest[kind] = max(highest.get(kind, (EPOCH, "")), (event.event_time, event.event_id))
    shipment = merged(*events)
    assert sorted(highest.values()) == sorted((fact.event_time, fact.event_id) for fact in parts(shipment))
    assert shipment.latest == max(event.event_time for event in events)
    assert all(a.milestone < b.milestone for a, b in pairwise(shipment.scans))


def test_merge_says_whether_the_fact_was_taken() -> None:
    shipment = Shipment()
    assert shipment.merge(TRACKING)
    assert not shipment.merge(replace(TRACKING, event_id="d"))
    assert shipment.merge(replace(TRACKING, event_id="f", tracking_number=None))
    assert shipment.tracking == replace(TRACKING, event_id="f", tracking_number=None)


# --- When a number was entered ---------------------------------------------------------------------------------------


def uploads(*numbers: str | None, carrier: str | None = "DHL") -> list[TrackingUploaded]:
    """One event after the other, a second apart."""
    return [
        replace(TRACKING, event_time=AT + n * SECOND, tracking_number=number, carrier=carrier)
        for n, number in enumerate(numbers)
    ]


@pytest.mark.parametrize(
    ("numbers", "entered"),
    [
        (["X"], 0),
        (["X", "X"], 0),
        (["X", "Y"], 1),
        (["X", "Y", "X"], 0),
        (["X", None, "X"], 0),
        (["X", None], None),
        (["X", "Y", None, "Y", "Z"], 4),
    ],
)
def test_a_number_is_as_old_as_its_first_entry(numbers: list[str | None], entered: int | None) -> None:
    events = uploads(*numbers)
    expected = None if entered is None else AT + entered * SECOND
    assert merged(*events).entered_at() == expected
    assert merged(*reversed(events)).entered_at() == expected


def test_another_carrier_is_another_entry() -> None:
    (first,), (second,) = uploads("X"), uploads("X", carrier="UPS")
    second = replace(second, event_time=AT + SECOND)
    assert merged(first, second).entered_at() == AT + SECOND


@pytest.mark.parametrize(
    ("number", "carrier"),
    [("X-1 2", "DHL"), ("x12", "dhl"), ("X12", "DHL Paket"), ("X12", None), ("X12", " "), (" X12", "DHL ")],
)
def test_the_same_in_another_spelling_is_no_other_entry(number: str, carrier: str | None) -> None:
    first = replace(TRACKING, tracking_number="X12")
    again = replace(TRACKING, event_time=AT + SECOND, tracking_number=number, carrier=carrier)
    shipped = replace(SHIPPED, carrier="DHL")
    assert merged(shipped, first, again).entered_at() == AT
    assert merged(again, first, shipped).entered_at() == AT


def test_a_carrier_that_no_fact_gave_before_is_another_entry() -> None:
    first, again = replace(TRACKING, carrier=None), replace(TRACKING, event_time=AT + SECOND)
    assert merged(SHIPPED, first, again).entered_at() == AT + SECOND
    assert merged(replace(SHIPPED, carrier="UPS"), first, again).entered_at() == AT + SECOND


def test_the_time_of_upload_is_that_of_the_entry_where_it_is_known() -> None:
    assert merged(replace(TRACKING, uploaded_at=AT - SECOND)).entered_at() == AT - SECOND


def test_a_shipment_with_one_number_remembers_no_entries() -> None:
    assert merged(*uploads("X", None, "Y")).entries == (Entry(AT, "X", "DHL"), Entry(AT + 2 * SECOND, "Y", "DHL"))
    assert merged(*uploads("X")).entries == ()
    assert merged(TRACKING, replace(TRACKING, event_id="f")).entries == ()


def test_only_so_many_entries_are_remembered_in_any_order() -> None:
    events = uploads(*(f"X{n}" for n in range(MAX_ENTRIES + 5)))
    forwards, backwards = merged(*events), merged(*reversed(events))
    assert len(forwards.entries) == MAX_ENTRIES
    assert known(forwards) == known(backwards)
    assert forwards.entered_at() == events[-1].event_time


# --- Hours and days --------------------------------------------------------------------------------------------------


@quick
@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
def test_hours_and_days_are_those_since_1970(instant: datetime) -> None:
    assert hour_of(instant) == oracle.hour_of(instant)
    assert day_of(instant) == oracle.day_of(instant)
