"""Apache Kafka for tests: its jars come through Maven, once, and run on the machine's Java.

The jars are kept in ``$XDG_CACHE_HOME/vtr-stream`` (``~/.cache/vtr-stream``), one folder per content of ``pom.xml``.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from stream.embedded import HOST, BrokerProcess, EmbeddedBrokerError, free_port

POM = Path(__file__).with_name("pom.xml")

OLDEST_JAVA = 17

DOWNLOAD_TIMEOUT = 600.0
"""Seconds for some 45 MB."""

_CLUSTER_ID = "dnRyLXN0cmVhbS10ZXN0cw"
"""Any 16 bytes in base64, the same for every node: nodes of different clusters refuse each other."""

_JVM = (
    # A test broker lives for seconds: it is the start that has to be fast, not the thousandth second.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


def version() -> str:
    """The version of Apache Kafka that ``pom.xml`` names."""
    match = re.search(r"<kafka\.version>(.+?)</", POM.read_text(encoding="utf-8"))
    assert match is not None
    return match[1]


def unavailable() -> str | None:
    """Why Apache Kafka cannot be had here, in one line; None where it can. The first call downloads it."""
    try:
        _check_java()
        _jars()
    except EmbeddedBrokerError as error:
        return str(error)
    return None


class KafkaNode(BrokerProcess):
    """One node of Apache Kafka, broker and controller in one process.

    What it stores is in ``folder``, which the caller provides and removes, and survives :meth:`stop` and
    :meth:`kill`: the next :meth:`start` goes on with it. A cluster is several nodes, each with a folder and an id of
    its own and all with the same ``controllers``, the port of every node's controller by the node's id; call
    :meth:`launch` on all of them before :meth:`wait_until_ready` on each.
    """

    start_timeout = 60.0

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        node_id: int = 1,
        controllers: Mapping[int, int] | None = None,
        heap_mb: int = 512,
    ) -> None:
        super().__init__(port)
        self._heap = f"-Xmx{heap_mb}m"
        self.name = f"Apache Kafka {version()}"
        self.node_id = node_id
        self._controllers = dict(controllers or {node_id: another_free_port(self.port)})
        self._folder = folder.absolute()
        self._properties = self._folder / "server.properties"

    def launch(self) -> None:
        if not self._properties.exists():
            self._format()
        super().launch()

    def command(self) -> list[str]:
        return [*self._java(), "kafka.Kafka", str(self._properties)]

    def _java(self) -> list[str]:
        # Compression libraries unpack themselves into the temporary folder, and a killed broker leaves them there.
        return [_java(), *_JVM, self._heap, f"-Djava.io.tmpdir={self._folder}", "-cp", f"{_jars()}/*"]

    def _format(self) -> None:
        properties = self._folder / "unformatted.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in self._settings().items()))
        arguments = ["kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER_ID, "--config", str(properties)]
        arguments += self._format_options()
        done = subprocess.run(
            [*self._java(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise EmbeddedBrokerError(f"{self.name} cannot format its storage: {_last_line(done.stderr)}")
        # Under its final name only now, so that a format that was cut short is done again.
        properties.rename(self._properties)

    def _format_options(self) -> list[str]:
        return []

    def _settings(self) -> dict[str, object]:
        replicas = min(3, len(self._controllers))
        in_sync = max(1, replicas - 1)
        return {
            "node.id": self.node_id,
            "process.roles": "broker,controller",
            # A fixed quorum, because then a node of three is formatted and started just as a single one is.
            "controller.quorum.voters": ",".join(f"{node}@{HOST}:{port}" for node, port in self._controllers.items()),
            "listeners": f"BROKER://{HOST}:{self.port},CONTROLLER://{HOST}:{self._controllers[self.node_id]}",
            "advertised.listeners": f"BROKER://{HOST}:{self.port}",
            "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "BROKER",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self._folder / "data",
            # A topic nobody declared is a mistake that a test should see.
            "auto.create.topics.enable": "false",
            "min.insync.replicas": in_sync,
            # Kafka looks every 15 s for what is to be compacted; no test has so long.
            "log.cleaner.backoff.ms": 500,
            "offsets.topic.replication.factor": replicas,
            # Kafka's 50 would be created, and elected leaders for, in the first test that has a consumer group.
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            # A killed broker comes back only when its old session has run out, which takes 9 s by default.
            "broker.session.timeout.ms": 3_000,
            "broker.heartbeat.interval.ms": 500,
            # Kafka waits 3 s for more members before a new group's first assignment.
            "group.initial.rebalance.delay.ms": 0,
            # Kafka's 6 s are waited for whenever a worker is killed or frozen.
            "group.min.session.timeout.ms": 1_000,
        }


def another_free_port(*taken: int) -> int:
    """A port that nobody listens on, and none of those."""
    while (port := free_port()) in taken:
        pass
    return port


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=f"{home}/bin" if home else None)
    if program is None:
        raise EmbeddedBrokerError("JAVA_HOME has no bin/java" if home else "no java on the PATH")
    return program


def _check_java() -> None:
    done = subprocess.run([_java(), "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "((\d+)[^"]*)"', done.stderr)
    if match is None:
        raise EmbeddedBrokerError(f"java does not tell its version: {_last_line(done.stderr)}")
    if int(match[2]) < OLDEST_JAVA:
        raise EmbeddedBrokerError(f"java is older than {OLDEST_JAVA}: {match[1]}")


def _jars() -> Path:
    """The folder of the jars, downloaded where they are not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vtr-stream"
    content = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    folder = cache / f"kafka-{version()}-{content}"
    if not folder.exists():
        maven = shutil.which("mvn")
        if maven is None:
            raise EmbeddedBrokerError("no mvn on the PATH to download Apache Kafka with")
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            # Runs that start together share one download, and Maven's own cache takes one writer at a time.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                _download(maven, folder)
    return folder


def _download(maven: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        jars = Path(temporary) / "jars"
        command = [maven, "-q", "-B", "-Dstyle.color=never", "-f", str(POM)]
        command += ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=DOWNLOAD_TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            raise EmbeddedBrokerError(f"Maven did not finish within {DOWNLOAD_TIMEOUT:g} s") from None
        if done.returncode != 0 or not jars.is_dir():
            # Maven's last lines say where its help is; the first error says what is wrong.
            errors = re.findall(r"^\[ERROR\] (.+)", done.stdout, re.MULTILINE)
            raise EmbeddedBrokerError(f"Maven failed: {errors[0] if errors else _last_line(done.stdout)}")
        # A folder by the final name is always whole, whenever a run is interrupted.
        jars.rename(folder)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "no output"
