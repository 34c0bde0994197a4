"""One shipment: facts in any order end in the same state, and the state survives being stored."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.events import Event, OrderShipped, TrackingScanned, TrackingUploaded
from stream.shipment import (
    FORM,
    CorruptShipmentError,
    Fact,
    ScanFact,
    Shipment,
    ShippedFact,
    TrackingFact,
    fact_of,
    forgettable,
    kept_until,
    microseconds,
    pack,
    seconds,
    shipment_key,
    split_key,
    unpack,
)

SHIPPED = ShippedFact(1, "e", "o", "DE", "Home", "merchant", "DHL", "Brief", "1.50", "EUR", "DE", "FR", 7200, 86_400)
TRACKING = TrackingFact(1, "e", "DHL", "X1", 7)
SCAN = ScanFact(1, "e", "delivered", None, "X1", 8)
quick = settings(deadline=None, max_examples=25)

# Few versions and contents, so that facts tie: in their time, in their id, and (an id used twice) in both.
VERSIONS = st.tuples(st.integers(1, 3), st.sampled_from("ab"))
WORDS = st.sampled_from([None, "x", "y"])
MILESTONES = st.sampled_from(["delivered", "in_transit", "returned"])
FACTS = st.one_of(
    st.builds(lambda v, w: replace(SHIPPED, version_us=v[0], event_id=v[1], carrier=w), VERSIONS, WORDS),
    st.builds(lambda v, w: replace(TRACKING, version_us=v[0], event_id=v[1], number=w), VERSIONS, WORDS),
    st.builds(
        lambda v, m, w: replace(SCAN, version_us=v[0], event_id=v[1], milestone=m, carrier=w),
        VERSIONS,
        MILESTONES,
        WORDS,
    ),
)


def merged(*facts: Fact) -> Shipment:
    shipment = Shipment()
    for fact in facts:
        shipment.merge(fact)
    return shipment


def parts(shipment: Shipment) -> list[Fact]:
    return [fact for fact in (shipment.shipped, shipment.tracking, *shipment.scans) if fact is not None]


# --- Merging ---------------------------------------------------------------------------------------------------------


@quick
@given(st.lists(FACTS, max_size=8), st.data())
def test_any_order_ends_in_the_same_bytes(facts: list[Fact], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations([*facts, *facts[:3]]))  # some of them twice
    assert pack(1, merged(*shuffled)) == pack(1, merged(*facts))


@quick
@given(st.lists(FACTS, max_size=4), st.lists(FACTS, max_size=4), st.lists(FACTS, max_size=4))
def test_states_may_be_merged_before_or_after(a: list[Fact], b: list[Fact], c: list[Fact]) -> None:
    left = merged(*parts(merged(*a, *b)), *parts(merged(*c)))
    right = merged(*parts(merged(*a)), *parts(merged(*b, *c)))
    assert left == right == merged(*a, *b, *c)


@quick
@given(st.lists(FACTS, min_size=1, max_size=8))
def test_a_fact_that_is_known_changes_nothing(facts: list[Fact]) -> None:
    shipment = merged(*facts)
    before = pack(1, shipment)
    assert not any(shipment.merge(fact) for fact in facts)
    assert pack(1, shipment) == before


@quick
@given(st.lists(FACTS, min_size=1, max_size=8))
def test_the_highest_version_of_each_kind_wins(facts: list[Fact]) -> None:
    highest: dict[object, tuple[int, str]] = {}
    for fact in facts:
        kind = fact.milestone if isinstance(fact, ScanFact) else type(fact)
        highest[kind] = max(highest.get(kind, (0, "")), (fact.version_us, fact.event_id))
    shipment = merged(*facts)
    assert sorted(highest.values()) == sorted((fact.version_us, fact.event_id) for fact in parts(shipment))
    assert all(a.milestone < b.milestone for a, b in pairwise(shipment.scans))


def test_merge_says_whether_the_fact_was_taken() -> None:
    shipment = Shipment()
    assert shipment.merge(TRACKING)
    assert not shipment.merge(replace(TRACKING, version_us=0, number="later arrived"))
    assert not shipment.merge(replace(TRACKING, event_id="d"))
    assert shipment.merge(replace(TRACKING, event_id="f", number=None))
    assert shipment == Shipment(tracking=replace(TRACKING, event_id="f", number=None))


# --- Facts of events -------------------------------------------------------------------------------------------------

AT = datetime(2026, 11, 22, 12, 30, 15, 250_001, tzinfo=UTC)
AT_SECONDS = 1_795_350_615
NO_DETAILS = ShippedFact(0, "e", "o", "DE", "unknown", "merchant", None, None, None, None, None, None, 0, 0)
LEAST: dict[str, object] = {"event_id": "e", "event_time": "2026-11-22T12:30:15.250001Z", "seller_id": "A"}


@pytest.mark.parametrize(
    ("kind", "fields", "fact"),
    [
        (
            OrderShipped,
            {"order_id": "o", "marketplace": "DE", "shipped_at": "2026-11-22T12:30:15.9Z"},
            replace(NO_DETAILS, shipped_at=AT_SECONDS, promised_by=AT_SECONDS),
        ),
        (TrackingUploaded, {"tracking_number": None}, TrackingFact(0, "e", None, None, AT_SECONDS)),
        (
            TrackingUploaded,
            {"tracking_number": "X", "uploaded_at": "2026-11-22T12:30:16.9+00:00"},
            TrackingFact(0, "e", None, "X", AT_SECONDS + 1),
        ),
        (TrackingScanned, {"milestone": "returned"}, ScanFact(0, "e", "returned", None, None, AT_SECONDS)),
    ],
)
def test_the_fact_an_event_states(kind: type[Event], fields: dict[str, object], fact: Fact) -> None:
    event: Event = msgspec.convert({"type": kind.__struct_config__.tag, **LEAST, **fields}, kind)
    assert fact_of(event) == replace(fact, version_us=AT_SECONDS * 1_000_000 + 250_001)


def test_money_stays_a_decimal() -> None:
    value = {"amount": "24.90", "currency": "EUR"}
    fields = {"type": "order-shipped", "order_id": "o", "marketplace": "DE", "shipped_at": AT, "order_value": value}
    fact = fact_of(msgspec.convert(LEAST | fields, OrderShipped))
    assert isinstance(fact, ShippedFact)
    assert (fact.amount, fact.currency) == ("24.90", "EUR")


@quick
@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
def test_times_are_exact(instant: datetime) -> None:
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    assert microseconds(instant) == since // timedelta(microseconds=1)
    assert seconds(instant) == since // timedelta(seconds=1)


@pytest.mark.parametrize(("shipped_at", "hour"), [(0, 0), (3599, 0), (3600, 1)])
def test_the_hour_of_a_shipment(shipped_at: int, hour: int) -> None:
    assert replace(SHIPPED, shipped_at=shipped_at).hour == hour


@pytest.mark.parametrize(("promised_by", "day"), [(0, 0), (86_399, 0), (86_400, 1)])
def test_the_day_of_a_shipment(promised_by: int, day: int) -> None:
    assert replace(SHIPPED, promised_by=promised_by).day == day


# --- Stored ----------------------------------------------------------------------------------------------------------

HOSTILE_IDS = ["a", "0", "\0", "a\0b", "📦" * 256, "é" * 1000, "x" * 1000, " ", '"', "\n", "\x02a", "a|b:c/d"]
STORED = pack(5, Shipment(SHIPPED, TRACKING, (SCAN,)))


@quick
@given(st.lists(FACTS, max_size=5), st.integers(0, 2**32 - 1))
def test_a_shipment_survives_being_stored(facts: list[Fact], keep_until: int) -> None:
    value = pack(keep_until, merged(*facts))
    assert unpack(value) == merged(*facts)
    assert kept_until(value) == keep_until


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x02" + STORED[1:],
        FORM,
        STORED[:5],
        STORED[:-1],
        STORED + b"\0",
        FORM + bytes(4) + msgspec.msgpack.encode({"shipped": None}),
        FORM + bytes(4) + msgspec.msgpack.encode([[1, "e"], None, []]),
        FORM + bytes(4) + msgspec.msgpack.encode([None, None, [[1, "e", "lost", None, None, 0]]]),
        STORED.replace(b"Home", b"Ho\xff\xff"),
    ],
    ids=["empty", "form", "no hour", "no facts", "cut off", "too long", "no array", "fields", "milestone", "UTF-8"],
)
def test_a_corrupt_shipment(value: bytes) -> None:
    with pytest.raises(CorruptShipmentError):
        unpack(value)


@quick
@given(st.integers(0, len(STORED)), st.integers(0, 9), st.binary(max_size=9))
def test_damage_is_found_or_harmless(start: int, length: int, patch: bytes) -> None:
    try:
        unpack(STORED[:start] + patch + STORED[start + length :])
    except CorruptShipmentError as error:
        assert str(error)  # noqa: PT017 - that no other error is raised is the point


def test_hostile_ids_survive_their_key() -> None:
    pairs = list(product(HOSTILE_IDS, HOSTILE_IDS))
    assert [split_key(shipment_key(*pair)) for pair in pairs] == pairs


@quick
@given(st.text(min_size=1, max_size=1024), st.text(min_size=1, max_size=1024))
def test_any_ids_survive_their_key(seller_id: str, shipment_id: str) -> None:
    assert split_key(shipment_key(seller_id, shipment_id)) == (seller_id, shipment_id)


def test_ids_that_run_together_have_different_keys() -> None:
    assert shipment_key("a", "bc") != shipment_key("ab", "c")


@pytest.mark.parametrize(
    "key", [b"", b"\0", b"\0\0", b"\0\0x", b"\0\1", b"\0\1a", b"\0\2a", b"\0\1\xffb", b"\0\1a\xff"]
)
def test_a_corrupt_key(key: bytes) -> None:
    with pytest.raises(CorruptShipmentError, match="key"):
        split_key(key)


def test_what_may_be_forgotten() -> None:
    rows = [(str(hour).encode(), pack(hour, Shipment())) for hour in (0, 255, 256, 257, 2**32 - 1)]
    assert forgettable(rows, 256) == [b"0", b"255", b"256"]
    assert forgettable(rows, 0) == [b"0"]
