"""When a partition's windows are kept with its store, and when a successor goes on with them."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from faust.types import TP

import stream
from stream.engine import EngineSettings
from stream.engine.kept import DamagedWindowsError
from stream.events import OrderShipped, TrackingUploaded
from stream.policy import RulesPolicy
from stream.settings import Settings
from stream.shipment import EPOCH
from stream.state import StoredShipments
from stream.state.rocks import RocksStore
from stream.state.rows import WATERMARK_KEY, pack_watermark
from stream.worker import fingerprint as fingerprints
from stream.worker import windows
from stream.worker.fingerprint import fingerprint
from stream.worker.publisher import Outgoing
from tests.policy.facts import rules
from tests.worker_units.fakes import CHANGELOG, TWO, A, Line, settled

SETTINGS = Settings(min_counted=1)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINE = b"fingerprint of 16"

policy_of = cache(RulesPolicy.of)
"""As a worker has one for all its partitions. To read the rules takes longer than the rest of a test."""

Open = Callable[[], RocksStore]


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Open]:
    """Opens the partition's store, after closing the one that was opened before."""
    opened: list[RocksStore] = []

    def reopen() -> RocksStore:
        if opened:
            opened.pop().close()
        opened.append(RocksStore(tmp_path / "0"))
        return opened[0]

    yield reopen
    opened.pop().close()


class Worked:
    """A partition as a worker has it, with its store."""

    def __init__(self, store: RocksStore, settings: Settings = SETTINGS, mine: bytes = MINE) -> None:
        self.store, self.mine = store, mine
        self.shipments = StoredShipments(store, settings.lag_days)
        self.engine = windows.restored(
            0, policy_of(settings), EngineSettings.of(settings), store, self.shipments, [], mine
        )

    def work(self, number: int, offset: int) -> None:
        """A shipment more, published and persisted."""
        shipped = OrderShipped(
            event_id="1",
            event_time=NOW - timedelta(hours=number),
            seller_id="A1",
            order_id=f"order-{number}",
            shipment_id=str(number),
            marketplace="DE",
            carrier="DHL",
            shipped_at=NOW - timedelta(hours=number),
        )
        tracked = TrackingUploaded(
            event_id="1",
            event_time=NOW,
            seller_id="A1",
            shipment_id=str(number),
            tracking_number="00340434161094042557",
        )
        self.shipments.save(self.engine.apply([shipped, tracked] if number % 2 else [shipped]).shipments)
        hour = self.engine.advance(NOW).watermark
        if hour is not None:
            self.store.write({WATERMARK_KEY: pack_watermark(hour)})
        self.store.persist(offset)

    def keep(self) -> None:
        windows.keep(0, self.engine, self.store, self.mine)


@pytest.fixture
def kept(reopen: Open, caplog: pytest.LogCaptureFixture) -> Open:
    """Opens a store that was closed with windows of 40 shipments."""
    caplog.set_level(logging.INFO)
    worked = Worked(reopen())
    for number in range(40):
        worked.work(number, offset=2 * number)
    worked.keep()
    assert "partition 0: windows kept for the next start, in 0.0 s" in caplog.messages
    caplog.clear()
    return reopen


def official_by(worked: Worked) -> int:
    official = next(state.official for state in worked.engine.scopes() if state.scope.marketplace is None)
    return official.valid + official.defects


def test_shipments_are_kept_for_a_lag_that_has_become_longer(reopen: Open) -> None:
    """Their rows say until when the window of the shorter one needed them, and whoever has not looked at the rows does
    not know that."""
    worked = Worked(reopen())
    for day in range(30):
        worked.work(24 * day, offset=day)
    longer, other = Settings(min_counted=1, lag_days=14), b"fingerprint of 17"
    Worked(reopen(), longer, other).keep()
    worked = Worked(reopen(), longer, other)
    assert worked.engine.advance(NOW + timedelta(days=14)).shipments == {}
    assert official_by(worked) == 30
    assert len(worked.engine.advance(NOW + timedelta(days=60)).shipments) == 30


def counted_by(worked: Worked) -> int:
    live = next(state.live for state in worked.engine.scopes() if state.scope.marketplace is None)
    return live.valid + live.defects + live.pending + live.exempt


