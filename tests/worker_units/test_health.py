"""What a worker knows of itself, and what follows from it."""

import logging
from collections.abc import Callable
from time import monotonic
from types import SimpleNamespace
from typing import cast

import pytest
from faust.web import View

from stream.kafka.clients import BrokerError
from stream.kafka.cluster import Cluster
from stream.worker import health
from stream.worker.app import VtrApp, create_app
from stream.worker.consumer import BatchConsumer
from stream.worker.health import DEAD_AFTER, STUCK_AFTER, Facts, State, is_alive, troubles
from stream.worker.web import readiness
from tests.worker_units.fakes import (
    CHANGELOG,
    SETTINGS,
    TOPIC,
    TWO,
    A,
    B,
    Client,
    Line,
    Thread,
    done,
    read,
    records,
    settled,
)

LONG, SHORT = STUCK_AFTER + 5, STUCK_AFTER - 5


def kinds(**facts: object) -> list[str]:
    return [trouble.kind for trouble in troubles(Facts(**({"state": "running"} | facts)))]  # type: ignore[arg-type]


# --- What follows from the facts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "kind"),
    [
        ("event_loop_age_seconds", "loop"),
        ("broker_answer_age_seconds", "broker"),
        ("poll_age_seconds", "poll"),
        ("processing_seconds", "processing"),
        ("publishing_seconds", "publishing"),
        ("commit_due_seconds", "commit"),
    ],
)
def test_whatever_takes_too_long_makes_unready(fact: str, kind: str) -> None:
    assert kinds(**{fact: SHORT}) == []
    assert kinds(**{fact: LONG}) == [kind]
    (trouble,) = troubles(Facts(state="running", **{fact: LONG}))  # type: ignore[arg-type]
    assert "25 s" in trouble.text


@pytest.mark.parametrize("state", ["starting", "joining", "restoring", "stopping", "failed"])
def test_only_a_running_worker_is_ready(state: State) -> None:
    assert kinds(state=state, commit_due_seconds=LONG) == [state]
    assert kinds(state=state, broker_answer_age_seconds=LONG) == [state, "broker"], "the reason that matters is there"


def test_a_worker_is_ready_when_all_its_windows_are_derived() -> None:
    assert kinds(assigned_partitions=[0, 1], restored_partitions=[1]) == ["windows"]
    assert kinds(assigned_partitions=[0, 1], restored_partitions=[0, 1]) == []
    assert kinds(assigned_partitions=[]) == [], "one without partitions stands by"


def test_a_partition_without_leader_is_named() -> None:
    (trouble,) = troubles(Facts(state="running", unanswered_partitions=[f"orders/{number}" for number in range(12)]))
    assert trouble.text.startswith("no broker answers for orders/0, orders/1, ")
    assert trouble.text.endswith(", orders/9 and 2 more")
    assert kinds(unanswered_partitions=["orders/1"], broker_answer_age_seconds=LONG) == ["broker"], "all are the same"


def test_old_commits_and_lag_are_no_trouble() -> None:
    assert kinds(commit_age_seconds=1e6, lag_records={"orders/1": 10**9}) == []


def test_only_a_loop_that_is_blocked_for_long_is_dead() -> None:
    assert is_alive(Facts(state="running", event_loop_age_seconds=DEAD_AFTER - 1))
    assert not is_alive(Facts(state="running", event_loop_age_seconds=DEAD_AFTER + 1))
    assert is_alive(Facts(state="joining", broker_answer_age_seconds=1e6)), "a restart brings no broker back"


def test_the_body_says_why_not() -> None:
    known = Facts(state="running", publishing_seconds=LONG, processing_seconds=LONG)
    assert readiness(known) == (
        False,
        {
            "ready": False,
            "why_not": ["no batch was done in 25 s though some wait", "publishing takes 25 s"],
            "facts": known,
        },
    )
    assert readiness(Facts(state="running"))[0]


