"""A deployment rebuilt from history by the README's own commands, while events flow and the old one runs."""

import re
import shlex
import tomllib
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiokafka.admin import RecordsToDelete
from msgspec.structs import asdict

from stream.kafka.clients import connected_admin
from stream.settings import Settings, load_settings
from tests.brokers import Broker
from tests.test_readme import section
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment
from tests.worker.expected import MEMORYLESS, metrics_are_as_computed
from tests.worker.history import flowing, simulated
from tests.worker.shop import PLACEHOLDER, Shop
from tests.worker.test_publish import lines, said, vtr

PART = section("Replay history").partition("### Rebuild a deployment")[2]
CREATE, REBUILD, RUN, METRICS = [line for line in PART.splitlines() if line.startswith("vtr ")]
OWN = ("group", "metrics_topic", "alerts_topic", "dead_letters_topic")


def successor(old: Settings, folder: Path) -> Deployment:
    """The README's new deployment: its names, and all else as it is with the old one. Writes its settings."""
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PART, re.MULTILINE | re.DOTALL)
    given = tomllib.loads(text)
    prefix = old.group.removesuffix(Settings().group)
    new = {name: value for name, value in asdict(old).items() if value is not None}
    assert set(given) <= set(new)
    new |= {name: f"{prefix}{given[name]}" for name in OWN}
    file = folder / "rebuilt.toml"
    file.write_text("".join(f"{name} = '{value}'\n" for name, value in new.items()), encoding="utf-8")
    assert RUN == "vtr run --config rebuilt.toml"
    (folder / "new").mkdir()
    return Deployment(load_settings(file=file, environ={}), folder / "new")


async def run(command: str, old: Settings, folder: Path) -> str:
    """Run a command of the README, with the test's names. Returns what it said."""
    names = {"rebuilt.toml": str(folder / "rebuilt.toml"), "history.ndjson": str(folder / "history.ndjson")}
    names[Settings().alerts_topic] = old.alerts_topic
    code, output = await said(await vtr(None, *(names.get(word, word) for word in shlex.split(command)[1:])))
    assert code == 0, output
    return output


async def test_it_takes_over_while_events_flow(broker: Broker, deploy: Deploy, tmp_path: Path) -> None:
    old = await deploy(partitions=3, **MEMORYLESS)
    records = simulated(old.settings, 6000, sellers=15)
    past, coming = records[:4000], records[4000:]
    (tmp_path / "history.ndjson").write_bytes(lines(past))
    old.start()
    await old.send(past)
    await old.eventually(old.all_committed)
    if not broker.is_embedded:
        # What was read long ago is in the file only.
        gone = {partition: RecordsToDelete(end // 2) for partition, end in (await old.input_ends()).items()}
        async with connected_admin(broker.cluster) as admin:
            await admin.delete_records(gone)

    with closing(successor(old.settings, tmp_path)) as new:
        async with flowing(old, coming, 20):
            await run(CREATE, old.settings, tmp_path)
            # Less memory than its events take.
            output = await run(f"{REBUILD} --memory 500KB", old.settings, tmp_path)
            first = await new.alerts()
            new.start()
        for deployment in (new, old):
            await deployment.eventually(deployment.all_committed)
            await deployment.eventually(metrics_are_as_computed, deployment, records)
        assert len(await new.metrics()) > 50
        assert await new.dead_letters() == []

    # It begins with one alert for a scope, and says of which the old one had said it.
    assert max(Counter(alert.scope for alert in first).values()) == 1
    known = {alert.alert_id for alert in await old.alerts()}
    told = sum(alert.alert_id in known for alert in first)
    assert told > 0
    assert f"alerts  {told} stand as they were told, {len(first) - told} are new" in output

    # What is there is not built upon.
    code, output = await said(await vtr(None, "rebuild", "--config", str(tmp_path / "rebuilt.toml")))
    assert code == 1
    assert f"{new.settings.changelog_topic}, " in output
    assert "have records already" in output
    assert output.count("\n") == 1


async def test_subscribers_hear_what_is_other_than_they_were_told(deploy: Deploy, tmp_path: Path) -> None:
    """One seller is breached as it was told. Of another, the history knows better tracking, which never arrived."""
    old = await deploy(partitions=1)
    at = datetime.now(UTC) - timedelta(minutes=90)
    breached, wronged = Shop(old.settings, "A1BREACHED"), Shop(old.settings, "A2WRONGED")
    records = [*breached.sends(range(30), at, PLACEHOLDER), *wronged.sends(range(30), at, PLACEHOLDER)]
    right = [wronged.tracks(number, at, event_id=f"right{number}") for number in range(30)]
    (tmp_path / "history.ndjson").write_bytes(lines(right))
    old.start()
    await old.send(records)

    async def are_breached() -> None:
        assert {alert.scope.seller_id for alert in await old.alerts()} == {breached.seller_id, wronged.seller_id}

    await old.eventually(old.all_committed)
    await old.eventually(are_breached)
    told = {alert.scope: alert for alert in await old.alerts()}
    assert len(told) == 6

    with closing(successor(old.settings, tmp_path)) as new:
        await run(CREATE, old.settings, tmp_path)
        output = await run(REBUILD, old.settings, tmp_path)
        new.start()
        await new.eventually(new.all_committed)
        await new.eventually(metrics_are_as_computed, new, [*records, *right])
        first = {alert.scope: alert for alert in await new.alerts()}
        assert len(first) == len(await new.alerts()) == 6
    for scope, alert in told.items():
        if scope.seller_id == breached.seller_id:
            assert first[scope] == alert
        else:
            followed = first[scope]
            assert (followed.type, followed.previous_status, followed.status) == ("vtr-recovered", "breached", "ok")
            assert followed.alert_id != alert.alert_id
            assert followed.metric.live.valid == 30
    assert "alerts  3 stand as they were told, 3 are new" in output
    assert output.count("new     ") == 3
    assert wronged.seller_id in await run(METRICS, old.settings, tmp_path)
