"""What a worker cannot go on from stops it, at once and with nothing committed that was not done."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from stream.records import Scope, encode_key
from stream.state.rows import shipment_key
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, Input
from tests.worker.expected import metrics_are_as_computed
from tests.worker.shop import Shop

AGO = datetime.now(UTC) - timedelta(hours=5)
MARKER = 666

FAILS_AT_MARKER = f"""\
from stream.engine import Engine

apply = Engine.apply

def failing(self, events):
    if any("-{MARKER:07d}-" in event.shipment_id for event in events):
        raise ZeroDivisionError("the marker came")
    return apply(self, events)

Engine.apply = failing
"""

ENDS_WITHIN = 20.0


def errors(output: str) -> list[str]:
    return [line for line in output.splitlines() if " ERROR stream" in line]


async def test_an_unexpected_error_commits_nothing_of_its_batch(deploy: Deploy) -> None:
    deployment = await deploy()
    shop = Shop(deployment.settings, "A1SELLER")
    before = shop.sends(range(10), AGO)
    # The marker comes first, so whatever follows it into the batch, nothing of the batch comes before it.
    after = [shop.ships(MARKER, AGO), *(shop.ships(number, AGO) for number in range(20, 30))]
    worker = deployment.start(patch=FAILS_AT_MARKER)
    await deployment.send(before)
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, before)
    committed = await deployment.input_ends()

    worker.may_end = True
    await deployment.send(after)
    assert worker.wait(ENDS_WITHIN) == 1
    assert "ZeroDivisionError: the marker came" in worker.output
    assert await deployment.committed() == committed
    assert {metric.live.pending for metric in (await deployment.metrics()).values()} == {0}
    assert await deployment.dead_letters() == []

    deployment.start()
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(metrics_are_as_computed, deployment, [*before, *after])


async def test_mostly_rejections_stop_the_worker(deploy: Deploy) -> None:
    """Somebody has changed their format: a stopped worker is noticed, a topic drained into dead letters is not."""
    deployment = await deploy(reject_run=30, reject_ratio=Decimal("0.5"))
    shop = Shop(deployment.settings, "A1SELLER")
    bad = [Input(deployment.settings.order_shipped_topic, shop.key, b"{}")] * 40
    good = shop.sends(range(20), AGO)
    worker = deployment.start()
    # One of every three is bad, which is allowed.
    mixed = [*good, *bad[:20]]
    await deployment.send(mixed)
    await deployment.eventually(deployment.all_committed)

    worker.may_end = True
    await deployment.send(bad)
    assert worker.wait(ENDS_WITHIN) == 1
    (line,) = errors(worker.output)
    assert "stopped: " in line
    assert "events were rejected, more than `reject_ratio` 0.5 allows; the last one: missing_field" in line
    assert "Traceback" not in worker.output


def corrupt_row(deployment: Deployment) -> Input:
    return Input(deployment.settings.changelog_topic, shipment_key(("A1", "1")), b"\x02\xff\xff\xff\xffno row", (), 1)


def row_of_another_form(deployment: Deployment) -> Input:
    return Input(deployment.settings.changelog_topic, shipment_key(("A1", "1")), b"\x7f\xff\xff\xff\xff\x93", (), 1)


def row_without_key(deployment: Deployment) -> Input:
    return Input(deployment.settings.changelog_topic, b"", b"value", (), 1)


def corrupt_alert(deployment: Deployment) -> Input:
    event = Shop(deployment.settings, "A1").ships(1, AGO)
    return Input(deployment.settings.alerts_topic, encode_key(Scope("A1")), event.value, (), 1)


def row_with_a_key_of_no_shipment(deployment: Deployment) -> Input:
    return Input(deployment.settings.changelog_topic, b"\x00\x09A1", b"value", (), 1)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (corrupt_row, "shipment 1 of seller A1: Expected `array`"),
        (row_of_another_form, "shipment 1 of seller A1: unknown form b'\\x7f'"),
        (row_without_key, "a record up to offset 0: its key is b''"),
        (row_with_a_key_of_no_shipment, "a row of no shipment: key b'\\x00\\tA1'"),
        (corrupt_alert, "a record up to offset 0: not an alert"),
    ],
    ids=["row", "form", "no key", "key", "alert"],
)
async def test_a_corrupt_changelog_stops_the_worker(
    deploy: Deploy, record: Callable[[Deployment], Input], words: str
) -> None:
    """Going on without what cannot be read would publish wrong rates."""
    deployment = await deploy()
    shop = Shop(deployment.settings, "A1SELLER")
    # In the same partition, for another's need not wait.
    events = [event._replace(partition=1) for event in shop.sends(range(3), AGO)]
    corrupt = record(deployment)
    await deployment.send([*events, corrupt])
    worker = deployment.start()
    assert worker.wait(ENDS_WITHIN) == 1
    (line,) = errors(worker.output)
    assert f"stopped: {corrupt.topic}, partition 1, cannot be restored from: {words}" in line
    assert await deployment.committed() == {}
    assert await deployment.metrics() == {}
