"""How a shipment came to its verdict: its events in the order of their versions, and what time alone changed.

The facts are merged, kept, judged and forgotten as the engine does it; tests hold the two to the same counts.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from msgspec import Struct

from stream.engine.numbers import plain_number, use_of
from stream.events import Event, OrderShipped, TrackingScanned, TrackingUploaded, encode
from stream.explain.facts import Facts, news
from stream.explain.numbers import Numbers, Other
from stream.explain.standing import NOT_SHIPPED, Standing, standing_of
from stream.policy import Policy
from stream.shipment import EPOCH, Entry, Shipment, hour_of
from stream.span import keep_until

Cause = Literal["order-shipped", "tracking-uploaded", "tracking-scanned", "grace_over", "reuse_over"]

Reached = Callable[[datetime], int]
"""Gives the hour since 1970 UTC that had been reached before an event of this time was applied."""


class Change(Struct, frozen=True, kw_only=True):
    """Something became known, or time passed. ``shipment_id`` is the one of the event: it is another shipment's where
    that has taken or given up the same number. Without ``event_id`` only time has passed."""

    at: datetime
    cause: Cause
    event_id: str | None
    shipment_id: str
    text: str
    before: Standing
    after: Standing


class Timeline(NamedTuple):
    """``unchanged`` counts the shipment's events that said nothing new; the rest is as of the end."""

    changes: list[Change]
    unchanged: int
    shipment: Shipment
    standing: Standing
    others: list[Other]


def timeline(
    policy: Policy,
    lag_days: int,
    shipment_id: str,
    events: Sequence[Event],
    as_of: datetime,
    reached: Reached,
    entries: Mapping[str, tuple[Entry, ...]] | None = None,
) -> Timeline:
    """The timeline of a shipment as of an instant from all known events of its seller, in any order.

    At least one event must be the shipment's. Time passes up to ``as_of`` and no further, as an engine's does where
    events run ahead of it. ``entries`` are first entries of numbers that no event tells any more, by shipment.
    """
    walk = _Walk(policy, lag_days, shipment_id, hour_of(as_of), reached, entries or {})
    for event in sorted(_with_a_part(shipment_id, events), key=_version):
        walk.apply(event)
    return walk.end()


def _with_a_part(shipment_id: str, events: Sequence[Event]) -> list[Event]:
    """The events of the shipment, and of those that ever had a number that it ever had."""
    numbers: dict[str, set[str]] = {}
    for event in events:
        if isinstance(event, TrackingUploaded) and event.tracking_number is not None:
            numbers.setdefault(plain_number(event.tracking_number), set()).add(event.shipment_id)
    taking_part = {shipment_id}.union(*(users for users in numbers.values() if shipment_id in users))
    return [event for event in events if event.shipment_id in taking_part]


def _version(event: Event) -> tuple[datetime, str, str, bytes]:
    """Ends in what makes the order the same whatever the order of the input, for what comes twice under one id."""
    return event.event_time, event.event_id, _KINDS[type(event)], encode(event)


_KINDS: dict[type[Event], Cause] = {
    OrderShipped: "order-shipped",
    TrackingUploaded: "tracking-uploaded",
    TrackingScanned: "tracking-scanned",
}


class _Walk:
    def __init__(
        self,
        policy: Policy,
        lag_days: int,
        shipment_id: str,
        last_hour: int,
        reached: Reached,
        entries: Mapping[str, tuple[Entry, ...]],
    ) -> None:
        self._policy = policy
        self._lag_days = lag_days
        self._shipment_id = shipment_id
        self._last_hour = last_hour
        self._reached = reached
        self._entries = entries
        self._shipments: dict[str, Shipment] = {}
        self._numbers = Numbers()
        self._hour = 0
        self._standing = NOT_SHIPPED
        self._is_reused = False
        self._changes: list[Change] = []
        self._unchanged = 0

    def apply(self, event: Event) -> None:
        self._pass(min(hour_of(event.event_time), self._last_hour))
        shipment_id = event.shipment_id
        known = self._shipments.get(shipment_id)
        is_forgotten = known is not None and keep_until(known, self._lag_days) <= self._reached(event.event_time)
        if known is None or is_forgotten:
            shipment = self._shipments[shipment_id] = Shipment(entries=self._entries.get(shipment_id, ()))
        else:
            shipment = known
        before = Facts.of(shipment)
        if shipment.merge(event):
            self._numbers.put(shipment_id, use_of(shipment), keep_until(shipment, self._lag_days))
        if shipment_id == self._shipment_id:
            self._note_own(event, news(event, before, Facts.of(shipment)), is_forgotten=is_forgotten)
        elif self._numbers.is_reused(self._shipment_id, self._hour) != self._is_reused:
            has = "no longer has" if self._is_reused else "has"
            text = f"shipment {shipment_id} of another order {has} the same number"
            self._note(event.event_time, _KINDS[type(event)], event, text)

    def _note_own(self, event: Event, text: str | None, *, is_forgotten: bool) -> None:
        if is_forgotten:
            text = f"what was known before is too old for any window and forgotten; {text or 'nothing new'}"
        if text is None and self._judged() == self._standing:
            self._unchanged += 1
        else:
            self._note(event.event_time, _KINDS[type(event)], event, text or "sent again")

    def end(self) -> Timeline:
        self._pass(self._last_hour)
        others = self._numbers.others(self._shipment_id, self._last_hour)
        shipment = self._shipments[self._shipment_id]
        return Timeline(self._changes, self._unchanged, shipment, self._standing, others)

    def _pass(self, hour: int) -> None:
        """Let time pass up to ``hour``, and note what that alone changes."""
        while True:
            grace_end = hour + 1
            if self._standing.pending_until is not None:
                grace_end = hour_of(self._standing.pending_until)
            reuse_end = hour + 1
            if self._is_reused and not self._numbers.is_reused(self._shipment_id, hour):
                reuse_end = self._numbers.reused_until(self._shipment_id)
            moment = min(grace_end, reuse_end)
            if moment > hour:
                break
            self._hour = moment
            at = EPOCH + timedelta(hours=moment)
            if moment == grace_end:
                self._note(at, "grace_over", None, "only time passed: the grace period is over")
            else:
                self._note(at, "reuse_over", None, "only time passed: the other shipments with the number are too old")
        self._hour = hour

    def _note(self, at: datetime, cause: Cause, event: Event | None, text: str) -> None:
        before, self._standing = self._standing, self._judged()
        self._is_reused = self._numbers.is_reused(self._shipment_id, self._hour)
        self._changes.append(
            Change(
                at=at,
                cause=cause,
                event_id=None if event is None else event.event_id,
                shipment_id=self._shipment_id if event is None else event.shipment_id,
                text=text,
                before=before,
                after=self._standing,
            )
        )

    def _judged(self) -> Standing:
        """As what the shipment counts in the hour that has been reached."""
        is_reused = self._numbers.is_reused(self._shipment_id, self._hour)
        return standing_of(self._policy, self._shipments[self._shipment_id], self._hour, is_reused=is_reused)
