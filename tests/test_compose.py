"""docker-compose.yml fits the code: its images are pinned, its commands parse, its settings and services exist.

No container engine runs where the tests run, so this is what can be known of it without one. What it mounts into
Prometheus and Alertmanager is run in ``tests/monitoring``.
"""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from stream.kafka.cluster import bootstrap_servers
from stream.settings import ENV_PREFIX, Settings, load_settings
from tests.brokers import apache_kafka
from tests.monitoring.dashboards import GRAFANA
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


def mounts(name: str) -> dict[str, str]:
    """What is mounted into a service: volumes and folders of the project, by where they lie in it."""
    split = [mount.split(":") for mount in SERVICES[name].get("volumes", ())]
    return {target: source for source, target, *_ in split}


def test_it_is_what_the_specification_asks_for() -> None:
    schema = json.loads((Path(__file__).parent / "compose_spec" / "compose-spec.json").read_text(encoding="utf-8"))
    assert [error.message for error in Draft202012Validator(schema).iter_errors(COMPOSE)] == []
    assert not Draft202012Validator(schema).is_valid(COMPOSE | {"services": {"worker": {"comand": "vtr run"}}})


def test_kafka_is_the_one_that_tests_run_on() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{apache_kafka.version()}"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - set(BUILT)))
def test_other_images_are_pinned_and_do_not_run_as_root(name: str) -> None:
    assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])
    # As their own files have it; of a number Compose would make something else.
    assert SERVICES[name]["user"] in ("appuser", "nobody", "472")


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


def set_in(name: str) -> dict[str, str]:
    """The variables of a service, without those that are taken from where it is started."""
    return {variable: value for variable, value in SERVICES[name]["environment"].items() if value is not None}


@pytest.mark.parametrize("name", BUILT)
def test_commands_and_settings_are_understood(name: str) -> None:
    service = SERVICES[name]
    environment = service["environment"]
    known = {ENV_PREFIX + field.upper() for field in Settings.__struct_fields__}
    assert set(environment) - known == set()
    settings = load_settings(flags(service["command"]), environ=set_in(name))
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
    sources = {source for name in SERVICES for source in mounts(name).values()}
    assert {source for source in sources if not source.startswith("./")} == set(COMPOSE["volumes"])
    assert list(mounts("kafka")) == [SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"]]
    (store,) = mounts("worker")
    assert store == SERVICES["worker"]["environment"]["VTR_DATA_DIR"]
    assert f"--owner vtr {store}" in dockerfile("worker")


def test_folders_of_the_project_are_there_and_cannot_be_written_to() -> None:
    folders = [mount for name in SERVICES for mount in SERVICES[name].get("volumes", ()) if mount.startswith("./")]
    assert len(folders) == 4
    for mount in folders:
        assert mount.endswith(":ro")
        assert (PROJECT / mount.split(":")[0]).is_dir()


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_limited_and_watched(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert ("healthcheck" in service) is (name not in ("topics", "simulator")), "they answer nothing"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), "for this machine only"


def test_prometheus_finds_the_workers_and_alertmanager() -> None:
    folder = PROJECT / mounts("prometheus")["/etc/prometheus"]
    config = yaml.safe_load((folder / "prometheus.yml").read_text(encoding="utf-8"))
    (scrape,) = config["scrape_configs"]
    (lookup,) = scrape["dns_sd_configs"]
    settings = load_settings(flags(SERVICES["worker"]["command"]), environ=set_in("worker"))
    assert (lookup["names"], lookup["port"]) == (["worker"], settings.web_port)
    assert settings.web_host == "0.0.0.0"  # noqa: S104 - the container's own
    assert settings.metrics_sellers is not None
    (manager,) = config["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert SERVICES["alertmanager"]["ports"] == ["127.0.0.1:9093:9093"]


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    provisioning = PROJECT / mounts("grafana")["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert SERVICES["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "vtr.yml").read_text())["providers"]
    folder = provider["options"]["path"]
    assert PROJECT / mounts("grafana")[folder] == GRAFANA / "dashboards"
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == folder
    assert (GRAFANA / "dashboards" / home.name).exists()


def test_there_are_two_workers_that_are_started_again() -> None:
    worker = SERVICES["worker"]
    assert worker["deploy"]["replicas"] == 2
    assert worker["restart"] == "on-failure"
