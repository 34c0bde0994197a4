"""The README says what the code does: its commands, examples, settings and its Python work as they stand."""

import asyncio
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import click
import msgspec
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import NewTopic
from click.testing import CliRunner
from msgspec import Meta
from msgspec.structs import replace

from stream import events, records
from stream.cli import cli
from stream.engine.settings import EngineSettings
from stream.engine.status import Levels
from stream.events import Event, OrderShipped, Rejection, RejectionCode, TrackingScanned, TrackingUploaded
from stream.kafka.clients import connected_admin
from stream.kafka.cluster import bootstrap_servers
from stream.policy import Standard
from stream.settings import ENV_PREFIX, Settings, load_settings
from stream.worker.dead_letters import dead_letter
from stream.worker.health import Facts
from stream.worker.web import readiness
from tests.brokers import VARIABLE, Broker

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
INBOUND: dict[str, type[Event]] = {
    "order-shipped": OrderShipped,
    "tracking-uploaded": TrackingUploaded,
    "tracking-scanned": TrackingScanned,
}


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


def section(title: str) -> str:
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1]


def vtr_commands() -> list[str]:
    """Every ``vtr`` command line, in blocks and in prose."""
    lines = [part for block in blocks("sh") for line in block.splitlines() for part in line.split(" && ")]
    return [line for line in lines if shlex.split(line)[0].endswith("vtr")] + re.findall(r"`(vtr [^`]+)`", PROSE)


def flags(line: str) -> dict[str, Any]:
    """The settings that a ``vtr`` command line gives. Fails where click would not take it."""
    name, *arguments = shlex.split(line.partition(" > ")[0])
    assert Path(name).name == "vtr"
    command: click.Command = cli
    # Some groups are commands themselves, with options.
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        command = command.commands[arguments.pop(0)]
    parameters = command.make_context(command.name, arguments).params
    return {name: value for name, value in parameters.items() if name in Settings.__struct_fields__}


# --- Commands --------------------------------------------------------------------------------------------------------


def setup_commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if "venv" in line]


def test_two_commands_set_it_up() -> None:
    to_run, to_test = setup_commands()
    assert to_run == "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/vtr demo"
    assert to_test == "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest"


@pytest.mark.parametrize("line", vtr_commands())
def test_commands_are_understood(line: str) -> None:
    load_settings(flags(line), environ={})


def test_every_command_is_mentioned() -> None:
    assert {name for name in cli.commands if not re.search(rf"\bvtr {name}\b", README)} == set()


def test_flags_and_variables_in_prose_exist() -> None:
    known = {flag for command in every_command(cli) for parameter in command.params for flag in parameter.opts}
    mentioned = {word for code in re.findall(r"`([^`]+)`", PROSE) for word in re.findall(r"(?<!\S)--[a-z-]+", code)}
    assert mentioned - known - {"--profile", "--help", "--version"} == set()
    variables = {ENV_PREFIX + name.upper() for name in (*Settings.__struct_fields__, "config")} | {VARIABLE}
    assert set(re.findall(r"`(VTR_\w+)`", PROSE)) - variables == set()


