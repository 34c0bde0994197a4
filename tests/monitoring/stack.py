"""Prometheus, Alertmanager and a webhook for tests, with the configuration that is shipped, made quick.

Made quick means: each ``for`` and ``keep_firing_for`` of an alert becomes a second, intervals become a second, and
services are where the test has them. Nothing else is changed, and what is to be changed must be there.
"""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from stream.embedded import HOST, free_port, tied_to_us
from tests.monitoring.programs import program

MONITORING = Path(__file__).parents[2] / "stream" / "monitoring"

TIMEOUT = 5.0
"""Seconds that an answer may take."""

QUICK = "1s"


class Server:
    """A child process with an HTTP server on loopback, on a port of its own."""

    def __init__(self, name: str, folder: Path, *arguments: str) -> None:
        self.name = name
        self.port = free_port()
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                tied_to_us([program(name), f"--web.listen-address={HOST}:{self.port}", *arguments]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
            )

    def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - a test looks for what it expects
        """The body of a JSON page. Raises AssertionError where there is no answer, or an error."""
        assert self._process.poll() is None, f"{self.name} has ended:\n{self.log}"
        try:
            with urlopen(f"http://{HOST}:{self.port}{path}?{urlencode(parameters)}", timeout=TIMEOUT) as answer:
                return json.load(answer)
        except OSError as error:
            raise AssertionError(f"{self.name}, {path} {parameters}: {error!r}") from None

    @property
    def log(self) -> str:
        """All it has said."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Prometheus(Server):
    """Asked over its API. ``workers`` and ``alertmanager`` are their ports."""

    def __init__(self, folder: Path, workers: list[int], alertmanager: int) -> None:
        shipped = MONITORING / "prometheus"
        (folder / "rules").mkdir()
        for file in (shipped / "rules").glob("*.yml"):
            text, count = re.subn(
                r"(?m)^(\s+(?:keep_firing_)?for:) \d+m$", rf"\1 {QUICK}", file.read_text(encoding="utf-8")
            )
            assert count == text.count("- alert:") + text.count("keep_firing_for:")
            (folder / "rules" / file.name).write_text(text, encoding="utf-8")
        config = yaml.safe_load((shipped / "prometheus.yml").read_text(encoding="utf-8"))
        config["global"] = dict.fromkeys(config["global"], QUICK)
        (scrape,) = config["scrape_configs"]
        del scrape["dns_sd_configs"]
        scrape["static_configs"] = [{"targets": [f"{HOST}:{port}" for port in workers]}]
        (manager,) = config["alerting"]["alertmanagers"]
        manager["static_configs"] = [{"targets": [f"{HOST}:{alertmanager}"]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        super().__init__("prometheus", folder, "--config.file=prometheus.yml", "--storage.tsdb.path=data")

    def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """An instant query: values by those of their labels, in the order of the labels' names."""
        answer = self.get("/api/v1/query", query=expression)
        return {
            tuple(value for name, value in sorted(each["metric"].items()) if name != "__name__"): float(
                each["value"][1]
            )
            for each in answer["data"]["result"]
        }

    def query_range(self, expression: str, start: float, end: float) -> list[float]:
        """All values of all series of a range of seconds since 1970, by the second."""
        answer = self.get("/api/v1/query_range", query=expression, start=str(start), end=str(end), step=QUICK)
        return [float(value) for each in answer["data"]["result"] for _, value in each["values"]]

    def label_values(self, selector: str, label: str) -> list[str]:
        """The values that a label has in series."""
        values: list[str] = self.get(f"/api/v1/label/{label}/values", **{"match[]": selector})["data"]
        return values


class Alertmanager(Server):
    """Hands what it receives to the webhook, besides whom the shipped configuration names."""

    def __init__(self, folder: Path, webhook: str) -> None:
        shipped = MONITORING / "alertmanager" / "alertmanager.yml"
        config = yaml.safe_load(shipped.read_text(encoding="utf-8"))
        for name in ("group_wait", "group_interval"):
            assert config["route"][name]
            config["route"][name] = QUICK
        (receiver,) = config["receivers"]
        receiver["webhook_configs"] = [{"url": webhook}]
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        # No cluster: it would listen on a port of its own.
        arguments = ("--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address=")
        super().__init__("alertmanager", folder, *arguments)


class Webhook:
    """Takes notifications."""

    def __init__(self) -> None:
        self._alerts: list[dict[str, Any]] = []
        taken = self._alerts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                taken.extend(body["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def alerts(self, status: str) -> dict[tuple[str, str], dict[str, Any]]:
        """The alerts that were notified as ``firing`` or ``resolved``, by their name and the seller or worker; "" for
        those of neither."""
        return {
            (alert["labels"]["alertname"], alert["labels"].get("seller", alert["labels"].get("instance", ""))): alert
            for alert in self._alerts.copy()
            if alert["status"] == status
        }

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def monitoring(folder: Path, workers: list[int]) -> Iterator[tuple[Prometheus, Alertmanager, Webhook]]:
    """A webhook, an Alertmanager that notifies it, and a Prometheus that scrapes workers at these ports."""
    for name in ("prometheus", "alertmanager"):
        (folder / name).mkdir()
    webhook = Webhook()
    try:
        alertmanager = Alertmanager(folder / "alertmanager", webhook.url)
        try:
            prometheus = Prometheus(folder / "prometheus", workers, alertmanager.port)
            try:
                yield prometheus, alertmanager, webhook
            finally:
                prometheus.close()
        finally:
            alertmanager.close()
    finally:
        webhook.close()
