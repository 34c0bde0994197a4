"""While partitions move, workers go or nobody can tell: 503 and a reason, never a part of an answer."""

import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from unittest.mock import patch

import pytest

from stream.policy import RulesPolicy
from stream.settings import Settings
from stream.state import MemoryStore, Store
from stream.state.rocks import RocksStore
from stream.worker.api import here
from stream.worker.api.peers import Answer
from stream.worker.api.routes import PARTITIONS as TOLD_PARTITIONS
from tests.api.group import NOW, PARTITIONS, Group, Page, partition_of
from tests.api.test_access import is_problem
from tests.test_engine_properties import HOUR, all_decoded, shipped, tracked

AT = NOW.replace(hour=1)
SELLERS = {partition_of(seller): seller for seller in map(str, range(20))}
"""One of each partition."""

POLICY = RulesPolicy.of(Settings())


@pytest.fixture
def group() -> Iterator[Group]:
    with Group(2, 2, policy=POLICY) as group:
        group.apply(all_decoded(shipped(each, AT, seller_id=each, carrier=None) for each in SELLERS.values()))
        yield group


def seller(number: int, page: str = "") -> str:
    return f"/api/v1/sellers/{SELLERS[number]}{page}"


def is_unavailable(page: Page, why: str) -> None:
    assert why in is_problem(page, 503)
    assert int(page.headers["retry-after"]) > 0


def test_a_worker_that_is_rebalancing(group: Group) -> None:
    first, second = group.workers
    second.app.processor._running.clear()
    for path in (seller(2), seller(3, "/report"), "/api/v1/scopes"):
        is_unavailable(first.get(path), "assigned or restored")
        is_unavailable(second.get(path), "assigned or restored")
    assert first.get(seller(0)).status == 200


def test_a_partition_that_is_not_restored_yet(group: Group) -> None:
    first, second = group.workers
    first.app.processor.forget(0)
    for worker in group.workers:
        is_unavailable(worker.get(seller(0)), "partition 0 is being restored")
        is_unavailable(worker.get("/api/v1/scopes"), "partition 0 is being restored")
        assert worker.get(seller(1)).status == worker.get(seller(2)).status == 200
    assert second.app.processor.partitions().keys() == {2, 3}


def test_a_worker_that_is_gone(group: Group) -> None:
    first, _ = group.workers
    gone = "http://127.0.0.1:9"
    group.assign({first.settings.own_web_url: [0, 1], gone: [2, 3]})
    is_unavailable(first.get(seller(2)), f"the worker at {gone} does not answer")
    is_unavailable(first.get("/api/v1/scopes"), f"the worker at {gone} does not answer")
    found = first.get("/api/v1/health").json
    assert not found["ready"]
    assert {2, 3} <= {*found["missing_partitions"]}
    (dead,) = [worker for worker in found["workers"] if worker["url"] == gone]
    assert dead["why_not"] == [f"the worker at {gone} does not answer: ClientConnectorError"]


class NoWorker(BaseHTTPRequestHandler):
    """What else may listen where a worker says that it is: it knows every page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<p>hello")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Nothing."""


def test_what_answers_and_is_no_worker(group: Group) -> None:
    first, _ = group.workers
    with ThreadingHTTPServer(("127.0.0.1", 0), NoWorker) as server:
        Thread(target=server.serve_forever).start()
        other = f"http://127.0.0.1:{server.server_port}"
        group.assign({first.settings.own_web_url: [0, 1], other: [2, 3]})
        why = f"what answers at {other} is no worker; check its web_url"
        try:
            for path in (seller(2), seller(3, "/report?format=csv"), "/api/v1/scopes"):
                is_unavailable(first.get(path), why)
            page = first.get("/api/v1/health")
            assert page.status == 200
            assert [each["why_not"] for each in page.json["workers"] if each["url"] == other] == [[why]]
        finally:
            server.shutdown()


def test_a_worker_of_another_version(group: Group) -> None:
    first, second = group.workers

    async def answer(url: str, path_and_query: str) -> Answer:  # noqa: ARG001 - as it is called
        return Answer(200, {TOLD_PARTITIONS: "2,3"}, b'{"scopes": [{}], "workers": [{}]}')

    with patch.object(first.app.api._peers, "ask", answer):
        is_unavailable(first.get("/api/v1/scopes"), "another version")
        page = first.get("/api/v1/health")
    assert page.status == 200
    (other,) = (each for each in page.json["workers"] if each["url"] == second.settings.own_web_url)
    assert "another version" in other["why_not"][0]


def test_a_worker_with_another_token(group: Group) -> None:
    first, _ = group.workers
    with Group(4, policy=POLICY, api_token="a-token-of-24-characters") as others:  # noqa: S106 - of this test alone
        other = others.workers[0].settings.own_web_url
        group.assign({first.settings.own_web_url: [0, 1], other: [2, 3]})
        for path in (seller(2), seller(3, "/report"), "/api/v1/scopes"):
            is_unavailable(first.get(path), "does not let this one ask; give all workers the same api_token")


def test_workers_with_the_same_address(group: Group) -> None:
    first, _ = group.workers
    group.assign({first.settings.own_web_url: [2, 3]})
    is_unavailable(first.get(seller(2)), "its worker gives the same web_url as this one")
    group.assign({first.settings.own_web_url: [0, 1]})
    is_unavailable(first.get(seller(2)), "no worker says that it has partition 2")