# --- What is known ---------------------------------------------------------------------------------------------------


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    return lambda seconds: monkeypatch.setattr(health, "monotonic", lambda: monotonic() + seconds)


async def test_states(app: VtrApp, thread: Thread, client: Client) -> None:
    thread._consumer = None
    assert app.health.facts().state == "starting"
    thread._consumer, client.is_rebalancing = client, True
    assert app.health.facts().state == "joining"
    client.is_rebalancing = False
    assert app.health.facts().state == "restoring"
    app.processor.resume()
    assert app.health.facts().state == "running"
    app._stopped.set()
    assert app.health.facts().state == "stopping"
    app.processor.has_failed = True
    assert app.health.facts().state == "failed"


async def test_lag_is_what_is_not_processed(
    app: VtrApp, consumer: BatchConsumer, thread: Thread, client: Client
) -> None:
    thread.assigned = {A, B, (changelog := type(A)(CHANGELOG, 0))}
    for tp, position, end in ((A, 20, 25), (B, 5, None), (changelog, 0, 9)):
        client.has(tp, position, end)
    assert app.health.facts().lag_records == {f"{TOPIC}/0": 5}, "an end that is not known is no lag of 0"
    first, _second = await read(consumer, {A: records(A, 0, 9)}, {A: records(A, 10, 19)})
    first.ack(consumer)
    assert app.health.facts().lag_records == {f"{TOPIC}/0": 15}, "and what is fetched is not processed"
    assert app.health.facts().assigned_partitions == [0, 1]


async def test_the_lag_of_a_worker_that_has_done_nothing_yet_is_from_the_last_commit_on(
    app: VtrApp, consumer: BatchConsumer, thread: Thread, client: Client
) -> None:
    thread.assigned = {A}
    client.has(A, 30, 35)
    consumer._committed_offset[A] = 10
    await read(consumer, {A: records(A, 10, 19)}, {A: records(A, 20, 29)})
    assert app.health.facts().lag_records == {f"{TOPIC}/0": 25}


