"""What Prometheus reads from running workers, and how it moves with the partitions."""

import json
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from stream.embedded import free_port
from stream.settings import Settings
from tests.monitoring.exposition import Said, parsed
from tests.worker.conftest import Deploy
from tests.worker.shop import shop_in
from tests.worker.web import get, is_ready

AGO = datetime.now(UTC) - timedelta(hours=5)


async def scrape(settings: Settings) -> Said:
    page = await get(settings, "/metrics")
    assert (page.status, page.content_type.partition(";")[0]) == (200, "text/plain")
    return parsed(page.body.decode())


def partitions(said: Said, name: str) -> set[str]:
    return {labels[-1] for labels in said.get(name, {})}


async def test_metrics_follow_the_work_and_the_partitions(deploy: Deploy) -> None:
    deployment = await deploy(web_port=free_port(), metrics_sellers="worst:5", min_counted=5, log_format="json")
    settings = deployment.settings
    good, bad = shop_in(deployment, 0), shop_in(deployment, 1)
    worker = deployment.start()
    await deployment.send([*good.sends(range(10), AGO), *bad.sends(range(10), AGO, "N/A")])
    await deployment.eventually(deployment.all_committed)
    await deployment.eventually(is_ready, settings)

    async def all_is_counted() -> None:
        said = await scrape(settings)
        assert sum(said["vtr_events_total"].values()) == 40
        assert said["vtr_events_total"][settings.order_shipped_topic, "accepted"] == 20
        assert said["vtr_alerts_total"]["vtr-breached",] == 3
        lags = {(topic, str(number)): 0 for topic in settings.input_topics for number in (0, 1)}
        assert said["vtr_lag_records"] == lags
        assert said["vtr_seller_valid_tracking_ratio"] == {(good.seller_id,): 1, (bad.seller_id,): 0}
        assert said["vtr_scopes"]["seller", "breached", "1"] == said["vtr_scopes"]["seller", "ok", "0"] == 1
        assert said["vtr_valid_tracking_ratio_bucket"]["0.5", "1"] == 1
        assert said["vtr_valid_tracking_ratio_bucket"]["+Inf", "0"] == 1
        assert said["vtr_seller_status"] == {(good.seller_id,): 0, (bad.seller_id,): 2}
        assert said["vtr_seller_tracking_silence_seconds"] == {(good.seller_id,): 0, (bad.seller_id,): 0}
        assert partitions(said, "vtr_shipments") == partitions(said, "vtr_watermark_timestamp_seconds") == {"0", "1"}
        assert said["vtr_step_records_sum"][()] == 40
        assert said["vtr_publish_duration_seconds_count"][()] >= said["vtr_step_records_count"][()]
        assert 0 < said["vtr_restore_duration_seconds"][()] < 60
        assert said["vtr_commits_total"][()] > said["vtr_commit_failures_total"][()] == 0
        assert said["vtr_ready"] == {(): 1}

    await deployment.eventually(all_is_counted)

    # Another worker takes one of the two partitions, and with it all that is said of it.
    other = replace(settings, web_port=free_port())
    deployment.start(other)

    async def each_has_its_own() -> None:
        mine, theirs = await scrape(settings), await scrape(other)
        for name in ("vtr_lag_records", "vtr_watermark_timestamp_seconds", "vtr_shipments", "vtr_scopes"):
            assert {len(partitions(mine, name)), len(partitions(theirs, name))} == {1}
            assert partitions(mine, name) | partitions(theirs, name) == {"0", "1"}
        sellers = [set(said["vtr_seller_valid_tracking_ratio"]) for said in (mine, theirs)]
        assert sorted(map(len, sellers)) == [1, 1]
        assert sellers[0] | sellers[1] == {(good.seller_id,), (bad.seller_id,)}

    await deployment.eventually(each_has_its_own)
    said = [json.loads(line) for line in worker.lines]
    assert {"ready: partitions 0, 1"} < {line["message"] for line in said if line["level"] == "info"}
