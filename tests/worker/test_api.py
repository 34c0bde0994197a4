"""The HTTP API of a running deployment: any worker answers for all, as the commands do that read its topics."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from click.testing import CliRunner
from msgspec.structs import replace

from stream.cli import cli
from stream.embedded import free_port
from stream.records import Metric
from stream.report import DefectReport
from stream.settings import Settings
from stream.worker.api.answers import DeploymentHealth, ScopePage, SellerMetrics
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment
from tests.worker.expected import MEMORYLESS, metrics_are_as_computed
from tests.worker.history import simulated
from tests.worker.shop import shop_in
from tests.worker.web import Page, get

TOKEN = "a-token-of-24-characters"  # noqa: S105 - of these tests alone
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


async def ask(settings: Settings, path: str) -> bytes:
    page = await get(settings, f"/api/v1{path}", AUTHORIZED)
    assert page.status == 200, page.body
    return page.body


async def vtr_report(deployment: Deployment, *arguments: str) -> bytes:
    """What the command says, in a thread: it has an event loop of its own."""
    settings = deployment.settings
    flags = ["--broker", settings.broker, "--group", settings.group]
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["report", *arguments, *flags])
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def sorted_by_scope(metrics: Iterable[Metric]) -> list[Metric]:
    return sorted(metrics, key=lambda metric: [part or "" for part in metric.scope])


async def test_any_of_two_workers_answers_for_all_sellers(deploy: Deploy) -> None:
    deployment = await deploy(web_port=free_port(), api_token=TOKEN, store="rocksdb", **MEMORYLESS)
    workers = [deployment.settings, replace(deployment.settings, web_port=free_port())]
    history = simulated(deployment.settings, 3000, sellers=8)
    sellers = sorted({record.key.decode() for record in history if record.key is not None})
    assert {deployment.partition_of(seller.encode()) for seller in sellers} == {0, 1}
    await deployment.send(history)
    for settings in workers:
        deployment.start(settings)

    async def each_has_a_partition() -> None:
        for settings in workers:
            found = msgspec.json.decode(await ask(settings, "/health"), type=DeploymentHealth)
            assert [len(worker.partitions) for worker in found.workers] == [1, 1]
            assert (found.ready, found.missing_partitions) == (True, [])

    await deployment.eventually(each_has_a_partition)
    await deployment.eventually(metrics_are_as_computed, deployment, history)

    async def metrics_are_those_published() -> None:
        published = sorted_by_scope((await deployment.metrics()).values())
        for settings in workers:
            page = msgspec.json.decode(await ask(settings, "/scopes?limit=1000"), type=ScopePage)
            assert page.next_cursor is None
            assert counted(page.scopes) == counted(published)
            for seller in sellers:
                own = msgspec.json.decode(await ask(settings, f"/sellers/{seller}"), type=SellerMetrics)
                assert counted(own.scopes) == counted(each for each in published if each.seller_id == seller)

    await deployment.eventually(metrics_are_those_published)

    async def reports_are_those_of_the_command(seller: str, form: str, window: str) -> None:
        said = await vtr_report(deployment, seller, "--format", form, "--window", window)
        for settings in workers:
            body = await ask(settings, f"/sellers/{seller}/report?format={form}&window={window}")
            assert body == said.removesuffix(b"\n" if form == "json" else b"")

    for number, seller in enumerate(sellers):
        form, window = ("json", "csv")[number % 2], ("live", "official")[number // 2 % 2]
        await deployment.eventually(reports_are_those_of_the_command, seller, form, window)
    biggest = max(
        [msgspec.json.decode(await ask(workers[0], f"/sellers/{each}/report"), type=DefectReport) for each in sellers],
        key=lambda report: len(report.defects),
    )
    assert len(biggest.defects) > 10

    # A crash: until its partition has moved there is no answer, and then one as before.
    deployment.workers[1].kill()
    lost = [each for each in sellers if not await has(workers[0], each)]
    page = await unanswered(workers[0], lost[0])
    assert page.json["detail"].startswith(f"the worker at {workers[1].own_web_url} does not answer")

    async def the_other_answers() -> None:
        for each in sellers:
            assert await ask(workers[0], f"/sellers/{each}/report")
        page = msgspec.json.decode(await ask(workers[0], "/scopes?limit=1000"), type=ScopePage)
        assert {metric.seller_id for metric in page.scopes} == set(sellers)

    await deployment.eventually(the_other_answers)
    deployment.workers[0].stop()
    said = [worker.output for worker in deployment.workers]
    assert not any(TOKEN in each for each in said)


def counted(metrics: Iterable[Metric]) -> list[object]:
    """All but the instant, which goes on."""
    return [(each.scope, each.live, each.official, each.status, each.allowance, each.policy) for each in metrics]


async def has(settings: Settings, seller: str) -> bool:
    """Whether a worker itself has a seller."""
    page = await get(settings, f"/api/v1/sellers/{seller}", AUTHORIZED | {"VTR-Forwarded": "1"})
    return page.status == 200


async def unanswered(settings: Settings, seller: str) -> Page:
    page = await get(settings, f"/api/v1/sellers/{seller}", AUTHORIZED)
    assert page.status == 503
    assert page.content_type == "application/problem+json"
    return page


async def test_elsewhere_than_on_loopback_a_token_is_asked_for(deploy: Deploy) -> None:
    deployment = await deploy(web_port=free_port(), web_host="0.0.0.0")  # noqa: S104 - that is the question
    settings = deployment.settings
    shop = shop_in(deployment, 0)
    worker = deployment.start()
    await deployment.send(shop.sends([1], datetime.now(UTC) - timedelta(hours=5)))
    await deployment.eventually(deployment.all_committed)
    refused = await get(settings, f"/api/v1/sellers/{shop.seller_id}", AUTHORIZED)
    assert refused.status == 403
    assert "VTR_API_TOKEN" in refused.json["detail"]
    assert (await get(settings, "/metrics")).status == 200
    (line,) = [line for line in worker.lines if "HTTP API is off" in line]
    assert "ERROR" in line.upper()
    assert "VTR_API_TOKEN" in line
