"""The embedded broker as a process: it serves, it ends when it should, and it says why where it cannot start."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.embedded import HOST, EmbeddedBroker, EmbeddedBrokerError, free_port
from stream.kafka.cluster import bootstrap_servers

TOPIC = "a-topic"

HOLD_A_BROKER = """\
import sys
from stream.embedded import EmbeddedBroker
broker = EmbeddedBroker()
broker.start()
print(broker.port, flush=True)
sys.stdin.read()
"""


def is_open(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time it may take"
        time.sleep(0.01)


async def create_topic(broker: EmbeddedBroker) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers(broker.url))
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def topics(broker: EmbeddedBroker) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers(broker.url))
    await admin.start()
    try:
        return list(await admin.list_topics())
    finally:
        await admin.close()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Puts a program in Tansu's place."""

    def replace(content: bytes) -> None:
        path = tmp_path / "tansu"
        path.write_bytes(content)
        path.chmod(0o755)
        monkeypatch.setenv("CALF_TANSU_BIN", str(path))

    return replace


async def test_serves_what_was_produced() -> None:
    with EmbeddedBroker() as broker:
        await create_topic(broker)
        servers = bootstrap_servers(broker.url)
        async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
            await producer.send_and_wait(TOPIC, b"value", key=b"key")
        async with AIOKafkaConsumer(TOPIC, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
            record = await consumer.getone()
    assert (record.key, record.value) == (b"key", b"value")


def test_stop_ends_the_process_and_can_be_repeated() -> None:
    broker = EmbeddedBroker()
    broker.start()
    pid = broker.pid
    assert pid is not None
    assert is_open(broker.port)
    broker.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not is_open(broker.port)
    broker.stop()


def test_a_frozen_broker_is_stopped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.embedded.STOP_TIMEOUT", 0.1)
    broker = EmbeddedBroker()
    broker.start()
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGSTOP)
    broker.stop()
    assert not is_open(broker.port)


async def test_nothing_survives_a_stop() -> None:
    broker = EmbeddedBroker()
    with broker:
        await create_topic(broker)
        assert await topics(broker) == [TOPIC]
    with broker:
        assert await topics(broker) == []


def test_brokers_run_side_by_side() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.url != other.url


def test_starting_twice_is_refused() -> None:
    with EmbeddedBroker() as broker, pytest.raises(EmbeddedBrokerError, match="started already"):
        broker.start()


def test_ctrl_c_on_the_terminal_does_not_reach_it() -> None:
    with EmbeddedBroker() as broker:
        assert broker.pid is not None
        assert os.getsid(broker.pid) == broker.pid != os.getsid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has ended")
def test_it_ends_with_a_parent_that_is_killed() -> None:
    command = [sys.executable, "-c", HOLD_A_BROKER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert is_open(port)
        parent.kill()
        parent.wait()
        wait_for(lambda: not is_open(port))


def test_settings_lying_around_do_not_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("SCHEMA_REGISTRY=nonsense://x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCHEMA_REGISTRY", "nonsense://y")
    with EmbeddedBroker() as broker:
        assert is_open(broker.port)


def test_a_busy_port_is_named() -> None:
    port = free_port()
    with socket.create_server((HOST, port)), pytest.raises(EmbeddedBrokerError) as error:
        EmbeddedBroker(port).start()
    assert str(error.value) == f"a broker cannot listen on {HOST}:{port}: Address already in use"


@pytest.mark.parametrize("mode", [None, 0o644])
def test_a_program_that_is_missing_or_no_program_is_named(
    mode: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "not-tansu"
    if mode is not None:
        path.touch(mode)
    monkeypatch.setenv("CALF_TANSU_BIN", str(path))
    broker = EmbeddedBroker()
    with pytest.raises(EmbeddedBrokerError, match=r"has no program to run: .*not-tansu") as error:
        broker.start()
    assert "\n" not in str(error.value)
    assert broker.pid is None


def test_a_program_for_another_machine_is_named(program: Callable[[bytes], None]) -> None:
    program(b"\x7fELF nonsense")
    with pytest.raises(EmbeddedBrokerError, match="Exec format error") as error:
        EmbeddedBroker().start()
    assert "\n" not in str(error.value)


def test_what_it_said_before_it_ended_is_told(program: Callable[[bytes], None]) -> None:
    program(b"#!/bin/sh\necho starting\nprintf '\\033[31mno \\033[0mmemory\\n' >&2\necho '  at main' >&2\nexit 3\n")
    with pytest.raises(EmbeddedBrokerError, match=r"ended with status 3 at its start: starting / no memory$"):
        EmbeddedBroker().start()


def test_one_that_never_serves_is_ended(program: Callable[[bytes], None], tmp_path: Path) -> None:
    program(f"#!/bin/sh\necho $$ > {tmp_path}/pid\necho still thinking\nexec sleep 60\n".encode())
    broker = EmbeddedBroker()
    broker.start_timeout = 0.5
    with pytest.raises(EmbeddedBrokerError, match=r"not ready within 0\.5 s: still thinking$"):
        broker.start()
    assert broker.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
