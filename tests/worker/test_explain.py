"""A running deployment explains its shipments: what it says of them adds up to what its worker counts."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from stream.cli import cli
from stream.cli.options import CommandError
from stream.deployment import shipments_of_seller
from stream.events import Event, Rejection, decode
from stream.explain.live import explain_kept
from stream.policy import RulesPolicy
from stream.shipment import EPOCH, Shipment
from stream.span import keep_until
from stream.state.rows import WATERMARK_KEY, pack, pack_watermark, shipment_key
from stream.topics import TopicError
from tests.explain.sums import of_explanations, of_metrics
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, Input
from tests.worker.expected import MEMORYLESS, metrics_are_as_computed
from tests.worker.history import simulated
from tests.worker.shop import Shop, shop_in

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


async def explain(deployment: Deployment, *arguments: str) -> str:
    """What the command says, in a thread: it has an event loop of its own."""
    settings = deployment.settings
    flags = ["--broker", settings.broker, "--group", settings.group]
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["explain", *arguments, *flags])
    if isinstance(result.exception, CommandError | TopicError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


async def explanations_add_up(deployment: Deployment, sellers: set[str]) -> None:
    """Asserts that the explanations of all shipments of all sellers add up to the published metrics."""
    policy, lag_days = RulesPolicy.of(deployment.settings), deployment.settings.lag_days
    kept = [await shipments_of_seller(deployment.settings, seller_id) for seller_id in sorted(sellers)]
    found = [explain_kept(policy, lag_days, each, one) for each in kept for one in each.shipments]
    assert len({each.verdict.outcome for each in found}) >= 4
    assert of_explanations(found) == of_metrics((await deployment.metrics()).values())


async def test_explanations_add_up_to_the_metrics(deploy: Deploy) -> None:
    deployment = await deploy(**MEMORYLESS)
    history = simulated(deployment.settings, 3000, sellers=6)
    await deployment.send(history)
    deployment.start()
    await deployment.eventually(metrics_are_as_computed, deployment, history)
    sellers = {record.key.decode() for record in history if record.key is not None}
    await deployment.eventually(explanations_add_up, deployment, sellers)


async def test_one_shipment_is_explained(deploy: Deploy) -> None:
    deployment = await deploy()
    shop = shop_in(deployment, 1)
    ago = datetime.now(UTC).replace(minute=30) - 5 * HOUR
    await deployment.send(
        [
            *shop.sends([1], ago),
            shop.ships(2, ago),
            shop.tracks(2, ago + MINUTE, tracking_number="N/A"),
            shop.tracks(2, ago + 2 * MINUTE, event_id="again", tracking_number=None),
        ]
    )
    deployment.start()
    await deployment.eventually(deployment.all_committed)
    first, second = (f"028-{number:07d}-{shop.seller_id}" for number in (1, 2))

    found = json.loads(await explain(deployment, shop.seller_id, first, "--json"))
    assert (found["verdict"]["outcome"], found["read_from"], found["live"]["is_in"]) == ("valid", "deployment", True)
    assert datetime.fromisoformat(found["as_of"]) <= datetime.now(UTC)
    text = " ".join((await explain(deployment, shop.seller_id, second)).split())
    assert "verdict: pending until" in text
    assert "keeps only the latest fact of each kind" in text
    assert "tracking-uploaded again: tracking without a number" in text
    assert "N/A" not in text
    later = await explain(deployment, shop.seller_id, second, "--as-of", (ago + 30 * HOUR).isoformat())
    assert "verdict: a defect: no_tracking" in later

    with pytest.raises(CommandError, match=f"has no shipment 3 in the deployment {deployment.settings.group}"):
        await explain(deployment, shop.seller_id, "3")
    nowhere = f"there is no seller nobody in .*: nothing in partition {deployment.partition_of(b'nobody')} of"
    with pytest.raises(CommandError, match=nowhere):
        await explain(deployment, "nobody", first)
    with pytest.raises(CommandError, match="keeps no earlier facts"):
        await explain(deployment, shop.seller_id, first, "--as-of", ago.isoformat())


async def test_without_a_changelog_it_is_missed(deploy: Deploy) -> None:
    deployment = await deploy(topics=False)
    with pytest.raises(TopicError, match=f"topic {deployment.settings.changelog_topic} at .* is missing"):
        await explain(deployment, "A1SELLER", "1")


# --- The changelog ---------------------------------------------------------------------------------------------------


def row(deployment: Deployment, shop: Shop, shipment_id: str, value: bytes | None) -> Input:
    """A shipment's row, where a worker puts it."""
    partition = deployment.partition_of(shop.key)
    key = shipment_key((shop.seller_id, shipment_id))
    return Input(deployment.settings.changelog_topic, key, value, partition=partition)


def packed(*records: Input) -> bytes:
    shipment = merged(*records)
    return pack(keep_until(shipment, 10), shipment)


def merged(*records: Input) -> Shipment:
    shipment = Shipment()
    for record in records:
        shipment.merge(decoded(record))
    return shipment


def decoded(record: Input) -> Event:
    event = decode(record.value)
    assert not isinstance(event, Rejection)
    return event


async def test_the_latest_rows_of_the_seller_alone_are_read(deploy: Deploy) -> None:
    deployment = await deploy()
    shop, other = shop_in(deployment, 1), Shop(deployment.settings, shop_in(deployment, 1).seller_id + "X")
    ago = datetime.now(UTC) - 5 * HOUR
    shipped, tracked = shop.ships(1, ago), shop.tracks(1, ago + MINUTE)
    first, corrected = tracked, shop.tracks(1, ago + HOUR, event_id="t2", tracking_number="RR123456785DE")
    topic = deployment.settings.changelog_topic
    await deployment.send(
        [
            row(deployment, shop, "1", packed(shipped)),
            row(deployment, shop, "2", packed(shipped)),
            Input(topic, WATERMARK_KEY, pack_watermark(7), partition=1),
            row(deployment, shop, "1", packed(shipped, first, corrected)),
            row(deployment, shop, "2", None),
            Input(topic, shipment_key((other.seller_id, "3")), packed(other.ships(3, ago)), partition=1),
            Input(topic, WATERMARK_KEY, pack_watermark(8), partition=1),
            Input(topic, WATERMARK_KEY, pack_watermark(9), partition=0),
        ]
    )
    kept = await shipments_of_seller(deployment.settings, shop.seller_id)
    assert (kept.reached, kept.partition) == (EPOCH + 8 * HOUR, 1)
    assert list(kept.shipments) == ["1"]
    found, expected = kept.shipments["1"], merged(shipped, first, corrected)
    assert found.entries == expected.entries
    assert found.entered_at() == expected.entered_at()
    assert found.shipped is not None
    assert found.shipped.event_id == f"{shop.seller_id}-s1"
    assert found.tracking is not None
    assert found.tracking.event_id == "t2"

    nobody = await shipments_of_seller(deployment.settings, "nobody")
    assert nobody.shipments == {}


async def test_rows_of_another_version_are_named(deploy: Deploy) -> None:
    deployment = await deploy()
    shop = shop_in(deployment, 1)
    await deployment.send([row(deployment, shop, "1", b"\xff" + packed(shop.ships(1, datetime.now(UTC)))[1:])])
    with pytest.raises(
        TopicError, match=f"topic {deployment.settings.changelog_topic} at .* cannot read: unknown form"
    ):
        await explain(deployment, shop.seller_id, "1")