def goes_on(worked: Worked, caplog: pytest.LogCaptureFixture) -> bool:
    """Whether the last restore went on with kept windows, by the log; their number is right in any case."""
    assert counted_by(worked) == len([key for key, _ in worked.store.scan() if key != WATERMARK_KEY])
    (message,) = [message for message in caplog.messages if message.startswith("partition 0: windows ")]
    if "as they were kept" in message:
        return True
    assert message.startswith("partition 0: windows counted anew from about ")
    return False


def test_a_successor_goes_on_with_them(kept: Open, caplog: pytest.LogCaptureFixture) -> None:
    assert goes_on(Worked(kept()), caplog)


def test_also_when_nothing_has_happened_between_two_restarts(kept: Open, caplog: pytest.LogCaptureFixture) -> None:
    Worked(kept())
    caplog.clear()
    assert goes_on(Worked(kept()), caplog), "it crashed before it had changed anything"


def test_but_not_once_a_row_was_persisted(kept: Open, caplog: pytest.LogCaptureFixture) -> None:
    """As by a worker that was killed later."""
    Worked(kept()).work(50, offset=100)
    caplog.clear()
    assert not goes_on(Worked(kept()), caplog)


@pytest.mark.parametrize("rows", [{}, {WATERMARK_KEY: pack_watermark(1)}])
def test_nor_at_another_offset(kept: Open, caplog: pytest.LogCaptureFixture, rows: dict[bytes, bytes]) -> None:
    """As when another worker had the partition meanwhile, and the changelog's end was applied."""
    store = kept()
    store.write(rows)
    store.persist(79)
    if rows:
        store.write({WATERMARK_KEY: pack_watermark(int((NOW - EPOCH) / timedelta(hours=1)))})
        store.persist(80)
    assert not goes_on(Worked(store), caplog)


def test_nor_at_another_hour(kept: Open, caplog: pytest.LogCaptureFixture) -> None:
    """Only a mistake could lead there: an hour that passes is persisted."""
    store = kept()
    store.write({WATERMARK_KEY: pack_watermark(int((NOW - EPOCH) / timedelta(hours=1)) + 1)})
    store.persist(78)
    assert not goes_on(Worked(store), caplog)


def test_nor_by_another_fingerprint(kept: Open, caplog: pytest.LogCaptureFixture) -> None:
    assert not goes_on(Worked(kept(), mine=b"fingerprint of 17"), caplog)


