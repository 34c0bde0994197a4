"""The benchmarks still run: their cheap parts, on tiny histories. How fast anything is decides nothing here."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from stream.events import Event, OrderShipped, TrackingUploaded, encode
from stream.records import Scope
from tests.benchmarks import backlog, expected, history, latency, memory, replay, rules, topics, worker
from tests.benchmarks.bench import Bench, Options
from tests.benchmarks.measure import Measurement, usage
from tests.benchmarks.peers import job
from tests.benchmarks.process import BenchmarkError
from tests.benchmarks.report import Report
from tests.brokers import Broker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the figures are those of Linux's kernel")

EVENTS = 1_200
SELLERS = 20

TINY = Options(
    events=EVENTS,
    faust_events=EVENTS,
    quix_events=EVENTS,
    rounds=1,
    sellers=SELLERS,
    partitions=2,
    rate=400,
    seconds=1.0,
)


@pytest.fixture
def report() -> Report:
    return Report()


@pytest.fixture
def bench(report: Report, tmp_path: Path) -> Callable[[Broker | None], Bench]:
    def of(broker: Broker | None) -> Bench:
        def running() -> Broker:
            assert broker is not None, "this measurement needs no broker"
            return broker

        return Bench(TINY, report, tmp_path, running)

    return of


def said(report: Report, folder: Path) -> str:
    report.save(folder / "results" / "report.md")
    return (folder / "results" / "report.md").read_text(encoding="utf-8")


def test_rules(bench: Callable[[Broker | None], Bench], report: Report, tmp_path: Path) -> None:
    rules.run(bench(None))
    assert {line.split("|")[1].strip() for line in said(report, tmp_path).splitlines() if line.startswith("|")} >= {
        "number given",
        "the product's rules",
        "added by the rules",
    }


# --- Without a broker ------------------------------------------------------------------------------------------------


def test_replay(bench: Callable[[Broker | None], Bench], report: Report, tmp_path: Path) -> None:
    replay.run(bench(None))
    text = said(report, tmp_path)
    assert "| vtr replay " in text
    assert f"| {replay.LIMIT} " in text


def test_ratios_are_to_what_was_measured(report: Report, tmp_path: Path) -> None:
    results = {
        "base": [
            Measurement(1000, 2.0, 1.0, 50.0),
            Measurement(1000, 1.0, 1.0, 60.0),
            Measurement(1000, 0.5, 1.0, 55.0),
        ],
        "other": [Measurement(500, 2.0, 1.0, 70.0)],
    }
    report.rates(results, {"of base": "base", "of none": "not measured"})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in said(report, tmp_path).splitlines() if line]
    assert rows[0] == ["", "events", "events/s", "min–max", "CPU µs/event", "peak MB", "of base", "of none"]
    assert rows[2] == ["base", "1,000", "1,000", "500–2,000", "1,000.0", "60", "1", ""]
    assert rows[3] == ["other", "500", "250", "250–250", "2,000.0", "70", "0.25", ""]


def test_usage_is_that_of_the_process() -> None:
    before = usage(os.getpid())
    assert 0 < before.now_mb <= before.peak_mb
    held = bytearray(b"x") * (64 * 1024 * 1024)
    after = usage(os.getpid())
    assert after.now_mb - before.now_mb > 32, len(held)
    assert after.cpu_seconds > 0


DAY = datetime(2026, 11, 1, 12, tzinfo=UTC)


def shipped(number: int, day: int, **changes: object) -> OrderShipped:
    at = DAY + timedelta(days=day)
    event = OrderShipped(
        event_id=f"s{number}",
        event_time=at,
        seller_id="A1",
        order_id=f"order-{number}",
        marketplace="DE",
        category="Home",
        carrier="DHL",
        shipped_at=at,
    )
    return replace(event, **changes)


def tracked(number: int, day: int, tracking_number: str | None) -> TrackingUploaded:
    return TrackingUploaded(
        event_id=f"t{number}-{day}",
        event_time=DAY + timedelta(days=day, hours=1),
        seller_id="A1",
        order_id=f"order-{number}",
        tracking_number=tracking_number,
    )


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Shipments: valid, corrected, with a placeholder, without tracking or carrier, the marketplace's, an old one."""
    events: list[Event] = [
        *(shipped(1, 30), tracked(1, 30, "003404341234")),
        *(tracked(2, 2, "003404345678"), tracked(2, 1, "N/A"), shipped(2, 1)),
        *(shipped(3, 3), tracked(3, 3, "n/a")),
        shipped(4, 4),
        *(shipped(5, 5, carrier=None), tracked(5, 5, "003404349999")),
        *(shipped(6, 6, fulfilled_by="marketplace"), tracked(6, 6, "003404348888")),
        *(shipped(7, 0), tracked(7, 0, "003404347777")),
    ]
    file = tmp_path / "small.ndjson"
    file.write_bytes(b"".join(encode(event) + b"\n" for event in [*events, *events[:3]]))
    return file


