"""What a scrape of a worker says, and that it says nothing of what has left."""

import asyncio
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from importlib.metadata import version
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.engine import Engine, EngineSettings
from stream.events import OrderShipped, TrackingUploaded
from stream.monitoring import metrics
from stream.monitoring.metrics import METRICS, Instruments
from stream.settings import Settings
from stream.state import HeldShipments
from stream.worker.app import VtrApp
from stream.worker.collector import WorkerCollector
from stream.worker.consumer import BatchConsumer
from tests.monitoring.exposition import Said, exposed, parsed
from tests.monitoring.programs import program
from tests.simple_policy import SimplePolicy
from tests.test_records import ALERT
from tests.worker_units.fakes import TOPIC, TWO, A, B, Client, Line, Thread, done, records, settled

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
MIN_COUNTED = 5


def scrape(app: VtrApp) -> Said:
    return parsed(exposed(app.processor.instruments.registry))


def engine(*sellers: tuple[str, int, int], ago: timedelta = timedelta(days=3)) -> Engine:
    """An engine with sellers of so many shipments with tracking and so many without."""
    settings = EngineSettings.of(Settings(min_counted=MIN_COUNTED))
    made = Engine(SimplePolicy(Fraction(95, 100), 24), settings, HeldShipments(10))
    at = NOW - ago
    events: list[OrderShipped | TrackingUploaded] = []
    for seller, valid, defects in sellers:
        for number in range(valid + defects):
            order = f"{seller}-{number}"
            events.append(
                OrderShipped(
                    event_id=order,
                    event_time=at,
                    seller_id=seller,
                    order_id=order,
                    marketplace="DE",
                    shipped_at=at,
                    shipment_id=order,
                    carrier="DHL",
                )
            )
            if number < valid:
                events.append(
                    TrackingUploaded(
                        event_id=order,
                        event_time=at,
                        seller_id=seller,
                        shipment_id=order,
                        carrier="DHL",
                        tracking_number=f"00340434161{number}",
                    )
                )
    made.apply(events)
    made.advance(NOW)
    return made


def holds(app: VtrApp, **engines: Engine) -> None:
    """Give the worker partitions with these engines; ``p0`` is that of partition 0."""
    made = {int(name.removeprefix("p")): SimpleNamespace(engine=each) for name, each in engines.items()}
    app.processor._partitions = cast("Any", made)


@pytest.fixture
def with_sellers(app: VtrApp) -> Callable[[str], VtrApp]:
    """The app with other settings, and two partitions of sellers."""

    def make(sellers: str) -> VtrApp:
        settings = Settings(min_counted=MIN_COUNTED, metrics_sellers=sellers)
        app.processor.instruments = Instruments()
        app.processor.instruments.registry.register(WorkerCollector(app, settings))
        holds(
            app,
            p0=engine(("A-good", 20, 0), ("B-small", 1, 1)),
            p3=engine(("C-breached", 5, 5), ("D-at-risk", 48, 2)),
        )
        return app

    return make


async def test_everything_is_there_from_the_start(app: VtrApp) -> None:
    said = scrape(app)
    assert said["vtr_build_info"] == {(version("vtr-stream"),): 1}
    assert said["vtr_ready"] == {(): 0}
    assert set(said["vtr_events_total"].values()) == {0}
    assert said["vtr_events_total"]["tracking-scanned", "too_late"] == 0
    assert said["vtr_alerts_total"] == {("vtr-at-risk",): 0, ("vtr-breached",): 0, ("vtr-recovered",): 0}
    assert "vtr_seller_valid_tracking_ratio" not in said