async def test_answers_of_brokers(
    app: VtrApp, thread: Thread, client: Client, later: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    thread.assigned = set()
    assert app.health.facts().broker_answer_age_seconds is None
    app.processor.resume()
    now = monotonic()
    client.connections |= {1: SimpleNamespace(_last_action=now - 9), 2: SimpleNamespace(_last_action=now - 1)}
    with caplog.at_level(logging.INFO, logger="stream.worker.health"):
        app.health.step()
        assert app.health.facts().broker_answer_age_seconds == pytest.approx(1, abs=0.5)
        client.connections.clear()
        later(LONG)
        for _ in range(3):
            app.health._stepped_at += LONG
            app.health.step()
        assert app.health.facts().broker_answer_age_seconds == pytest.approx(LONG + 1, abs=0.5)
        client.connections[3] = SimpleNamespace(_last_action=now + LONG)
        app.health.step()
    assert [record.getMessage() for record in caplog.records] == [
        "not ready: no broker has answered for 26 s",
        "ready again after 0 s",
    ]


async def test_why_no_broker_answers(
    app: VtrApp,
    thread: Thread,
    client: Client,
    later: Callable[[float], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after a change of the password: connections that are there go on, and new ones are refused."""
    asked: list[Cluster] = []
    reasons: list[str | None] = ["refused", "refused", "does not let user vtr in", None]

    async def why(cluster: Cluster) -> BrokerError | None:
        asked.append(cluster)
        reason = reasons[len(asked) - 1]
        return None if reason is None else BrokerError(reason)

    async def look(passed: float) -> tuple[str | None, list[str]]:
        later(passed)
        app.health._stepped_at = monotonic() + passed
        app.health.step()
        await app.health.step_entry()
        known = app.health.facts()
        return known.shut_out, [trouble.kind for trouble in troubles(known)]

    monkeypatch.setattr(health, "why_shut_out", why)
    thread.assigned = set()
    app.processor.resume()
    client.connections[1] = SimpleNamespace(_last_action=monotonic())
    assert await look(0) == (None, [])
    assert asked == [], "who is let in asks nobody"
    for passed, reason in enumerate(["refused", "refused", "does not let user vtr in"], start=1):
        assert await look(passed * LONG) == (reason, ["broker", "shut out"])
        assert await look(passed * LONG + 1) == (reason, ["broker", "shut out"]), "and it is not asked again so soon"
    assert asked == [SETTINGS] * 3
    assert await look(4 * LONG) == (None, ["broker"]), "a new client came in, and this one will"
    client.connections[1] = SimpleNamespace(_last_action=monotonic() + 4 * LONG)
    assert await look(4 * LONG) == (None, [])
    assert len(asked) == 4
    assert [record.getMessage() for record in caplog.records] == [
        "not ready: no broker has answered for 25 s",
        "not ready: refused",
        "not ready: does not let user vtr in",
    ]
    assert kinds(shut_out="refused") == ["shut out"]


async def test_partitions_that_are_not_answered(
    app: VtrApp, consumer: BatchConsumer, client: Client, later: Callable[[float], None]
) -> None:
    app.processor.resume()
    client.has(A, 5, 5, age=2 * LONG)
    client.has(B, 5, 5, age=SHORT)
    assert app.health.facts().unanswered_partitions == [], "restored a moment ago"
    later(2 * LONG)
    assert app.health.facts().unanswered_partitions == [f"{TOPIC}/0"]
    client.buffered[A] = object()
    assert app.health.facts().unanswered_partitions == [], "nothing was asked"
    client.buffered.clear()
    await read(consumer, {A: records(A, 5)})
    assert app.health.facts().unanswered_partitions == []


async def test_a_step_that_is_not_acknowledged(line: Line, client: Client, later: Callable[[float], None]) -> None:
    client.has(A, 20, 20)
    await line.run(*TWO)
    later(LONG)
    known = line.app.health.facts()
    assert known.publishing_seconds == pytest.approx(LONG, abs=1)
    assert known.processing_seconds == pytest.approx(LONG, abs=1)
    line.producer.acknowledges.set()
    await settled()
    known = line.app.health.facts()
    assert (known.publishing_seconds, known.processing_seconds) == (None, None)
    assert known.commit_due_seconds == pytest.approx(LONG, abs=1)


async def test_commits(app: VtrApp, consumer: BatchConsumer, thread: Thread, client: Client) -> None:
    client.has(A, 0, 0)
    consumer.commit_due_at -= LONG
    known = app.health.facts()
    assert (known.commit_age_seconds, known.commit_due_seconds) == (None, None)
    thread.takes_commits = False
    await done(consumer, records(A, 0))
    known = app.health.facts()
    assert known.commit_age_seconds is None
    assert known.commit_due_seconds == pytest.approx(0, abs=1), "since the batch was done"
    thread.takes_commits = True
    await consumer.commit()
    known = app.health.facts()
    assert known.commit_age_seconds == pytest.approx(0, abs=1)
    assert known.commit_due_seconds is None
    assert (consumer.commits, consumer.failed_commits) == (2, 1)


async def test_a_loop_that_was_blocked_says_so(
    app: VtrApp, client: Client, later: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    app.health.step()
    later(LONG)
    assert app.health.facts().event_loop_age_seconds == pytest.approx(LONG, abs=1)
    app.health.step()
    assert [record.getMessage() for record in caplog.records] == ["the event loop was blocked for 25 s"]
    assert client.states == {}


# --- Pages -----------------------------------------------------------------------------------------------------------


async def test_no_page_is_served_but_ours() -> None:
    app = create_app(SETTINGS, 4)
    for _ in range(2):
        app.web.init_server()
    assert set(cast("dict[str, View]", app.web.views)) == {"/livez", "/readyz", "/metrics"}
    assert app.conf.web_in_thread
