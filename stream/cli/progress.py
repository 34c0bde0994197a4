"""How far a replay is: a bar on a terminal, elsewhere a line now and then, all of it on standard error."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

import click

from stream.replay.meter import Meter, Numbers, Reading, new_numbers

if TYPE_CHECKING:
    from rich.progress import Progress

LOOK_EVERY = 0.2
"""Seconds between two looks at the meters, and two pictures of the bar."""

LINE_EVERY = 5.0
"""Seconds between two lines, and before the first: a short replay says nothing."""

SPEED_OVER = 10.0
"""Seconds over which the speed is taken: it changes as shipments pile up."""


class Standing(NamedTuple):
    """How far a replay is. ``share`` of the present step is None where nobody can tell, ``left`` is in seconds."""

    step: str
    share: float | None
    events: int
    rate: float | None
    at: datetime | None
    left: float | None

    def __str__(self) -> str:
        parts = [f"{self.events:,} events"]
        if self.rate is not None:
            parts.append(f"{self.rate:,.0f}/s")
        if self.at is not None:
            parts.append(f"at {self.at:%Y-%m-%d %H:%M}")
        if self.left is not None:
            parts.append(f"{duration_text(self.left)} left of this step")
        share = "" if self.share is None else f" {self.share:.0%}"
        return f"{self.step}{share}: {', '.join(parts)}"


def duration_text(seconds: float) -> str:
    """``1:02:03``, or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Pace:
    """Makes of meters, looked at again and again, how far and how fast all are. ``size`` is the bytes to read."""

    def __init__(self, size: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._step = ""
        self._seen: list[tuple[float, float, float]] = []
        """Seconds, share of the step and events, the oldest first."""

    def standing(self, meters: Sequence[Numbers]) -> Standing:
        """How far all are."""
        at: datetime | None = None
        share: float | None = None
        # Until the last one has read all, reading is what the others wait for.
        if all(numbers[Reading.IS_PLAYING] for numbers in meters):
            step = "replaying"
            done = sum(numbers[Reading.PLAYED] for numbers in meters)
            total = sum(numbers[Reading.TOTAL] for numbers in meters)
            share = done / total if total else None
            # The one that is behind says when all results up to then are there.
            reached = min((numbers[Reading.AT] for numbers in meters if numbers[Reading.AT]), default=None)
            at = None if reached is None else datetime.fromtimestamp(reached, UTC)
        else:
            step = "reading"
            done = sum(numbers[Reading.EVENTS] for numbers in meters)
            read = sum(numbers[Reading.SIZE] for numbers in meters) / len(meters)
            share = min(1.0, read / self._size) if self._size else None
        rate, left = self._rate(step, share, done)
        return Standing(step, share, int(done), rate, at, left)

    def _rate(self, step: str, share: float | None, done: float) -> tuple[float | None, float | None]:
        now = self._clock()
        if step != self._step:
            self._step, self._seen = step, []
        self._seen.append((now, share or 0.0, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > SPEED_OVER:
            del self._seen[0]
        since, share_then, done_then = self._seen[0]
        passed = now - since
        if passed <= 0:
            return None, None
        progress = (share or 0.0) - share_then
        left = None if share is None or progress <= 0 else (1 - share) / progress * passed
        return (done - done_then) / passed, left


@contextmanager
def reading(size: int | None) -> Iterator[Meter]:
    """A meter for what only reads a history, of ``size`` bytes; how far it is, is shown meanwhile."""
    numbers = new_numbers()
    with ReplayProgress(size) as progress:
        yield Meter(numbers, lambda: progress.show([numbers]))


class ReplayProgress:
    """Shows how far a replay is, as long as it is entered: call :meth:`show` as often as you like."""

    def __init__(self, size: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = Pace(size, clock)
        self._clock = clock
        self._is_terminal = sys.stderr.isatty()
        self._look_at = clock()
        self._line_at = clock() + LINE_EVERY
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, meters: Sequence[Numbers]) -> None:
        """Show how far these are, unless that was shown a moment ago."""
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY
        standing = self._pace.standing(meters)
        if self._is_terminal:
            self._draw(standing)
        elif now >= self._line_at:
            self._line_at = now + LINE_EVERY
            click.echo(f"vtr: {standing}", err=True)

    def _draw(self, standing: Standing) -> None:
        if self._bar is None:
            # Every command would take longer to start.
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            # Without a thread of its own: it is drawn from here, and processes may be started meanwhile.
            self._bar = Progress(
                BarColumn(20),
                TextColumn("{task.description}"),
                console=Console(stderr=True),
                auto_refresh=False,
                transient=True,
            )
            self._bar.add_task("", total=1.0)
            self._bar.start()
        task = self._bar.tasks[0]
        task.total = None if standing.share is None else 1.0
        self._bar.update(task.id, completed=standing.share or 0.0, description=str(standing), refresh=True)