def test_nobody_forwards_what_was_forwarded(group: Group) -> None:
    first, second = group.workers
    group.assign({first.settings.own_web_url: [2, 3], second.settings.own_web_url: [0, 1]})
    for worker in group.workers:
        worker.app.processor.forget(0)
    is_unavailable(first.get(seller(0)), "partition 0 is being restored or goes to another worker")
    is_unavailable(first.get("/api/v1/scopes"), "partition")


def test_no_scope_is_there_twice(group: Group) -> None:
    first, second = group.workers
    second.hold(1, POLICY)  # as one that has been away, and does not know that it has lost the partition
    is_unavailable(first.get("/api/v1/scopes"), "partition 1 is moving from one worker to another")


def test_a_blocked_event_loop_blocks_no_answer_for_long(group: Group) -> None:
    first, _ = group.workers
    with patch.object(here, "LOOP_PATIENCE", 0.2):
        group.main.loop.call_soon_threadsafe(time.sleep, 1.0)
        for path in (seller(0), seller(0, "/report"), "/api/v1/scopes"):
            is_unavailable(first.get(path), "the worker is busy")
        assert first.get("/livez").status == 200


def test_a_partition_that_leaves_while_it_is_read(group: Group) -> None:
    first, _ = group.workers
    shipments = first.app.processor.shipments
    store = shipments.store(0)

    def leave(_: bytes) -> list[bytes]:
        first.app.processor.forget(0)
        shipments.give_up(0)
        return []

    with patch.object(store, "keys_with", leave):
        is_unavailable(first.get(seller(0, "/report")), "partition 0 is being restored or goes to another worker")
    shipments.give_up(1)
    is_unavailable(first.get(seller(1, "/report")), "partition 1 goes to another worker")


# --- While shipments come --------------------------------------------------------------------------------------------


class Lagging(MemoryStore):
    """Tells of no more keys than it had the times before."""

    def __init__(self, behind: int) -> None:
        super().__init__()
        self.behind = behind
        self.asked = 0

    def keys_with(self, prefix: bytes) -> list[bytes]:
        self.asked += 1
        keys = super().keys_with(prefix)
        return keys[:-1] if self.asked <= self.behind else keys


@pytest.mark.parametrize(("behind", "status"), [(0, 200), (1, 200), (here.TRIES - 1, 200), (here.TRIES, 503)])
def test_a_shipment_that_comes_while_they_are_read_is_not_missing(behind: int, status: int) -> None:
    with Group(4, policy=POLICY) as group:
        (worker,) = group.workers
        store = Lagging(behind)
        worker.hold(partition_of("A"), POLICY, store)
        group.apply(all_decoded(shipped(str(n), AT, carrier=None) for n in range(3)))
        group.apply(all_decoded(tracked(str(n), AT) for n in range(3)))
        page = worker.get("/api/v1/sellers/A/report")
        assert (page.status, store.asked) == (status, min(behind + 1, here.TRIES))
        if status == 200:
            assert len(page.json["defects"]) == page.json["counts"]["defects"] == 3
        else:
            is_unavailable(page, "change faster than they can be read")


@pytest.mark.parametrize("kind", ["memory", "rocksdb"])
def test_reports_hold_while_steps_go_on(kind: str, tmp_path: Path) -> None:
    made: dict[str, Callable[[], Store]] = {"memory": MemoryStore, "rocksdb": lambda: RocksStore(tmp_path / "rocks")}
    number = partition_of("A")
    with Group(4, policy=POLICY) as group, patch.object(here, "ROWS_AT_ONCE", 100):
        (worker,) = group.workers
        store = made[kind]()
        worker.hold(number, POLICY, store)
        stopped = False

        async def step(round_: int) -> None:
            ids = [f"{round_}-{n}" for n in range(20)]
            events = [shipped(each, AT, carrier="DHL") for each in ids]
            events += [tracked(each, AT + HOUR, tracking_number="N/A") for each in ids if each.endswith("7")]
            worker.apply(number, all_decoded(events), NOW)
            if round_ % 3 == 0:
                store.persist(round_)

        group.main.run(step(0))

        def go_on() -> None:
            round_ = 0
            while not stopped:
                group.main.run(step(round_ := round_ + 1))
                time.sleep(0.01)

        thread = Thread(target=go_on)
        thread.start()
        try:
            answers = [worker.get("/api/v1/sellers/A/report") for _ in range(25)]
        finally:
            stopped = True
            thread.join()
        counted = [page.json["counts"] for page in answers if page.status == 200]
        assert len(counted) > 5
        assert counted[-1]["defects"] > counted[0]["defects"]
        for page in answers:
            if page.status == 200:
                assert len(page.json["defects"]) == page.json["counts"]["defects"]
                # Of each step, whole: two of twenty are defects.
                assert page.json["counts"]["defects"] * 9 == page.json["counts"]["pending"]
            else:
                is_unavailable(page, "change faster than they can be read")
        final = worker.get("/api/v1/sellers/A/report").json["counts"]
        assert {name: final[name] for name in ("counted", "defects", "pending")} == {
            name: getattr(worker.engines[number].metrics()[0].live, name) for name in ("counted", "defects", "pending")
        }
        assert len(worker.engines) == PARTITIONS
        store.close()