def test_what_is_expected_of_peers(small: Path) -> None:
    assert expected.peer_counts(small) == dict.fromkeys(["A1", "A1|DE", "A1|DE|Home"], (5, 2))


def test_what_is_expected_of_the_worker(small: Path) -> None:
    scopes = Scope("A1"), Scope("A1", "DE"), Scope("A1", "DE", "Home")
    for as_of, count in (
        (DAY + timedelta(days=1), 2),
        (DAY + timedelta(days=29, hours=23, minutes=59), 6),
        (DAY + timedelta(days=30), 6),
        (DAY + timedelta(days=30, hours=23, minutes=59), 6),
        (DAY + timedelta(days=31), 5),
    ):
        assert expected.live_shipments(small, as_of) == dict.fromkeys(scopes, count)
    assert expected.shipments(small) == 7


def test_differences_are_an_error() -> None:
    expected.require({"A1": (2, 1)}, {"A1": (2, 1)})
    for found in ({}, {"A1": (2, 2)}, {"A1": (2, 1), "A2": (1, 1)}):
        with pytest.raises(BenchmarkError, match=r"wrong final counts in 1 of 1 scopes, such as A[12]: "):
            expected.require(found, {"A1": (2, 1)})


def test_days_leave_the_window_as_later_ones_come() -> None:
    days: job.Days = {}
    assert job.add(days, "2026-11-01", 1, 1) == (1, 1)
    assert job.add(days, "2026-11-30", 1, 0) == (2, 1)
    assert job.add(days, "2026-12-01", 1, 1) == (2, 1)
    assert job.add(days, "2026-11-01", 0, 1) == (2, 1)
    assert job.add(days, "2026-11-30", 0, 1) == (2, 2)


def test_quix_counts_as_expected(tmp_path: Path) -> None:
    """Its own part of the job, without Kafka: what a message key's state is told is a dictionary here."""
    pytest.importorskip("quixstreams", reason="the extra `bench` is not installed")
    from tests.benchmarks.peers import quix_streams

    class State(dict[str, object]):
        def set(self, key: str, value: object) -> None:
            # The store keeps bytes, so nothing that is changed later changes it.
            self[key] = json.dumps(value)

        def get(self, key: str, default: object = None) -> object:
            return json.loads(str(self[key])) if key in self else default

    states: dict[str, State] = {}
    file = history.simulate(EVENTS, SELLERS, tmp_path / "history.ndjson")
    for line in file.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        quix_streams.apply(event, states.setdefault(event["seller_id"], State()))
    changelog = {
        f"{seller}|{json.dumps(key)}".encode(): str(value).encode()
        for seller, state in states.items()
        for key, value in state.items()
    }
    assert quix_streams.final_counts(changelog) == expected.peer_counts(file)


# --- On a broker -----------------------------------------------------------------------------------------------------


async def test_every_subject_finishes_with_the_right_counts(
    broker: Broker, bench: Callable[[Broker | None], Bench], tmp_path: Path
) -> None:
    it = bench(broker)
    dataset = it.dataset(it.history(EVENTS, SELLERS))
    assert sum(dataset.ends.values()) == dataset.events == EVENTS
    subjects = [backlog.read_and_decode(dataset, tmp_path), worker.on_backlog(dataset, tmp_path)]
    subjects += [
        backlog.peer_worker(module, dataset, tmp_path)
        for module in ("plain_faust", "quix_streams")
        if backlog.missing(module, broker) is None
    ]
    for measured in await asyncio.gather(*subjects):
        assert measured.events == EVENTS
        assert measured.seconds > 0
        assert measured.peak_mb > 10


def test_latency(
    broker: Broker,
    bench: Callable[[Broker | None], Bench],
    report: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latency, "WARM_UP", 0.5)
    latency.run(bench(broker))
    text = said(report, tmp_path)
    assert "of 4 alerts a round" in text
    assert "| p99 " in text


def test_topics(broker: Broker, bench: Callable[[Broker | None], Bench], report: Report, tmp_path: Path) -> None:
    topics.run(bench(broker))
    text = said(report, tmp_path)
    assert all(f"| {name} " in text for name in (topics.PLAIN, topics.INTO, backlog.LIMIT, topics.FROM))


def test_the_store_by_itself_takes_memory_per_shipment(tmp_path: Path) -> None:
    file = history.simulate(20_000, SELLERS, tmp_path / "history.ndjson")
    assert 60 < history.apart(memory.store_bytes, file) < 600
