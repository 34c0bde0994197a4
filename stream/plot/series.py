"""The VTR of one scope over time, as an engine that goes through the history has it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from stream.events import Event, OrderShipped
from stream.explain.near import NotFoundError
from stream.explain.seller import read_seller
from stream.records import Alert, Metric, Scope
from stream.replay import Meter, Summary
from stream.replay.player import Player, play
from stream.replay.runs import version_of
from stream.settings import Settings
from stream.shipment import EPOCH

HOUR = timedelta(hours=1)


class Sample(NamedTuple):
    """The metric at an instant; None where the scope is not there: then nothing is counted."""

    at: datetime
    metric: Metric | None


class Series(Struct, frozen=True):
    """A scope at every full hour, at each of its alerts and at ``as_of``, from its first metric on; and its alerts.

    ``warn_level`` is the settings'; where a threshold is higher, that is the level.
    """

    scope: Scope
    as_of: datetime
    samples: list[Sample]
    alerts: list[Alert]
    warn_level: float


def read_series(
    files: Sequence[str],
    scope: Scope,
    settings: Settings,
    summary: Summary,
    *,
    as_of: datetime | None = None,
    meter: Meter | None = None,
) -> Series:
    """The series of a scope up to ``as_of`` (UTC-aware; default: the last event's time), as a replay has it.

    What the files had that could not be used is counted in ``summary``. Raises
    :class:`~stream.explain.near.NotFoundError`, :class:`~stream.replay.errors.ReplayError` and
    :class:`~stream.policy.error.PolicyError`.
    """
    recorder = _Recorder(settings, scope)
    events, end = _own_events(files, scope, summary, as_of, meter)
    play(events, [recorder], end)
    recorder.record(end)
    first = next((n for n, sample in enumerate(recorder.samples) if sample.metric is not None), None)
    if first is None:
        raise NotFoundError(f"nothing of {_words(scope)} is or was in a window in {', '.join(files)}")
    return Series(
        scope=scope,
        as_of=end,
        samples=recorder.samples[first:],
        alerts=[alert for alert in recorder.alerts if alert.scope == scope],
        warn_level=float(settings.warn_level),
    )


def _own_events(
    files: Sequence[str], scope: Scope, summary: Summary, as_of: datetime | None, meter: Meter | None
) -> tuple[list[Event], datetime]:
    """The events of the scope's seller in order of their versions, and the end: a seller's metrics hang on nobody
    else's events."""
    found = read_seller(files, scope.seller_id, summary, as_of=as_of, meter=meter)
    own = found.events
    scopes = {Scope(e.seller_id, e.marketplace, e.category) for e in own if isinstance(e, OrderShipped)}
    wanted = _given(scope)
    if all(each[: len(wanted)] != wanted for each in scopes):
        known = ", ".join(sorted(map(_words, scopes))) or "nothing that was shipped"
        raise NotFoundError(f"there is no {_words(scope)} in {found.where}; there is {known}")
    own.sort(key=version_of)
    return own, as_of or found.last


def _given(scope: Scope) -> tuple[str, ...]:
    return tuple(part for part in scope if part is not None)


def _words(scope: Scope) -> str:
    return " ".join(_given(scope))


class _Recorder(Player):
    """A player that looks at one scope at every full hour, and whenever it has said something."""

    def __init__(self, settings: Settings, scope: Scope) -> None:
        super().__init__(settings)
        self.samples: list[Sample] = []
        self._scope = scope
        self._metric: Metric | None = None

    def advance(self, to: datetime) -> None:
        """Let time pass hour by hour. What an engine says does not hang on how time is cut."""
        as_of = self.engine.as_of
        if as_of > EPOCH:
            hour = as_of.replace(minute=0, second=0, microsecond=0) + HOUR
            while hour < to:
                super().advance(hour)
                self.record(hour)
                hour += HOUR
        known = len(self.alerts)
        super().advance(to)
        is_full_hour = not (to.minute or to.second or to.microsecond)
        if is_full_hour or any(alert.scope == self._scope for alert in self.alerts[known:]):
            self.record(to)

    def record(self, at: datetime) -> None:
        """Take a sample, in place of an earlier one of the same instant."""
        if self._scope in self.engine.take_gone():
            self._metric = None
        for taken in self.engine.take_metrics():
            if taken.scope == self._scope:
                self._metric = taken
        if self.samples and self.samples[-1].at == at:
            self.samples.pop()
        metric = self._metric
        self.samples.append(Sample(at, None if metric is None else replace(metric, as_of=at)))
