"""A broker's consumer group: the classic protocol as a coordinator runs it, with fencing by member and generation."""

from collections.abc import Callable
from typing import Literal, TypeAlias

from aiokafka import TopicPartition
from aiokafka.errors import IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError

from tests.simulation.loop import Scheduler

Reply: TypeAlias = Callable[..., None]

NONE = 0
UNKNOWN_MEMBER: int = UnknownMemberIdError.errno
ILLEGAL_GENERATION: int = IllegalGenerationError.errno
REBALANCE: int = RebalanceInProgressError.errno

JOIN_DELAY = 0.05
"""Seconds a new group waits for more members; Kafka's default is 3."""


class _Member:
    def __init__(self, name: str, session: float, rebalance: float) -> None:
        self.name, self.session, self.rebalance = name, session, rebalance
        self.seen_at = 0.0
        self.metadata = b""
        self.join: Reply | None = None
        self.sync: Reply | None = None


class Group:
    """The members of one group, and the offsets they have committed."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._state: Literal["empty", "preparing", "completing", "stable"] = "empty"
        self._members: dict[str, _Member] = {}
        self._assignments: dict[str, bytes] = {}
        self._round = 0
        self._delayed_until = 0.0
        self.generation = 0
        self.offsets: dict[TopicPartition, int] = {}
        self.fenced = 0
        """Commits refused because their sender is no member of this generation."""

    # --- Requests ----------------------------------------------------------------------------------------------------

    def join(self, member_id: str, session: float, rebalance: float, metadata: bytes, reply: Reply) -> None:
        """``reply`` is called with an error code, generation, leader, own id and (for the leader) all metadata."""
        if member_id and member_id not in self._members:
            reply(UNKNOWN_MEMBER, -1, "", member_id, [])
            return
        if not member_id:
            member_id = f"member-{self._scheduler.number()}"
            self._members[member_id] = _Member(member_id, session, rebalance)
            self._watch(member_id)
        member = self._members[member_id]
        member.metadata, member.join, member.seen_at = metadata, reply, self._scheduler.now
        if self._state != "preparing":
            self._prepare(JOIN_DELAY if self._state == "empty" else 0.0)
        self._maybe_complete()

    def sync(self, member_id: str, generation: int, assignments: list[tuple[str, bytes]], reply: Reply) -> None:
        """``reply`` is called with an error code and the member's assignment."""
        if error := self._refused(member_id, generation):
            reply(error, b"")
        elif self._state == "preparing":
            reply(REBALANCE, b"")
        elif self._state == "stable":
            reply(NONE, self._assignments.get(member_id, b""))
        else:
            self._members[member_id].sync = reply
            if assignments:
                self._assignments = dict(assignments)
                self._state = "stable"
                for member in self._members.values():
                    waiting, member.sync = member.sync, None
                    if waiting is not None:
                        waiting(NONE, self._assignments.get(member.name, b""))

    def heartbeat(self, member_id: str, generation: int) -> int:
        """Returns an error code."""
        return self._refused(member_id, generation) or (REBALANCE if self._state == "preparing" else NONE)

    def leave(self, member_id: str) -> int:
        """Returns an error code."""
        if member_id not in self._members:
            return UNKNOWN_MEMBER
        self._remove(member_id)
        return NONE

    def commit(self, member_id: str, generation: int, offsets: dict[TopicPartition, int]) -> int:
        """Returns an error code."""
        if error := self._refused(member_id, generation):
            self.fenced += 1
            return error
        if self._state == "completing":
            return REBALANCE
        self.offsets.update(offsets)
        return NONE

    def is_stable_with(self, members: int) -> bool:
        """Whether there are so many members, and all of them know their partitions."""
        return self._state == "stable" and len(self._members) == members

    # --- Rebalancing -------------------------------------------------------------------------------------------------

    def _refused(self, member_id: str, generation: int) -> int:
        member = self._members.get(member_id)
        if member is None:
            return UNKNOWN_MEMBER
        if generation != self.generation:
            return ILLEGAL_GENERATION
        member.seen_at = self._scheduler.now
        return NONE

    def _watch(self, member_id: str) -> None:
        member = self._members.get(member_id)
        if member is None:
            return
        due = member.seen_at + member.session
        if member.seen_at and due <= self._scheduler.now and member.join is None:
            self._scheduler.trace(lambda: f"group: session of {member_id} has expired")
            self._remove(member_id)
        else:
            self._scheduler.call_at(max(due, self._scheduler.now + 0.1), self._watch, member_id)

    def _remove(self, member_id: str) -> None:
        del self._members[member_id]
        if not self._members:
            self._state = "empty"
            self._round += 1
        elif self._state == "preparing":
            self._maybe_complete()
        else:
            self._prepare(0.0)
            self._maybe_complete()

    def _prepare(self, delay: float) -> None:
        self._state = "preparing"
        self._round += 1
        for member in self._members.values():
            waiting, member.sync = member.sync, None
            if waiting is not None:
                waiting(REBALANCE, b"")
        self._delayed_until = self._scheduler.now + delay
        if delay:
            self._scheduler.call_later(delay, self._maybe_complete)
        limit = max((member.rebalance for member in self._members.values()), default=0.0)
        self._scheduler.call_later(limit, self._give_up_waiting, self._round)

    def _give_up_waiting(self, number: int) -> None:
        if self._state == "preparing" and self._round == number:
            for name in [name for name, member in self._members.items() if member.join is None]:
                self._scheduler.trace(lambda name=name: f"group: {name} did not come to the rebalance")  # type: ignore[misc]
                del self._members[name]
            self._maybe_complete()
            if not self._members:
                self._state = "empty"

    def _maybe_complete(self) -> None:
        if self._state != "preparing" or not self._members or self._scheduler.now < self._delayed_until:
            return
        if any(member.join is None for member in self._members.values()):
            return
        self.generation += 1
        self._state = "completing"
        self._assignments = {}
        leader = next(iter(self._members))
        self._scheduler.trace(lambda: f"group: generation {self.generation} of {list(self._members)}")
        everybody = [(member.name, member.metadata) for member in self._members.values()]
        for member in list(self._members.values()):
            reply, member.join = member.join, None
            member.seen_at = self._scheduler.now
            assert reply is not None
            reply(NONE, self.generation, leader, member.name, everybody if member.name == leader else [])
