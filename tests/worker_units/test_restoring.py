"""How tables are restored from their changelogs."""

import asyncio
from collections.abc import Collection
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from faust.events import Event
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP, ConsumerMessage, EventT

from stream.records import encode, encode_key
from stream.shipment import Shipment
from stream.state.rows import WATERMARK_KEY, pack, shipment_key
from stream.worker import consumer as consumer_module
from stream.worker.app import VtrApp
from stream.worker.changelog import ChangelogRows
from stream.worker.consumer import BatchConsumer
from stream.worker.tables import NOTHING, CorruptChangelogError, ShipmentsTable
from tests.test_records import ALERT
from tests.test_shipment import SHIPPED, merged
from tests.worker_units.fakes import ALERTS, CHANGELOG, Line, settled

FIRST, SECOND = TP(CHANGELOG, 0), TP(CHANGELOG, 1)
KEY, VALUE = shipment_key(("A1", "028-1")), pack(1, Shipment())
OTHER, GOOD = shipment_key(("A2", "028-2")), pack(500_000, merged(SHIPPED))


def change(app: VtrApp, tp: TP, offset: int = 7, key: bytes | None = KEY, value: bytes | None = VALUE) -> EventT[bytes]:
    batch = cast("Any", [ChangelogRows({key: value}, offset, 0, 0)])
    message = ConsumerMessage(*tp, offset, 0.0, 0, [], None, batch, None, 0, 0, tp, generation_id=1)
    return Event(app, None, batch, {}, message)


@pytest.fixture
async def shipments(line: Line) -> ShipmentsTable:
    await line.processor.shipments.take(0)
    return line.processor.shipments


async def recover(app: VtrApp, *events: EventT[bytes]) -> None:
    """Faust's own recovery of the first partition of the shipments."""
    recovery = cast("TableManager", app.tables).recovery
    recovery._set_recovery_started()
    recovery.add_active(app.processor.shipments, FIRST)
    recovery.active_highwaters[FIRST] = 100  # far, so that it is not over meanwhile
    for event in events:
        cast("TableManager", app.tables).changelog_queue.put_nowait(event)
    task = asyncio.create_task(cast("Any", Recovery._slurp_changelogs).fun(recovery))
    await settled()
    assert not task.done(), "it goes on, whatever happened"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_changelogs_are_restored_by_the_batch(line: Line, shipments: ShipmentsTable) -> None:
    await recover(line.app, change(line.app, FIRST, 6), change(line.app, FIRST, 7))
    assert shipments.store(0).get_many([KEY]) == [VALUE]
    assert shipments.persisted_offset(FIRST) == 7
    assert 0 not in line.processor._partitions, "what was derived from the table is outdated"
    assert line.crashes == []


@pytest.mark.parametrize("key", [None, b"", b"\0\0offset"])
async def test_an_error_that_recovery_swallows_stops_the_worker(
    line: Line, shipments: ShipmentsTable, key: bytes | None
) -> None:
    await recover(line.app, change(line.app, FIRST, 6, key), change(line.app, FIRST, 7))
    (crash,) = line.crashes
    assert isinstance(crash, CorruptChangelogError)
    assert str(crash).startswith(f"{CHANGELOG}, partition 0, cannot be restored from: a record up to offset 6: ")
    assert list(shipments.store(0).scan()) == []


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (b"no shipment's", VALUE, 'a row of no shipment: key b"no shipment\'s"'),
        (KEY, b"\x7f" + VALUE[1:], "shipment 028-1 of seller A1: unknown form b'\\x7f'"),
        (KEY, VALUE[:-1], "shipment 028-1 of seller A1: "),
        (KEY, VALUE, "shipment 028-1 of seller A1: a shipment without facts"),
        (WATERMARK_KEY, VALUE, "its hour: watermark "),
    ],
)
@pytest.mark.usefixtures("shipments")
async def test_a_row_that_cannot_be_read_stops_the_worker_before_it_says_anything(
    line: Line, key: bytes, value: bytes, words: str
) -> None:
    await line.processor.alerts.take(0)
    await recover(line.app, change(line.app, FIRST, 6, key, value), change(line.app, FIRST, 7, OTHER, GOOD))
    assert line.crashes == []
    with pytest.raises(CorruptChangelogError) as error:
        line.processor._partition(0)
    assert str(error.value).startswith(f"{CHANGELOG}, partition 0, cannot be restored from: {words}")
    assert 0 not in line.processor.partitions()


async def test_a_row_that_was_replaced_since_need_not_be_readable(line: Line, shipments: ShipmentsTable) -> None:
    await line.processor.alerts.take(0)
    await recover(line.app, change(line.app, FIRST, 6, OTHER, b"?"), change(line.app, FIRST, 7, OTHER, GOOD))
    assert [state.scope.seller_id for state in line.processor._partition(0).engine.scopes()] == ["A2"] * 3
    assert shipments.persisted_offset(FIRST) == 7


async def test_an_alert_that_was_deleted_is_forgotten_as_if_it_had_been_compacted_away(line: Line) -> None:
    alerts, tp, key = line.processor.alerts, TP(ALERTS, 0), encode_key(ALERT.scope)
    await alerts.take(0)
    alerts.apply_changelog_batch([change(line.app, tp, 3, key, encode(ALERT))])
    assert [*alerts.latest(0)] == [ALERT]
    alerts.apply_changelog_batch([change(line.app, tp, 5, key, None)])
    assert [*alerts.latest(0)] == []
    assert alerts.persisted_offset(tp) == 5


async def test_trap_faust_hands_an_unknown_partition_to_the_last_table(line: Line, shipments: ShipmentsTable) -> None:
    others = change(line.app, TP(ALERTS, 0), 7, b"\x00\x02A1an alert's")
    await recover(line.app, change(line.app, FIRST, 6), others, change(line.app, FIRST, 8))
    assert [type(crash) for crash in line.crashes] == [CorruptChangelogError]
    assert shipments.store(0).get_many([b"\x00\x02A1an alert's"]) == [None]


async def test_trap_the_clients_own_end_of_a_changelog_may_be_too_early(
    consumer: BatchConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the embedded broker, where recovery would leave out the last batch.

    See :func:`stream.kafka.clients.end_offsets`.
    """

    async def by_a_fetch(_: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 100)

    monkeypatch.setattr(consumer_module, "end_offsets", by_a_fetch)
    assert await consumer.highwaters(FIRST, SECOND) == {FIRST: 100, SECOND: 100}


async def test_partitions_that_are_not_held_are_left_alone(line: Line, shipments: ShipmentsTable) -> None:
    shipments.apply_changelog_batch([change(line.app, SECOND), change(line.app, FIRST)])
    assert (shipments.holds(0), shipments.holds(1)) == (True, False)
    assert shipments.persisted_offset(SECOND) == NOTHING
    assert line.crashes == []


async def test_trap_faust_restores_what_was_given_up_only_from_where_it_was_before(
    line: Line, shipments: ShipmentsTable
) -> None:
    """A worker that lost a partition while it published, and gets it back, has nothing of it any more."""
    recovery = cast("TableManager", line.app.tables).recovery
    await recover(line.app, change(line.app, FIRST, 6), change(line.app, FIRST, 7))
    assert recovery.active_offsets[FIRST] == 7
    recovery.add_active(shipments, FIRST)
    assert recovery.active_offsets[FIRST] == 7, "what is held is not read again"
    line.processor._abandon(0)
    await shipments.take(0)
    recovery.add_active(shipments, FIRST)
    assert recovery.active_offsets[FIRST] == NOTHING, "all of it is"