def every_command(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            yield from every_command(subcommand)


def test_ci_runs_the_test_command() -> None:
    in_ci = (PROJECT / ".ci" / "run").read_text(encoding="utf-8").replace("$venv", ".venv")
    steps = [shlex.split(line)[1:] for line in in_ci.splitlines() if line.startswith("step ")]
    to_test = [shlex.split(part) for part in setup_commands()[1].split(" && ")]
    assert [step for step in steps if step in to_test] == to_test


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", PROSE)
    titles = re.findall(r"^##+ (.+)$", README, re.MULTILINE)
    anchors = {f"#{re.sub(r'[^a-z0-9 -]', '', title.lower()).replace(' ', '-')}" for title in titles}
    assert [target for target in targets if target not in anchors and not (PROJECT / target).exists()] == []


# --- Settings --------------------------------------------------------------------------------------------------------


def row(field: msgspec.structs.FieldInfo) -> str:
    kind, *metadata = get_args(field.type)
    *_, meaning = [meta.description for meta in metadata if isinstance(meta, Meta) and meta.description]
    kinds = get_args(kind) if get_origin(kind) in (UnionType, Union) else (kind,)
    choices = [f"`{choice}`" for each in kinds if get_origin(each) is Literal for choice in get_args(each)]
    meaning += f": {', '.join(choices)}" if choices else ""
    default = "" if field.default is None else f"`{field.default}`"
    return f"| `{field.name}` | {default} | {meaning} |"


def test_settings_table_is_the_settings() -> None:
    table = [line for line in section("Settings").splitlines() if line.startswith("| `")]
    assert table == [row(field) for field in msgspec.structs.fields(Settings)]


# --- Examples --------------------------------------------------------------------------------------------------------


def examples() -> dict[str, bytes]:
    values = [block.encode() for block in blocks("json")]
    return dict(zip(("readiness", *INBOUND, "metric", "alert"), values, strict=True))


@pytest.mark.parametrize("name", INBOUND)
def test_events_are_accepted(name: str) -> None:
    event = events.decode(examples()[name])
    assert not isinstance(event, Rejection), event
    assert isinstance(event, INBOUND[name])


@pytest.mark.parametrize("name", INBOUND)
def test_required_and_optional_fields_are_those_of_the_event(name: str) -> None:
    (line,) = re.findall(rf"^\| `{name}` \|(.*)\|$", README, re.MULTILINE)
    required, optional = (re.findall(r"`(\w+)`", cell) for cell in line.split("|"))
    fields = msgspec.structs.fields(INBOUND[name])
    assert set(required) == {"type"} | {field.name for field in fields if field.required}
    assert set(optional) == {field.name for field in fields if not field.required}
    assert set(json.loads(examples()[name])) <= {*required, *optional}


def test_dead_letters_are_described() -> None:
    record: ConsumerRecord[bytes, bytes] = ConsumerRecord(
        "order-shipped", 0, 0, 0, 0, b"A1", b"{", None, 2, 1, headers=()
    )
    letter = dead_letter(record, events.decode(b"{"), datetime(2026, 11, 22, tzinfo=UTC))  # type: ignore[arg-type]
    (text,) = re.findall(r"^- What cannot be used.*?(?=^$|^- )", README, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`(vtr_\w+)`", text)) == {name for name, _ in letter.headers}
    codes = text.partition("Codes:")[2].partition("When more")[0]
    assert re.findall(r"`(\w+)`", codes) == [code.value for code in RejectionCode]


def test_metric_and_alert_are_what_the_code_would_say() -> None:
    metric = records.decode_metric(examples()["metric"])
    alert = records.decode_alert(examples()["alert"])
    levels = Levels(Standard(Fraction(95, 100), metric.policy), EngineSettings.of(Settings()))
    for each in (metric, alert.metric):
        live, official = each.live, each.official
        for counts in (live, official):
            assert counts.counted == counts.valid + counts.defects
            assert counts.vtr == round(counts.valid / counts.counted, 4)
        assert each.status == levels.status("ok", live.valid, live.counted)
        assert each.allowance == levels.allowance(each.status, live.valid, live.counted)
        assert each.needed_to_recover == levels.needed_to_recover(each.status, live.valid, live.counted)
        assert (each.as_of.date() - official.to).days == Settings().lag_days
        assert (official.to - official.from_).days == 29
    assert (alert.scope, alert.since, alert.status) == (alert.metric.scope, alert.metric.as_of, alert.metric.status)
    assert sum(cause.count for cause in alert.causes) == alert.metric.live.defects


@pytest.mark.parametrize(
    "title",
    ["Explain one shipment", "The defect report", "Ask what other settings would have said", "Plot a VTR over time"],
)
def test_the_sample_is_what_the_commands_say(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate, command = [line for line in section(title).splitlines() if line.startswith("vtr ")][:2]
    monkeypatch.chdir(tmp_path)
    said = ""
    for line in (simulate, command):
        result = CliRunner().invoke(cli, shlex.split(line)[1:], catch_exceptions=False)
        said = result.stdout
    (text,) = re.findall(r"^```text\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)
    for part in text.removesuffix("…\n").split("…\n"):
        assert part in said
        said = said.partition(part)[2]


def test_the_import_and_the_check_are_what_the_commands_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT / "tests" / "imports" / "samples")
    for title in ("Import what a seller has", "Check it against the marketplace"):
        said = ""
        for line in section(title).splitlines():
            if line.startswith("vtr "):
                arguments = shlex.split(line.replace(" /tmp/", f" {tmp_path}/"))[1:]
                said += CliRunner().invoke(cli, arguments, catch_exceptions=False).output
        (text,) = [text for text in blocks("text") if text in section(title)]
        for part in text.removesuffix("…\n").split("…\n"):
            assert part in said
            said = said.partition(part)[2]


def test_the_summary_of_a_replay_is_what_the_commands_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate, replay = [line for line in section("Replay history").splitlines() if line.startswith("vtr ")][:2]
    monkeypatch.chdir(tmp_path)
    for line in (simulate, replay):
        result = CliRunner().invoke(cli, shlex.split(line)[1:], catch_exceptions=False)
    first, *lines = section("Replay history").partition("```text\n")[2].partition("\n```")[0].splitlines()
    said_first, *said = result.stdout.splitlines()
    assert said[: len(lines)] == lines
    assert said_first.partition(": ")[2] == first.partition(": ")[2]


def test_readiness_is_what_the_code_would_say() -> None:
    said = json.loads(examples()["readiness"])
    is_ready, body = readiness(msgspec.convert(said["facts"], Facts))
    assert said == msgspec.to_builtins(body)
    assert is_ready is said["ready"]
    assert set(said["facts"]) == set(Facts.__struct_fields__)


# --- Python ----------------------------------------------------------------------------------------------------------


async def test_subscriber_prints_alerts(broker: Broker, prefix: str) -> None:
    (program,) = blocks("python")
    program = program.replace(Settings().broker, broker.url)
    assert broker.url in program
    alert = replace(records.decode_alert(examples()["alert"]), seller_id=f"{prefix}seller", alert_id=f"{prefix}alert")
    async with connected_admin(broker.cluster) as admin:
        # Another test may have declared the default topic already.
        await admin.create_topics([NewTopic(Settings().alerts_topic, 1, 1)])
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers(broker.url)) as producer:
        await producer.send_and_wait(
            Settings().alerts_topic, key=records.encode_key(alert.scope), value=records.encode(alert)
        )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        cwd=PROJECT,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            while prefix not in (line := (await process.stdout.readline()).decode()):
                assert line, "the program ended"
    finally:
        process.terminate()
        await process.wait()
    assert line.startswith(f"{alert.since} vtr-breached {prefix}seller FR Beauty 0.9429 ")
