"""``vtr demo`` from a newcomer's seat: alerts soon, a clean end, nothing left behind."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from stream.records import Alert
from stream.subscribe import subscribe_alerts

pytestmark = pytest.mark.broker  # one of its own, but as slow as the others

FIRST_ALERT_WITHIN = 20.0
"""Seconds; what was promised."""


def start() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "stream", "demo", "--duration", "25s", "--sellers", "30"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def descendants(pid: int) -> list[int]:
    """Processes below one, as Linux lists them."""
    children = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            children += [child, *descendants(child)]
    return children


def wait_until_gone(pids: list[int]) -> list[int]:
    deadline = time.monotonic() + 5
    left = pids
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if Path(f"/proc/{pid}").exists()]
        time.sleep(0.05)
    return left


async def all_alerts(broker: str) -> list[Alert]:
    return [alert async for alert in subscribe_alerts(broker, start="beginning", follow=False)]


def read_until_alert(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "  vtr-" in line:
            return lines
    pytest.fail(f"the demo ended without an alert: {''.join(lines)}")


def test_it_shows_alerts_soon_and_ends_with_a_summary() -> None:
    started = time.monotonic()
    with start() as process:
        lines = read_until_alert(process)
        assert time.monotonic() - started < FIRST_ALERT_WITHIN, "".join(lines)
        children = descendants(process.pid)
        assert len(children) >= 3  # broker, simulator, worker
        said = "".join(lines)
        (broker,) = re.findall(r"in another shell:  vtr alerts --follow --broker (kafka://127\.0\.0\.1:\d+)\n", said)
        assert len(asyncio.run(all_alerts(broker))) > 0
        (metrics,) = re.findall(r"for monitoring:    (http://127\.0\.0\.1:\d+/metrics)\n", said)
        with urllib.request.urlopen(metrics, timeout=10) as answer:  # noqa: S310 - a worker of ours
            assert b"vtr_events_total{" in answer.read()
        assert process.stdout is not None
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "sellers       30" in rest
    assert "lowest VTR:" in rest
    assert "Traceback" not in "".join(lines) + rest
    assert wait_until_gone(children) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_it(how: signal.Signals) -> None:
    with start() as process:
        read_until_alert(process)
        children = descendants(process.pid)
        assert len(children) >= 3
        os.kill(process.pid, how)
        assert process.stdout is not None
        rest = process.stdout.read()
    assert process.returncode == (0 if how is signal.SIGINT else -signal.SIGKILL)
    assert ("lowest VTR:" in rest) is (how is signal.SIGINT)
    assert wait_until_gone(children) == []