async def test_scopes_and_the_distribution_of_their_rates(with_sellers: Callable[[str], VtrApp]) -> None:
    app = with_sellers("")
    said = scrape(app)
    scopes = said["vtr_scopes"]
    statuses = ("ok", "at_risk", "breached")
    assert [scopes["seller", status, "0"] for status in statuses] == [2, 0, 0]
    assert [scopes["seller", status, "3"] for status in statuses] == [0, 1, 1]
    assert scopes["category", "breached", "3"] == scopes["marketplace", "breached", "3"] == 1
    assert (len(scopes), sum(scopes.values())) == (18, 12)
    buckets = said["vtr_valid_tracking_ratio_bucket"]
    bounds = ("0.5", "0.95", "0.96", "0.99", "1.0", "+Inf")
    assert [buckets[bound, "0"] for bound in bounds] == [0, 0, 0, 0, 1, 1]
    assert [buckets[bound, "3"] for bound in bounds] == [1, 1, 2, 2, 2, 2]
    assert set(said["vtr_tracking_silence_seconds_gcount"].values()) == {0}, "nobody has shipped in the last day"
    assert "vtr_seller_valid_tracking_ratio" not in said, "none of a seller that was not asked for"
    assert said["vtr_watermark_timestamp_seconds"] == {("0",): NOW.timestamp(), ("3",): NOW.timestamp()}


async def test_chosen_sellers(with_sellers: Callable[[str], VtrApp]) -> None:
    said = scrape(with_sellers("worst:2"))
    assert said["vtr_seller_valid_tracking_ratio"] == {("C-breached",): 0.5, ("D-at-risk",): 0.96}
    assert said["vtr_seller_counted_shipments"] == {("C-breached",): 10, ("D-at-risk",): 50}
    assert said["vtr_seller_allowance_shipments"] == {("C-breached",): 0, ("D-at-risk",): 0}
    assert said["vtr_seller_status"] == {("C-breached",): 2, ("D-at-risk",): 1}
    said = scrape(with_sellers("A-good,B-small,nobody"))
    assert said["vtr_seller_valid_tracking_ratio"] == {("A-good",): 1.0, ("B-small",): 0.5}
    assert said["vtr_seller_allowance_shipments"]["A-good",] == 1
    assert said["vtr_seller_status"] == {("A-good",): 0, ("B-small",): 0}


async def test_silent_sellers(with_sellers: Callable[[str], VtrApp]) -> None:
    app = with_sellers("worst:2")
    silent = (("E-silent", 0, 6), ("F-small", 0, 4), ("G-heard", 1, 9))
    app.processor._partitions[7] = cast("Any", SimpleNamespace(engine=engine(*silent, ago=timedelta(hours=8))))
    said = scrape(app)
    assert said["vtr_seller_tracking_silence_seconds"] == {("E-silent",): 8 * 3600}
    buckets = said["vtr_tracking_silence_seconds_bucket"]
    assert [buckets[bound, "7"] for bound in ("0.0", "21600.0", "43200.0", "+Inf")] == [2, 2, 3, 3]
    assert said["vtr_tracking_silence_seconds_gsum"] == {("0",): 0, ("3",): 0, ("7",): 8 * 3600}
    app.processor.forget(7)
    assert "vtr_seller_tracking_silence_seconds" not in scrape(app)


async def test_what_leaves_takes_its_series_along(with_sellers: Callable[[str], VtrApp]) -> None:
    app = with_sellers("worst:2")
    app.processor.forget(3)
    said = scrape(app)
    assert said["vtr_watermark_timestamp_seconds"] == {("0",): NOW.timestamp()}
    assert sum(said["vtr_scopes"].values()) == 6
    assert said["vtr_seller_valid_tracking_ratio"] == {("A-good",): 1.0}
    app.processor.forget(0)
    assert "vtr_seller_valid_tracking_ratio" not in scrape(app)
    assert "vtr_watermark_timestamp_seconds" not in scrape(app)


