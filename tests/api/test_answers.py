"""What the API answers: from the worker that has it, from another one, and from all of them together."""

from collections.abc import Iterator
from unittest.mock import patch
from urllib.parse import quote, urlencode

import msgspec
import pytest

from stream.policy import RulesPolicy
from stream.records import Metric
from stream.report import DefectReport, Selection, csv_of
from stream.report.history import SellerHistory
from stream.settings import Settings
from stream.worker.api.answers import DeploymentHealth, ScopePage, SellerMetrics
from stream.worker.health import Facts
from tests.api.group import NOW, PARTITIONS, Group, Page, Worker, partition_of, simulated
from tests.test_engine_properties import all_decoded, shipped, tracked

EVENTS = simulated(3000, 25)
ODD = ["A/B?c=1&d#e", "ä 🎁%2F%", "..", "=cmd()", "a\\b\"'<x>", "\x01" * 1024, "🎁" * 1024]
"""Ids that a path must not take apart."""


@pytest.fixture(scope="module")
def group() -> Iterator[Group]:
    with Group(2, 2) as group:
        group.apply(EVENTS)
        at = NOW.replace(hour=1)
        group.apply(all_decoded(shipped(f"s{n}", at, seller_id=seller) for n, seller in enumerate(ODD)))
        yield group


def metrics_of(group: Group) -> list[Metric]:
    """All that the engines have, in the order of a list."""
    found = [metric for worker in group.workers for engine in worker.engines.values() for metric in engine.metrics()]
    return sorted(found, key=lambda metric: [part or "" for part in metric.scope])


def listed(worker: Worker, **query: object) -> list[Metric]:
    """All pages of a list."""
    found: list[Metric] = []
    while True:
        page = msgspec.json.decode(ok(worker.get(f"/api/v1/scopes?{urlencode(query)}")).body, type=ScopePage)
        assert len(page.scopes) <= int(str(query.get("limit", 100)))
        found += page.scopes
        if page.next_cursor is None:
            return found
        query["cursor"] = page.next_cursor


def ok(page: Page) -> Page:
    assert page.status == 200, page.body
    return page


def sellers() -> list[str]:
    return sorted({event.seller_id for event in EVENTS})


# --- Sellers ---------------------------------------------------------------------------------------------------------


def test_any_worker_answers_for_any_seller(group: Group) -> None:
    assert {partition_of(seller) for seller in sellers()} == set(range(PARTITIONS))
    expected = metrics_of(group)
    for seller in [*sellers(), *ODD]:
        first, second = (ok(worker.get(f"/api/v1/sellers/{quote(seller, safe='')}")) for worker in group.workers)
        assert first.body == second.body
        found = msgspec.json.decode(first.body, type=SellerMetrics)
        assert (found.seller_id, found.scopes) == (seller, [each for each in expected if each.seller_id == seller])


def test_an_unknown_seller(group: Group) -> None:
    for path in ("/api/v1/sellers/nobody", "/api/v1/sellers/nobody/report"):
        for worker in group.workers:
            page = worker.get(path)
            assert (page.status, page.headers["content-type"]) == (404, "application/problem+json")
            assert page.json["detail"].startswith("there is no seller nobody")


def test_an_address_in_the_request_line_leads_nowhere_else(group: Group) -> None:
    for worker in group.workers:
        for seller in sellers()[:6]:
            page = ok(worker.get(f"http://elsewhere.example:9/api/v1/sellers/{seller}", Host="localhost"))
            assert page.body == ok(worker.get(f"/api/v1/sellers/{seller}")).body
        for path in ("@elsewhere.example/api/v1/sellers/A", "//elsewhere.example/api/v1/sellers/A", "*"):
            assert worker.get(path, Host="localhost").status in (400, 404)


# --- Reports ---------------------------------------------------------------------------------------------------------


def test_a_report_is_that_of_the_same_history(group: Group) -> None:
    policy = RulesPolicy.of(Settings())
    for seller in sellers()[::3]:
        own = SellerHistory(seller, [event for event in EVENTS if event.seller_id == seller], NOW.replace(minute=0))
        for query in ({}, {"window": "official"}, {"marketplace": "DE", "carrier": "DHL"}, {"category": "Home"}):
            expected = own.report(policy, 10, msgspec.convert(query, Selection))
            for worker in group.workers:
                path = f"/api/v1/sellers/{seller}/report?{urlencode(query)}"
                assert ok(worker.get(path)).body == msgspec.json.encode(expected)
                page = ok(worker.get(f"{path}&format=csv"))
                assert page.body == csv_of(expected)
                assert page.headers["content-type"] == "text/csv; charset=utf-8"
                assert page.headers["content-disposition"] == 'attachment; filename="defects.csv"'


