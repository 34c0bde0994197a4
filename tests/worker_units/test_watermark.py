"""How far event time has come, topic by topic."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.worker.watermark import Watermark

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOPICS = ("shipped", "uploaded", "scanned")
IDLE = 5.0
START = 100.0
"""Monotonic seconds at which the partition was taken."""


def at_end(*topics: str) -> Callable[[str], bool]:
    return lambda topic: topic in topics


NOWHERE, EVERYWHERE = at_end(), at_end(*TOPICS)


@pytest.fixture
def watermark() -> Watermark:
    return Watermark(TOPICS, IDLE, START)


def see(watermark: Watermark, monotonic: float, **latest: datetime | None) -> None:
    for topic, instant in latest.items():
        watermark.saw(topic, instant, monotonic)


def test_the_minimum_over_the_topics(watermark: Watermark) -> None:
    see(watermark, START, shipped=NOW - 3 * MINUTE, uploaded=NOW - 2 * MINUTE, scanned=NOW - MINUTE)
    assert watermark.at(NOW, START, NOWHERE) == NOW - 3 * MINUTE
    see(watermark, START, shipped=NOW)
    assert watermark.at(NOW, START, NOWHERE) == NOW - 2 * MINUTE


def test_a_topic_that_has_not_said_its_time_holds_all(watermark: Watermark) -> None:
    assert watermark.at(NOW, START, NOWHERE) is None
    see(watermark, START, shipped=NOW, uploaded=NOW)
    assert watermark.at(NOW, START + 1000, NOWHERE) is None
    see(watermark, START, scanned=None)
    assert watermark.at(NOW, START + 1000, NOWHERE) is None, "a batch without a usable event says nothing either"


def test_a_later_batch_of_earlier_events_takes_nothing_back(watermark: Watermark) -> None:
    see(watermark, START, shipped=NOW, uploaded=NOW, scanned=NOW)
    see(watermark, START, shipped=NOW - 9 * MINUTE, uploaded=None)
    assert watermark.at(NOW, START, NOWHERE) == NOW


def test_it_is_never_ahead_of_the_clock(watermark: Watermark) -> None:
    see(watermark, START, shipped=NOW + MINUTE, uploaded=NOW + MINUTE, scanned=NOW + MINUTE)
    assert watermark.at(NOW, START, NOWHERE) == NOW
    assert watermark.at(NOW + 2 * MINUTE, START, NOWHERE) == NOW + MINUTE


@pytest.mark.parametrize(("silent", "held"), [(0.0, True), (4.999, True), (5.0, False), (1000.0, False)])
def test_a_topic_at_its_end_holds_nothing_back_once_it_was_silent(
    watermark: Watermark, silent: float, held: bool
) -> None:
    see(watermark, START, shipped=NOW - 3 * MINUTE)
    see(watermark, START + silent, uploaded=NOW - MINUTE, scanned=NOW)
    expected = NOW - 3 * MINUTE if held else NOW - MINUTE
    assert watermark.at(NOW, START + silent, at_end("shipped")) == expected
    assert watermark.at(NOW, START + silent, NOWHERE) == NOW - 3 * MINUTE, "with records to come, silence is lag"


def test_a_topic_that_never_had_a_record_holds_nothing_back(watermark: Watermark) -> None:
    see(watermark, START + IDLE, shipped=NOW - MINUTE, uploaded=NOW)
    assert watermark.at(NOW, START + IDLE - 0.1, at_end("scanned")) is None
    assert watermark.at(NOW, START + IDLE, at_end("scanned")) == NOW - MINUTE


def test_when_all_are_silent_time_follows_the_clock(watermark: Watermark) -> None:
    see(watermark, START, shipped=NOW - 3 * MINUTE, uploaded=NOW - 2 * MINUTE)
    assert watermark.at(NOW, START + IDLE, EVERYWHERE) == NOW
    assert watermark.at(NOW + MINUTE, START + IDLE + 60, EVERYWHERE) == NOW + MINUTE


def test_what_cannot_be_used_is_no_sign_of_life(watermark: Watermark) -> None:
    """A topic with nothing but bad records would stop all time, and with it all alerts."""
    see(watermark, START, shipped=NOW - 3 * MINUTE, uploaded=NOW, scanned=NOW)
    see(watermark, START + 4, shipped=None)
    assert watermark.at(NOW, START + 4, EVERYWHERE) == NOW - 3 * MINUTE
    assert watermark.at(NOW, START + IDLE, EVERYWHERE) == NOW


def test_a_topic_that_is_not_at_its_end_holds_time_back_whatever_it_has(watermark: Watermark) -> None:
    see(watermark, START, shipped=NOW - 3 * MINUTE, uploaded=NOW, scanned=NOW)
    see(watermark, START + 4, shipped=None)
    assert watermark.at(NOW, START + 100, at_end("uploaded", "scanned")) == NOW - 3 * MINUTE


BATCHES = st.lists(
    st.tuples(
        st.sampled_from(TOPICS), st.none() | st.integers(-9, 3), st.integers(0, 4), st.sets(st.sampled_from(TOPICS))
    )
)


@settings(deadline=None, max_examples=50)
@given(BATCHES)
def test_no_topic_with_records_to_come_is_passed(batches: list[tuple[str, int | None, int, set[str]]]) -> None:
    watermark, monotonic, latest = Watermark(TOPICS, IDLE, START), START, dict[str, datetime]()
    previous: datetime | None = None
    for topic, minutes, seconds, ended in batches:
        monotonic += seconds
        instant = None if minutes is None else NOW + minutes * MINUTE
        watermark.saw(topic, instant, monotonic)
        if instant is not None:
            latest[topic] = max(instant, latest.get(topic, instant))
        behind = [latest.get(each) for each in TOPICS if each not in ended]
        now = watermark.at(NOW, monotonic, at_end(*ended))
        if None in behind:
            assert now is None
        if now is not None:
            assert now <= min([NOW, *(each for each in behind if each is not None)])
        # While no topic is taken for ended, time only goes on.
        held = watermark.at(NOW, monotonic, NOWHERE)
        assert previous is None or (held is not None and held >= previous)
        previous = held
