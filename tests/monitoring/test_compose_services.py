"""Prometheus and Alertmanager start as docker-compose.yml has them: with its arguments, on what it mounts."""

import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from stream.embedded import HOST
from tests.monitoring.stack import TIMEOUT, Server
from tests.test_compose import PROJECT, SERVICES, mounts

PATIENCE = 30.0
"""Seconds until a server that starts must be ready."""


def is_ready(server: Server, path: str) -> bool:
    try:
        with urlopen(f"http://{HOST}:{server.port}{path}", timeout=TIMEOUT) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_it_starts_and_its_health_check_passes(name: str, tmp_path: Path) -> None:
    service = SERVICES[name]
    places = {
        target: str(PROJECT / source) if source.startswith("./") else str(tmp_path / source)
        for target, source in mounts(name).items()
    }
    arguments = []
    for argument in service["command"]:
        flag, _, value = argument.partition("=")
        target = next((target for target in places if value == target or value.startswith(f"{target}/")), None)
        assert target is not None or not value.startswith("/"), f"{argument} is not mounted"
        arguments.append(argument if target is None else f"{flag}={places[target]}{value.removeprefix(target)}")
    url = urlsplit(service["healthcheck"]["test"][-1])
    server = Server(name, tmp_path, *arguments)
    try:
        deadline = time.monotonic() + PATIENCE
        while not is_ready(server, url.path):
            assert time.monotonic() < deadline, server.log
            time.sleep(0.1)
        if name == "prometheus":
            rules = server.get("/api/v1/rules")["data"]["groups"]
            assert sorted(group["name"] for group in rules) == ["vtr-pipeline", "vtr-sellers"]
    finally:
        server.close()
    assert f"127.0.0.1:{url.port}:{url.port}" in service["ports"]
