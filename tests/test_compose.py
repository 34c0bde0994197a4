"""docker-compose.yml fits the code: its images are pinned, its commands parse, its settings and services exist.

No container engine runs where the tests run, so this is what can be known of it without one.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.settings import ENV_PREFIX, Settings, bootstrap_servers, load_settings
from tests.brokers import apache_kafka
from tests.test_readme import flags

PROJECT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
BUILT = [name for name, service in SERVICES.items() if "build" in service]


def dockerfile(name: str) -> str:
    build: dict[str, str] = SERVICES[name]["build"]
    return Path(PROJECT, build["context"], build["dockerfile"]).read_text(encoding="utf-8")


def advertised() -> dict[str, str]:
    """Kafka's addresses by the names of its listeners."""
    listeners = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    return dict(listener.split("://") for listener in listeners)


def test_kafka_is_the_one_that_tests_run_on() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{apache_kafka.version()}"
    assert [name for name, service in SERVICES.items() if "image" in service] == ["kafka"]


@pytest.mark.parametrize("name", BUILT)
def test_built_images_are_pinned_and_do_not_run_as_root(name: str) -> None:
    text = dockerfile(name)
    *builders, base = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", base)
    # What is built on one must run on the other.
    assert {builder.replace("-", "-slim-") for builder in builders} <= {base}
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE)[-1] == "vtr"
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    assert [path for line in copied for path in line.split() if not (PROJECT / path).exists()] == []


@pytest.mark.parametrize("name", BUILT)
def test_commands_and_settings_are_understood(name: str) -> None:
    service = SERVICES[name]
    environment = service["environment"]
    known = {ENV_PREFIX + field.upper() for field in Settings.__struct_fields__}
    assert set(environment) - known == set()
    settings = load_settings(flags(service["command"]), environ=environment)
    assert bootstrap_servers(settings.broker) == [advertised()["PLAINTEXT"]]


def test_simulator_sends_to_the_same_broker() -> None:
    words = shlex.split(SERVICES["simulator"]["command"])
    assert words[words.index("--broker") + 1] == SERVICES["simulator"]["environment"]["VTR_BROKER"]


def test_kafka_is_reached_from_the_host_at_the_default_address() -> None:
    (server,) = bootstrap_servers(Settings().broker)
    assert SERVICES["kafka"]["ports"] == [f"{server}:{server.rpartition(':')[2]}"]
    assert advertised()["PLAINTEXT_HOST"] == server.replace("127.0.0.1", "localhost")


def test_every_listener_of_kafka_has_a_protocol() -> None:
    environment = SERVICES["kafka"]["environment"]
    listeners = {listener.partition("://")[0] for listener in environment["KAFKA_LISTENERS"].split(",")}
    protocols = environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    assert {protocol.partition(":")[0] for protocol in protocols} == listeners
    assert set(advertised()) | {environment["KAFKA_CONTROLLER_LISTENER_NAMES"]} == listeners


def test_services_wait_for_services_that_exist_and_can_be_waited_for() -> None:
    for service in SERVICES.values():
        for target, dependency in service.get("depends_on", {}).items():
            awaited = SERVICES[target]
            assert "profiles" not in awaited
            if dependency["condition"] == "service_healthy":
                assert awaited["healthcheck"]["test"][0] == "CMD"
            else:
                assert dependency["condition"] == "service_completed_successfully"
                assert awaited["command"].startswith("vtr topics create")


def test_volumes_are_declared_and_hold_what_must_last() -> None:
    mounts = {
        name: dict(mount.split(":") for mount in service["volumes"])
        for name, service in SERVICES.items()
        if "volumes" in service
    }
    assert {volume for volumes in mounts.values() for volume in volumes} == set(COMPOSE["volumes"])
    assert list(mounts["kafka"].values()) == [SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"]]
    (store,) = mounts["worker"].values()
    assert store == SERVICES["worker"]["environment"]["VTR_DATA_DIR"]
    assert f"--owner vtr {store}" in dockerfile("worker")


def test_there_are_two_workers_that_are_started_again() -> None:
    worker = SERVICES["worker"]
    assert worker["deploy"]["replicas"] == 2
    assert worker["restart"] == "on-failure"