def test_a_report_has_as_many_rows_as_the_metric_defects(group: Group) -> None:
    worker = group.workers[0]
    for metric in metrics_of(group)[::3]:
        seller = quote(metric.seller_id, safe="")
        query = {"marketplace": metric.marketplace, "category": metric.category}
        given = urlencode({name: value for name, value in query.items() if value is not None})
        for window, counts in (("live", metric.live), ("official", metric.official)):
            page = ok(worker.get(f"/api/v1/sellers/{seller}/report?window={window}&{given}"))
            found = msgspec.json.decode(page.body, type=DefectReport)
            assert len(found.defects) == found.counts.defects == counts.defects
            assert found.counts.vtr == counts.vtr


# --- Lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_a_list_is_whole_however_it_is_cut(group: Group, limit: int) -> None:
    expected = metrics_of(group)
    for worker in group.workers:
        assert listed(worker, limit=limit) == expected
        if limit < 7:
            break


def test_filters(group: Group) -> None:
    expected = metrics_of(group)
    first, second = group.workers
    breached = [each for each in expected if each.status == "breached"]
    assert len(breached) > 2
    assert listed(first, status="breached", limit=2) == listed(second, status="breached") == breached
    below = [each for each in expected if each.live.valid * 100 < 93 * each.live.counted]
    assert listed(first, below="0.93") == listed(second, below="93e-2") == below
    assert len(below) > 2
    assert listed(second, scope="seller") == [each for each in expected if each.marketplace is None]
    assert listed(first, scope="category", marketplace="A1PA6795UKMFR9") == [
        each for each in expected if each.marketplace == "DE" and each.category is not None
    ]
    assert listed(first, below="0") == listed(first, marketplace="nowhere") == []
    perfect = [each for each in expected if each.live.defects]
    assert listed(first, below="1") == perfect


def test_a_rate_exactly_at_the_bound_is_not_below_it() -> None:
    at = NOW.replace(hour=1)
    with Group(4) as group:
        good = [shipped(f"g{n}", at) for n in range(19)] + [
            tracked(f"g{n}", at, tracking_number="00340434161094042557") for n in range(19)
        ]
        bad = [shipped("b", at), tracked("b", at, tracking_number="N/A")]
        group.apply(all_decoded([*good, *bad]))
        (worker,) = group.workers
        assert listed(worker, scope="seller", below="0.95") == []
        assert len(listed(worker, scope="seller", below="0.950001")) == 1


# --- Health ----------------------------------------------------------------------------------------------------------


def test_health_is_of_all_workers(group: Group) -> None:
    first, second = (
        msgspec.json.decode(ok(worker.get("/api/v1/health")).body, type=DeploymentHealth) for worker in group.workers
    )
    assert first == second
    assert [worker.url for worker in first.workers] == sorted(worker.settings.own_web_url for worker in group.workers)
    assert all(worker.why_not == ["the worker is starting"] for worker in first.workers)  # there is no consumer here
    assert not first.ready


def test_health_is_of_workers_without_partitions_too() -> None:
    with Group(2, 2, 0) as group:
        urls = sorted(worker.settings.own_web_url for worker in group.workers)
        for worker in group.workers:
            assert [each["url"] for each in ok(worker.get("/api/v1/health")).json["workers"]] == urls


@pytest.mark.parametrize(
    ("lags", "told"), [({}, None), ({"shipped/0": 3}, None), ({f"{name}/0": 3 for name in "abc"}, 9)]
)
def test_a_lag_that_is_not_known_is_not_0(lags: dict[str, int], told: int | None) -> None:
    """While a partition is restored, its input has not been asked for."""
    with Group(4) as group:
        (worker,) = group.workers
        known = Facts(state="restoring", assigned_partitions=[0], lag_records=lags)
        with patch.object(worker.app.health, "facts", lambda: known):
            assert ok(worker.get("/api/v1/health")).json["workers"][0]["lag_records"] == told
