"""The course of a demo: start everything, watch, end everything, sum up."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from msgspec import Struct
from rich.console import Console
from rich.live import Live

from stream.cli.format import alert_text, metric_text
from stream.demo.board import Board
from stream.demo.children import Child, ChildFailedError
from stream.demo.screen import picture
from stream.embedded import HOST, EmbeddedBroker, free_port
from stream.kafka.clients import BrokerError
from stream.records import Alert, Metric
from stream.settings import Settings
from stream.subscribe import subscribe_alerts, subscribe_metrics
from stream.topics import create_topics

PARTITIONS = 4
HISTORY_EVENTS_PER_SELLER = 200
"""Some 65 shipments per seller in 35 days: windows small enough for live events to move them."""

HISTORY = timedelta(days=35)
"""Longer than the live window, so that shipments also leave it."""

GROUP_TIMEOUT = 6.0
"""Seconds. The embedded broker lets a worker in after half of its session timeout."""

IDLE_AFTER = 1.0
"""Seconds: live events are never far apart."""

REFRESH = 0.25
"""Seconds between two pictures."""

TOLD_ALERTS = 5
"""Of the history's alerts, where there is no screen to show more."""

R = TypeVar("R", Alert, Metric)


class DemoPlan(Struct, frozen=True, kw_only=True):
    """What the demo is to do; without a ``duration`` it runs until Ctrl-C."""

    duration: timedelta | None
    rate: float
    sellers: int
    seed: int


def run_demo(plan: DemoPlan) -> None:
    """Run the demo on this terminal.

    Raises :class:`~stream.embedded.EmbeddedBrokerError` and :class:`~stream.demo.children.ChildFailedError`.
    """
    console = Console(highlight=False)
    with ExitStack() as started:
        broker = started.enter_context(EmbeddedBroker())
        board = Board(datetime.now(UTC), Settings().min_counted)
        try:
            asyncio.run(_Demo(plan, broker.url, board, console, started).run())
        except KeyboardInterrupt:
            pass
        except BrokerError as error:
            raise ChildFailedError(str(error)) from error
        console.print("stopping…", style="dim")
    console.print(_summary(board), soft_wrap=True)


class _Demo:
    def __init__(self, plan: DemoPlan, broker: str, board: Board, console: Console, started: ExitStack) -> None:
        self._plan = plan
        self._broker = broker
        self._board = board
        self._console = console
        self._started = started
        self._children: list[Child] = []
        self._phase = "starting"
        self._since = datetime.now(UTC)
        self._told_history = False
        self._web_port = free_port()
        self._hints = (
            f"in another shell:  vtr alerts --follow --broker {broker}",
            f"for monitoring:    http://{HOST}:{self._web_port}/metrics",
        )

    async def run(self) -> None:
        await create_topics(Settings(broker=self._broker, partitions=PARTITIONS))
        background = asyncio.create_task(self._background())
        screen = asyncio.create_task(self._show())
        try:
            # What runs in the background has no end of its own: if it is done first, it has failed.
            await asyncio.wait([background, screen], return_when=asyncio.FIRST_COMPLETED)
            if background.done():
                background.result()
            screen.result()
        finally:
            background.cancel()
            screen.cancel()
            await asyncio.gather(background, screen, return_exceptions=True)

    async def _background(self) -> None:
        metrics = subscribe_metrics(self._broker, start="beginning", scope="seller")
        alerts = subscribe_alerts(self._broker, start="beginning")
        await asyncio.gather(self._watch(metrics, self._metric), self._watch(alerts, self._alert), self._start())

    async def _start(self) -> None:
        """The history first, then the worker, so that it starts on a backlog as it would on a real topic."""
        plan = self._plan
        if not self._console.is_terminal:
            for hint in self._hints:
                self._console.print(f"         {hint}", soft_wrap=True)
        self._say("sending 35 days of simulated history")
        events = plan.sellers * HISTORY_EVENTS_PER_SELLER
        simulator = self._child(
            "simulator",
            f"simulate --broker {self._broker} --events {events} --sellers {plan.sellers} --seed {plan.seed} "
            f"--period {HISTORY.days}d --live --rate {plan.rate}",
        )
        while "sent" not in simulator.output():
            simulator.check()
            await asyncio.sleep(0.05)
        self._say("the worker starts and joins its group")
        self._child(
            "worker",
            f"run --broker {self._broker} --session-timeout {GROUP_TIMEOUT} --rebalance-timeout {GROUP_TIMEOUT} "
            f"--idle-after {IDLE_AFTER} --web-port {self._web_port} --log-level warning --log-format text",
        )

    def _child(self, name: str, arguments: str) -> Child:
        child = Child(name, arguments.split())
        self._started.enter_context(child)
        self._children.append(child)
        return child

    def _say(self, phase: str) -> None:
        self._phase = phase
        if not self._console.is_terminal:
            self._console.print(f"{(datetime.now(UTC) - self._since).total_seconds():5.1f} s  {phase}")

    async def _watch(self, subscription: AsyncGenerator[R, None], take: Callable[[R], None]) -> None:
        async with aclosing(subscription):
            async for record in subscription:
                take(record)

    def _metric(self, metric: Metric) -> None:
        self._board.take_metric(metric)
        if self._board.caught_up and not self._told_history:
            self._told_history = True
            self._say(f"live, about {self._plan.rate:g} events/s")
            if not self._console.is_terminal:
                self._console.print(f"         {self._board.past_alerts} alerts in the history; the latest:")
                for alert in self._board.latest_alerts(TOLD_ALERTS):
                    self._console.print(alert_text(alert), soft_wrap=True)

    def _alert(self, alert: Alert) -> None:
        is_live = self._board.take_alert(alert)
        if is_live and self._told_history and not self._console.is_terminal:
            self._console.print(alert_text(alert), soft_wrap=True)

    async def _show(self) -> None:
        duration = self._plan.duration
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                elapsed = datetime.now(UTC) - self._since
                if self._console.is_terminal:
                    live.update(
                        picture(self._board, self._phase, elapsed, self._hints, self._console.height), refresh=True
                    )
                for child in self._children:
                    child.check()
                if duration is not None and elapsed >= duration:
                    return
                await asyncio.sleep(REFRESH)


def _summary(board: Board) -> str:
    live = ", ".join(f"{n} {kind}" for kind, n in sorted(board.live_alerts.items())) or "none"
    lines = [
        "",
        f"sellers       {board.sellers}",
        f"metrics read  {board.updates}",
        f"alerts        {board.past_alerts} in the history; live: {live}",
        "",
        "lowest VTR:",
        *(f"  {metric_text(metric)}" for metric in board.worst(5)),
        "",
        "Nothing of this is left: the embedded broker keeps everything in memory. To run on your own Kafka:",
        "  vtr topics create --broker kafka://HOST:9092 && vtr run --broker kafka://HOST:9092",
    ]
    return "\n".join(lines)
