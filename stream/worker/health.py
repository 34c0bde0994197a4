"""Whether a worker lives and whether it is ready: what it knows of itself, and what follows from that.

Everything here may be asked from any thread. The web server has one of its own, so that it answers while the event loop
is blocked; the age of the loop's last step tells.
"""

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from faust.types import TP
from msgspec import Struct

from stream.kafka.clients import why_shut_out
from stream.worker import facts
from stream.worker.consumer import BatchConsumer

if TYPE_CHECKING:
    from stream.worker.app import VtrApp

STUCK_AFTER = 20.0
"""Seconds without any progress after which a worker is not ready. Longer than a step of the largest batch takes, and
short enough that a probe every few seconds knows within 30."""

PARTITION_PATIENCE = 1.25
"""How much longer a single partition may go unanswered: where no broker answers at all, that is to be said first."""

DEAD_AFTER = 300.0
"""Seconds for which the event loop may be blocked before the worker counts as dead. To derive the windows of a large
partition from its shipments takes minutes, and a restart would begin them anew."""

LOOK_EVERY = 1.0
"""Seconds between two looks of the worker at itself."""

ASK_WHY_EVERY = 20.0
"""Seconds between two questions why no broker answers. One is a login more, and a password may be one that is wrong."""

logger = logging.getLogger("stream.worker.health")

State = Literal["starting", "joining", "restoring", "running", "stopping", "failed"]


class Facts(Struct, frozen=True, kw_only=True):
    """What a worker knows of itself. Durations are in seconds; None for what has not been or is not."""

    state: State
    assigned_partitions: list[int] = []
    restored_partitions: list[int] = []
    event_loop_age_seconds: float = 0.0
    """Since the event loop's last step."""
    poll_age_seconds: float | None = None
    """Since the consumer last asked for records and had an answer, even an empty one from its own buffer."""
    broker_answer_age_seconds: float | None = None
    unanswered_partitions: list[str] = []
    """Input partitions for which no broker answers, though it may for others."""
    shut_out: str | None = None
    """While some broker does not answer: what a client that begins now is told, which a worker would not hear of."""
    processing_seconds: float | None = None
    """Since a batch was last done, while others wait."""
    publishing_seconds: float | None = None
    """Since the longest step that is being published began to be."""
    commit_age_seconds: float | None = None
    commit_due_seconds: float | None = None
    """Since when there has been something to commit."""
    lag_records: dict[str, int] = {}
    """Records of each input partition that are not processed yet."""


class Trouble(NamedTuple):
    """Why a worker is not ready. ``kind`` stays the same while it lasts."""

    kind: str
    text: str


def troubles(known: Facts) -> list[Trouble]:
    """Why the worker is not ready; nothing where it is. How far it lags behind is not among it: it may catch up."""
    found = [] if known.state == "running" else [Trouble(known.state, _STATES[known.state])]
    if known.state == "running" and (missing := sorted({*known.assigned_partitions} - {*known.restored_partitions})):
        found.append(Trouble("windows", f"the windows of partitions {_list(missing)} are being derived"))
    for kind, seconds, text in (
        ("loop", known.event_loop_age_seconds, "the event loop is blocked for {:.0f} s"),
        ("broker", known.broker_answer_age_seconds, "no broker has answered for {:.0f} s"),
        ("poll", known.poll_age_seconds, "no records were asked for in {:.0f} s"),
        ("processing", known.processing_seconds, "no batch was done in {:.0f} s though some wait"),
        ("publishing", known.publishing_seconds, "publishing takes {:.0f} s"),
        ("commit", known.commit_due_seconds, "nothing was committed in {:.0f} s though there is something to commit"),
    ):
        if seconds is not None and seconds > STUCK_AFTER and (known.state == "running" or kind in ("loop", "broker")):
            found.append(Trouble(kind, text.format(seconds)))
    if known.unanswered_partitions and not any(trouble.kind == "broker" for trouble in found):
        found.append(Trouble("partitions", f"no broker answers for {_list(known.unanswered_partitions)}"))
    if known.shut_out is not None:
        found.append(Trouble("shut out", known.shut_out))
    return found


def is_alive(known: Facts) -> bool:
    """Whether the worker may yet get on by itself. A broker that is away is no reason for a restart."""
    return known.event_loop_age_seconds <= DEAD_AFTER


_STATES = {
    "starting": "the worker is starting",
    "joining": "no partitions are assigned yet, or they are being assigned anew",
    "restoring": "the partitions are being restored",
    "stopping": "the worker is stopping",
    "failed": "the worker is stopping because of an error",
}

_UNTOLD = {*_STATES, "windows", "shut out"}
"""What passes by itself with every rebalance, and what is told where it is asked for."""