def test_nor_after_a_crash(reopen: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Worked(reopen()).work(1, offset=7)
    caplog.clear()
    assert not goes_on(Worked(reopen()), caplog)


@pytest.mark.parametrize("what", ["changed", "cut", "missing"])
def test_nor_when_any_of_it_is_damaged(kept: Open, caplog: pytest.LogCaptureFixture, what: str) -> None:
    rows = kept().kept()
    for name in rows.keys() - {windows._STAMP}:
        damaged = dict(rows)
        value = damaged.pop(name)
        if what != "missing":
            damaged[name] = value[:-1] if what == "cut" else value[:-1] + bytes([value[-1] ^ 1])
        store = kept()
        store.keep(damaged.copy)
        caplog.clear()
        assert not goes_on(Worked(store), caplog)
        (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert warning.getMessage().startswith("partition 0: the windows that were kept cannot be used: ")


def test_nor_where_rules_ask_which_numbers_are_used_again(
    kept: Open, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Even by the same fingerprint."""
    policy = tmp_path / "policy.toml"
    reuse = 'reuse = { treatment = "defect", grade = "D", source = ["ours"] }'
    policy.write_text(rules("strict", ["DE"], reuse), encoding="utf-8")
    strict = Settings(min_counted=1, policy_file=str(policy))
    assert policy_of(strict).judges_reuse
    worked = Worked(kept(), strict)
    assert not goes_on(worked, caplog)
    worked.keep()
    caplog.clear()
    assert goes_on(Worked(kept()), caplog), "what was kept before stays"


def test_what_cannot_be_kept_hinders_nothing(
    kept: Open, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DamagedWindowsError

    worked = Worked(kept())
    monkeypatch.setattr(windows, "pack", fail)
    worked.keep()
    assert caplog.messages[-1] == "partition 0: windows cannot be kept for the next start"


# --- The fingerprint -------------------------------------------------------------------------------------------------


def test_a_fingerprint_is_of_all_that_verdicts_hang_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, rates = tmp_path / "policy.toml", tmp_path / "rates.csv"
    policy.write_text("a", encoding="utf-8")
    rates.write_text("b", encoding="utf-8")
    files = Settings(policy_file=str(policy), rates_file=str(rates))
    found = [
        fingerprint(each, partitions)
        for each, partitions in (
            (Settings(), 4),
            (Settings(), 5),
            (Settings(grace_hours=24), 4),
            (Settings(lag_days=11), 4),
            (Settings(valid_when="scan"), 4),
            (Settings(policy_file=str(policy)), 4),
            (Settings(rates_file=str(policy)), 4),
            (files, 4),
        )
    ]
    policy.write_text("A", encoding="utf-8")
    found.append(fingerprint(files, 4))
    rates.write_text("B", encoding="utf-8")
    found.append(fingerprint(files, 4))
    copy = policy.rename(tmp_path / "copy.toml")
    assert fingerprint(Settings(policy_file=str(copy), rates_file=str(rates)), 4) == found[-1]
    monkeypatch.setattr(fingerprints, "_product", lambda: b"another")
    found.append(fingerprint(Settings(), 4))
    assert len(set(found)) == len(found)
    monkeypatch.undo()
    assert fingerprint(Settings(group="other", batch_size=1), 4) == found[0]


def test_every_file_of_the_product_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    product = fingerprints._product.__wrapped__
    monkeypatch.setattr(stream, "__file__", str(tmp_path / "__init__.py"))
    assert product() != product(), "without files nothing is known to be the same"
    found = []
    for name, content in (("a.py", "1"), ("a.py", "2"), ("rules/b.toml", ""), ("rules/b.toml", "2"), ("c.csv", "")):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(content, encoding="utf-8")
        found.append(product())
        assert product() == found[-1]
    (tmp_path / "c.csv").rename(tmp_path / "d.csv")
    found.append(product())
    assert len(set(found)) == len(found)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("3", encoding="utf-8")
    assert product() == found[-1]


# --- When ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def closed(line: Line, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The partitions whose windows were kept."""
    closed: list[int] = []
    for number in line.partitions:
        await line.processor.shipments.take(number)
    monkeypatch.setattr(windows, "keep", lambda number, *_: closed.append(number))
    return closed


async def close(line: Line) -> None:
    await line.processor.pause()
    await line.processor.shipments.on_stop()


async def test_windows_are_kept_when_the_worker_stops(line: Line, closed: list[int]) -> None:
    line.producer.acknowledges.set()
    await line.run(*TWO)
    await close(line)
    assert closed == [0, 1]


async def test_and_when_a_partition_goes_to_another(line: Line, closed: list[int]) -> None:
    """In whatever order Faust asks the tables."""
    line.producer.acknowledges.set()
    await line.run(*TWO)
    gone = {A, TP(CHANGELOG, 0), TP(line.processor.alerts._topic, 0)}
    for table in line.app.tables.values():
        await cast("Any", table).on_rebalance(set(), gone, set())
    assert closed == [0]
    assert list(line.processor.partitions()) == [1]


async def test_not_those_of_a_step_that_is_not_published(line: Line, closed: list[int]) -> None:
    await line.run(*TWO)
    line.processor._steps[0].cancel()
    await settled()
    line.producer.acknowledges.set()
    await close(line)
    assert closed == [1]


async def test_nor_those_of_a_step_that_has_just_begun(line: Line, closed: list[int]) -> None:
    """What it leads to is computed before anything of it is sent."""
    line.processor._begin(0, Outgoing())
    await line.processor.shipments.on_stop()
    assert closed == [1]


async def test_nor_any_after_an_error(line: Line, closed: list[int]) -> None:
    line.partitions[0].error = ZeroDivisionError()
    line.producer.acknowledges.set()
    await line.run(*TWO)
    await close(line)
    assert closed == []


async def test_nor_those_of_a_partition_that_was_abandoned(line: Line, closed: list[int]) -> None:
    line.processor._abandon(0)
    await close(line)
    assert closed == [1]
