"""``vtr dead-letters``: what a worker could not use is found, repaired and counted after all."""

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stream.dead_letters import Letter, Wanted, decode_letter, letters
from tests.command import Done, vtr
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, Input
from tests.worker.expected import metrics_are_as_computed
from tests.worker.shop import shop_in
from tests.worker.test_bad_input import changed, dated

NOW = datetime.now(UTC)
AGO = NOW - timedelta(hours=5)


async def run(deployment: Deployment, *arguments: str, stdin: bytes = b"", code: int = 0) -> Done:
    """``vtr dead-letters`` with these arguments."""
    settings = deployment.settings
    options = ("--broker", settings.broker, "--dead-letters-topic", settings.dead_letters_topic)
    done = await asyncio.to_thread(vtr, "dead-letters", *arguments, *options, stdin=stdin)
    assert done.returncode == code, done.stderr
    return done


async def listed(deployment: Deployment, *arguments: str) -> list[Letter]:
    done = await run(deployment, *arguments, "--json")
    return [decode_letter(line) for line in done.stdout.splitlines()]


async def has_letters(deployment: Deployment, count: int) -> None:
    assert len(await deployment.dead_letters()) == count


async def test_they_are_repaired_and_counted(deploy: Deploy, tmp_path: Path) -> None:
    deployment = await deploy()
    # Not in the first partition: a partition number that is lost on the way becomes 0.
    shop, other = shop_in(deployment, 1), shop_in(deployment, 0)
    trace = (("trace", b"\xff"), ("trace", b""), ("vtr_error_code", b"forged"), ("none", None))
    good = shop.sends(range(6), AGO)
    bad = [
        changed(good[0], {"ship_to": "Germany"})._replace(headers=trace),
        good[2]._replace(key=other.key),
        good[4]._replace(value=b"\xff\xfe"),
        good[8]._replace(key=None, value=b"", partition=1),
    ]
    late = dated(good[6], (NOW - timedelta(days=80)).isoformat())
    # One parcel of the shop's counts, so that its metric tells that its partition knows what time it is.
    usable = [*good[1::2], *shop.sends([6], AGO), *other.sends(range(3), AGO)]
    deployment.start()
    await deployment.send([*bad, *usable])
    await deployment.eventually(metrics_are_as_computed, deployment, usable)
    await deployment.send([late])
    await deployment.eventually(has_letters, deployment, len(bad) + 1)

    done = await run(deployment, "--json")
    letters = {letter.code: letter for letter in map(decode_letter, done.stdout.splitlines())}
    assert letters["invalid_field"].headers == trace
    assert letters["malformed_json"].value == b"\xff\xfe"
    # As a person with an editor, or jq: only what is wrong changes.
    lines = []
    for line in done.stdout.splitlines():
        letter = json.loads(line)
        match letter["code"]:
            case "invalid_field":
                letter["value"] = letter["value"].replace("Germany", "DE")
            case "key_mismatch":
                letter["key"] = shop.seller_id
            case "malformed_json":
                del letter["value_base64"]
                letter["value"] = (good[4].value or b"").decode()
        lines.append(json.dumps(letter))
    file = tmp_path / "letters.ndjson"
    file.write_text("\n".join(lines))

    ends = await deployment.input_ends()
    dry = await run(deployment, "resend", str(file))
    assert b"would send 3 of 5 letters; nothing is sent without --yes" in dry.stderr
    assert sum(line.startswith(b"leave out") for line in dry.stdout.splitlines()) == 2
    assert b"too_late" in dry.stdout
    assert await deployment.input_ends() == ends

    sent = await run(deployment, "resend", str(file), "--yes")
    assert sent.stdout == dry.stdout
    assert sent.stderr.startswith(b"sent 3 of 5 letters\n")
    counted = [*usable, *good[:6:2]]
    await deployment.eventually(metrics_are_as_computed, deployment, counted)
    resent = {
        dict(record.headers)["vtr_resent_from"]: record
        for record in await deployment.read(deployment.settings.order_shipped_topic)
        if "vtr_resent_from" in dict(record.headers)
    }
    named = [letters[code] for code in ("invalid_field", "key_mismatch", "malformed_json")]
    topic = deployment.settings.dead_letters_topic
    assert set(resent) == {f"{topic}:{letter.partition}:{letter.offset}".encode() for letter in named}
    assert {(record.partition, record.key) for record in resent.values()} == {(1, shop.key)}
    of_first = resent[f"{topic}:{named[0].partition}:{named[0].offset}".encode()]
    assert of_first.headers[:-1] == trace
    assert of_first.value == good[0].value

    # Twice changes nothing, and a letter that is sent by force and still of no use is one again.
    await run(deployment, "resend", str(file), "--yes", "--force")
    await deployment.eventually(has_letters, deployment, len(bad) + 3)
    await deployment.eventually(metrics_are_as_computed, deployment, counted)
    again = (await listed(deployment))[-2:]
    assert {letter.code for letter in again} == {"too_late", "empty_value"}
    assert all(dict(letter.headers)["vtr_resent_from"] for letter in again)
    deployment.workers[0].stop()