async def test_work_is_counted_by_the_batch(line: Line, client: Client) -> None:
    client.has(A, 20, 25)
    client.has(B, 0, None)
    line.partitions[0].alerts = [ALERT]
    line.processor.outcomes[TOPIC, "accepted"] += 5
    line.producer.acknowledges.set()
    holds(line.app)
    line.processor._partitions.update(cast("Any", line.partitions))
    for partition in line.partitions.values():
        cast("Any", partition).engine = engine()
    await line.run(*TWO)
    await settled()
    await line.consumer.commit()
    said = scrape(line.app)
    assert said["vtr_step_records_sum"] == {(): 4}
    assert said["vtr_step_processing_duration_seconds_count"] == said["vtr_publish_duration_seconds_count"] == {(): 2}
    assert said["vtr_events_total"][TOPIC, "accepted"] == 5
    assert said["vtr_alerts_total"][ALERT.type,] == 2
    assert said["vtr_lag_records"] == {(TOPIC, "0"): 5}
    assert said["vtr_commits_total"] == {(): 1}
    assert said["vtr_commit_failures_total"] == {(): 0}
    assert said["vtr_last_commit_timestamp_seconds"][()] == pytest.approx(datetime.now(UTC).timestamp(), abs=2)
    assert said["vtr_last_poll_timestamp_seconds"][()] == pytest.approx(datetime.now(UTC).timestamp(), abs=2)
    assert said["vtr_ready"] == {(): 1}
    assert said["vtr_assigned_partitions"] == {(): 2}
    assert said["vtr_shipments"] == {("0",): 0, ("1",): 0}


async def test_failed_commits_are_counted(app: VtrApp, consumer: BatchConsumer, thread: Thread, client: Client) -> None:
    thread.takes_commits = False
    await done(consumer, records(A, 0))
    said = scrape(app)
    assert (said["vtr_commits_total"], said["vtr_commit_failures_total"]) == ({(): 1}, {(): 1})
    assert "vtr_last_commit_timestamp_seconds" not in said
    assert client.states == {}


async def test_the_restore_is_timed_until_the_last_windows(
    app: VtrApp, consumer: BatchConsumer, thread: Thread, client: Client
) -> None:
    assert consumer.is_rebalancing() is client.is_rebalancing is False
    for number in (0, 1):
        await app.processor.shipments.take(number)
        await app.processor.alerts.take(number)
    consumer.assigned_at = monotonic() - 5
    app.processor.resume()
    app.processor._partition(0)
    assert "vtr_restore_duration_seconds" not in scrape(app)
    app.processor._partition(1)
    assert scrape(app)["vtr_restore_duration_seconds"][()] == pytest.approx(5, abs=1)
    assert thread.assigned == {A, B}


async def test_each_metric_is_exposed_as_it_is_defined(
    with_sellers: Callable[[str], VtrApp], consumer: BatchConsumer, client: Client
) -> None:
    app = with_sellers("worst:1")
    silent = engine(("E-silent", 0, 6), ago=timedelta(hours=8))
    app.processor._partitions[7] = cast("Any", SimpleNamespace(engine=silent))
    client.has(A, 0, 1)
    await done(consumer, records(A, 0))
    app.processor.restored_within = 1.0
    await app.processor.shipments.take(0)
    said = exposed(app.processor.instruments.registry)
    families = {each.name: each for each in text_string_to_metric_families(said) if each.name.startswith("vtr_")}
    for metric in METRICS:
        each = families.pop(metric.name.removesuffix("_total"))
        kind = metric.kind.removeprefix("gauge ")
        assert (each.documentation, each.type) == (metric.help, kind)
        labels = {name for sample in each.samples for name in sample.labels} - {"le"}
        assert labels == set(metric.labels)
    gauge_histograms = (metrics.SELLERS_RATIO, metrics.SELLERS_SILENCE)
    assert set(families) == {f"{metric.name}_{each}" for metric in gauge_histograms for each in ("gcount", "gsum")}


async def test_promtool_has_nothing_against_it(with_sellers: Callable[[str], VtrApp]) -> None:
    said = exposed(with_sellers("worst:1").processor.instruments.registry)
    check = await asyncio.create_subprocess_exec(
        program("promtool"), "check", "metrics", stdin=PIPE, stdout=PIPE, stderr=STDOUT
    )
    complaints, _ = await check.communicate(said.encode())
    assert (check.returncode, complaints) == (0, b"")