_NAMED = 10


def _list(names: "list[int] | list[str]") -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(str, names[:_NAMED])) + more


class Health:
    """The facts of one worker, and a line in the log when it gets into trouble or out of it."""

    def __init__(self, app: "VtrApp") -> None:
        self._app = app
        self._stepped_at = monotonic()
        self._answered_at: float | None = None
        self._told: dict[str, float] = {}
        self._shut_out: str | None = None
        self._asked_why_at = float("-inf")

    def facts(self) -> Facts:
        """What is known now."""
        now = monotonic()
        loop_age = now - self._stepped_at
        state, consumer = self._state()
        if consumer is None:
            return Facts(state=state, event_loop_age_seconds=loop_age)
        processor = self._app.processor
        inputs = {tp for tp in facts.assigned(consumer) if self._app.topics.acks_enabled_for(tp.topic)}
        answered_at = self._latest_answer(consumer)
        patience = STUCK_AFTER * PARTITION_PATIENCE
        is_settled = state == "running" and now - processor.ready_at > patience
        publishing = processor.publishing_since()
        return Facts(
            state=state,
            assigned_partitions=sorted({tp.partition for tp in inputs}),
            restored_partitions=sorted(processor.partitions()),
            event_loop_age_seconds=loop_age,
            poll_age_seconds=now - max(consumer.last_poll_at, processor.ready_at) if inputs else None,
            broker_answer_age_seconds=None if answered_at is None else now - answered_at,
            unanswered_partitions=_names(facts.unanswered(consumer, patience)) if is_settled else [],
            shut_out=self._shut_out,
            processing_seconds=now - consumer.progressed_at if consumer.is_processing() else None,
            publishing_seconds=None if publishing is None else now - publishing,
            commit_age_seconds=None if consumer.last_commit_at is None else now - consumer.last_commit_at,
            commit_due_seconds=now - consumer.commit_due_at if consumer.has_uncommitted() else None,
            lag_records={_name(tp): lag for tp, lag in sorted(facts.lags(consumer).items())},
        )

    def _state(self) -> tuple[State, BatchConsumer | None]:
        app = self._app
        # Not `app.consumer`, which would make one, and in the wrong thread.
        consumer = cast("BatchConsumer | None", app._consumer)
        if consumer is None or consumer._thread._consumer is None:
            return "starting", None
        if app.processor.has_failed:
            return "failed", consumer
        if app.should_stop:
            return "stopping", consumer
        if app.processor.is_running():
            return "running", consumer
        return "joining" if consumer.is_rebalancing() else "restoring", consumer

    def _latest_answer(self, consumer: BatchConsumer) -> float | None:
        # A connection that has failed is gone, and with it what it knew.
        answers = [at for at in (self._answered_at, facts.answered_at(consumer)) if at is not None]
        self._answered_at = max(answers, default=None)
        return self._answered_at

    async def watch(self) -> None:
        """Say when the worker gets into trouble and when it is out of it again, until it stops."""
        while True:
            self.step()
            await asyncio.sleep(LOOK_EVERY)

    async def watch_entry(self) -> None:
        """While brokers do not answer, ask as a new client why, until the worker stops."""
        while True:
            await self.step_entry()
            await asyncio.sleep(LOOK_EVERY)

    async def step_entry(self) -> None:
        """Ask once, where it is time. To Faust a broker that refuses us, as after a change of the password, is away."""
        if not {trouble.kind for trouble in troubles(self.facts())} & {"broker", "partitions"}:
            self._shut_out = None
        elif monotonic() - self._asked_why_at > ASK_WHY_EVERY:
            self._asked_why_at = monotonic()
            error = await why_shut_out(self._app.cluster)
            why = None if error is None else str(error)
            if why is not None and why != self._shut_out:
                logger.warning("not ready: %s", why)
            self._shut_out = why

    def step(self) -> None:
        """Look at the facts once."""
        now = monotonic()
        blocked = now - self._stepped_at
        self._stepped_at = now
        if blocked > STUCK_AFTER:
            logger.warning("the event loop was blocked for %.0f s", blocked)
        known = self.facts()
        found = {kind: text for kind, text in troubles(known) if kind not in _UNTOLD}
        if found.keys() - self._told and not (self._told and "broker" in found):  # all else follows from that
            logger.warning("not ready: %s", "; ".join(found.values()))
        self._told |= {kind: self._told.get(kind, now) for kind in found}
        if self._told and known.state == "running" and not found:
            logger.info("ready again after %.0f s", now - min(self._told.values()))
            self._told.clear()


def _name(tp: TP) -> str:
    return f"{tp.topic}/{tp.partition}"


def _names(tps: list[TP]) -> list[str]:
    return list(map(_name, tps))