@pytest.fixture
async def deployment(deploy: Deploy) -> Deployment:
    """Letters of two sellers, written by hand and a second apart; the newest are of the first partition."""
    deployment = await deploy()
    await deployment.send(written(deployment, number) for number in range(6))
    return deployment


def written(deployment: Deployment, number: int) -> Input:
    code = ("invalid_field", "too_late", "future_event")[number % 3]
    added = {
        "vtr_error_code": code,
        "vtr_error_message": f"message {number}",
        "vtr_source_topic": deployment.settings.order_shipped_topic if number % 2 else "gone",
        "vtr_source_partition": "0",
        "vtr_source_offset": str(number),
        "vtr_rejected_at": f"2026-11-22T12:00:0{number}Z",
    }
    headers = tuple((name, value.encode()) for name, value in added.items())
    key = b"A%d" % (number % 2)
    return Input(deployment.settings.dead_letters_topic, key, b"%d" % number, headers, partition=int(number < 3))


async def numbers(deployment: Deployment, *arguments: str) -> str:
    return b"".join(letter.value or b"" for letter in await listed(deployment, *arguments)).decode()


async def test_they_are_listed_the_newest_last(deployment: Deployment) -> None:
    assert await numbers(deployment) == "012345"
    assert await numbers(deployment, "--limit", "2") == "45"
    assert await numbers(deployment, "--code", "too_late", "--code", "future_event") == "1245"
    assert await numbers(deployment, "--seller", "A1") == "135"
    assert await numbers(deployment, "--topic", "gone") == "024"
    assert await numbers(deployment, "--since", "2026-11-22T12:00:01Z", "--until", "2026-11-22T12:00:04Z") == "123"
    lines = (await run(deployment, "--limit", "1")).stdout.decode()
    assert lines.startswith("2026-11-22 12:00:05  0:2       future_event    ")


async def test_they_are_summed_up(deployment: Deployment) -> None:
    done = await run(deployment, "--summary", "--json", "--seller", "A0")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["code"], each["letters"], each["latest"]) for each in found] == [
        ("future_event", 1, "1:2"),
        ("invalid_field", 1, "1:0"),
        ("too_late", 1, "0:1"),
    ]


async def test_one_is_shown(deployment: Deployment) -> None:
    lines = (await run(deployment, "show", "0:2")).stdout.decode().splitlines()
    assert lines[0] == f"letter    {deployment.settings.dead_letters_topic} 0:2"
    assert "why       message 5" in lines
    assert lines[-1] == "  5"
    for place, said in (("0:3", b"the partition ends before offset 3"), ("7:0", b"has 2 partitions")):
        assert said in (await run(deployment, "show", place, code=1)).stderr


async def test_a_source_that_is_gone_is_named(deployment: Deployment) -> None:
    assert b"topic gone at" in (await run(deployment, "resend", code=1)).stderr
    done = await run(deployment, "resend", "--seller", "A1")
    assert b"would send 0 of 3 letters" in done.stderr


async def test_those_to_come_are_followed(deployment: Deployment) -> None:
    settings = deployment.settings
    found = letters(settings, settings.dead_letters_topic, Wanted(), limit=1, follow=True)
    async with aclosing(found), asyncio.timeout(30):
        assert (await anext(found)).value == b"5"
        await deployment.send([written(deployment, 7)])
        assert (await anext(found)).value == b"7"
