"""The brokers of a simulated cluster: what they answer to aiokafka's requests.

Two of them share the partitions, so that topics can fare differently. Requests are real ones, decoded; the answers are
built of aiokafka's own classes.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import NotLeaderForPartitionError, OffsetOutOfRangeError
from aiokafka.protocol.api import Request, Response

from stream.records import decode_alert
from stream.shipment import EPOCH
from stream.state.rows import WATERMARK_KEY, unpack_watermark
from tests.simulation.group import Group
from tests.simulation.log import Log, Logs, Row, decoded, encoded
from tests.simulation.loop import Scheduler

BROKERS = (0, 1)
COORDINATOR = 0

PRODUCE, FETCH, LIST_OFFSETS, METADATA, COMMIT, COMMITTED = 0, 1, 2, 3, 8, 9
FIND_COORDINATOR, JOIN, HEARTBEAT, LEAVE, SYNC = 10, 11, 12, 13, 14

_VERSIONS = {
    key: (version, version)
    for key, version in {
        PRODUCE: 3,
        FETCH: 4,
        LIST_OFFSETS: 1,
        METADATA: 1,
        COMMIT: 2,
        COMMITTED: 1,
        FIND_COORDINATOR: 0,
        JOIN: 2,
        HEARTBEAT: 0,
        LEAVE: 0,
        SYNC: 1,
    }.items()
}

LATEST = -1

Reply = Callable[[Response], None]


def prepared(request: "Request[Any]") -> Any:  # noqa: ANN401 - of the one version that these brokers know
    """A request as it goes over the wire."""
    return request.prepare(_VERSIONS)


class Chance(Protocol):
    """What of a broker's answers is left to chance, within what Kafka promises."""

    def share(self, rows: dict[TopicPartition, list[Row]]) -> dict[TopicPartition, list[Row]]:
        """What of the records there are an answer has: of any partition any number from the first on, but something."""

    def holds(self, seconds: float) -> float:
        """For how many seconds a fetch that finds nothing is held, which asked to be for so many."""

    def refuses(self, partition: TopicPartition) -> bool:
        """Whether a broker says that it does not lead the partition (any more, or yet)."""


class Cluster:
    """Topics, logs and the group."""

    def __init__(self, scheduler: Scheduler, topics: Sequence[str], partitions: int, chance: Chance) -> None:
        self.logs = Logs()
        self.group = Group(scheduler)
        self.on_join: Callable[[str], None] = lambda _: None
        """Called with the name of a process that asks to join."""
        self._scheduler = scheduler
        self._chance = chance
        self._topics = [(topic, partitions) for topic in topics]
        self._leader = {
            TopicPartition(topic, number): BROKERS[(place + number) % len(BROKERS)]
            for place, topic in enumerate(topics)
            for number in range(partitions)
        }
        self._waiting: defaultdict[TopicPartition, list[Callable[[], None]]] = defaultdict(list)
        self._handlers: dict[int, Callable[[str, Any, Reply], None]] = {
            PRODUCE: self._produce,
            FETCH: self._fetch,
            LIST_OFFSETS: self._list_offsets,
            METADATA: self._metadata,
            COMMIT: self._commit,
            COMMITTED: self._committed,
            FIND_COORDINATOR: self._find_coordinator,
            JOIN: self._join,
            HEARTBEAT: self._heartbeat,
            LEAVE: self._leave,
            SYNC: self._sync,
        }

    def handle(self, sender: str, request: Any, reply: Reply) -> None:  # noqa: ANN401 - see prepared()
        """Do what a request asks for, and answer now or later."""
        self._handlers[request.API_KEY](sender, request, reply)

    def append(self, tp: TopicPartition, rows: Sequence[tuple[bytes | None, bytes | None]]) -> int:
        """Records of somebody who is not simulated. Returns the offset of the first."""
        log = self.logs[tp]
        first = log.end
        for key, value in rows:
            log.append(key, value, self._time())
        self._wake(tp)
        return first

    # --- Records -----------------------------------------------------------------------------------------------------

    def _produce(self, sender: str, request: Any, reply: Reply) -> None:  # noqa: ANN401
        topics = []
        for topic, batches in request.topics:
            answers = []
            for partition, batch in batches:
                tp = TopicPartition(topic, partition)
                if self._chance.refuses(tp):
                    answers.append((partition, NotLeaderForPartitionError.errno, -1, -1))
                    continue
                log = self.logs[tp]
                answers.append((partition, 0, log.end, -1))
                first = log.end
                for key, value, headers in decoded(batch):
                    log.append(key, value, self._time(), headers)
                self._scheduler.trace(lambda tp=tp, log=log, first=first: f"{sender}: wrote {_said(tp, log, first)}")  # type: ignore[misc]
                self._wake(tp)
            topics.append((topic, answers))
        reply(request.RESPONSE_TYPE(topics=topics, throttle_time_ms=0))

    def _fetch(self, sender: str, request: Any, reply: Reply) -> None:  # noqa: ANN401
        wanted = {
            TopicPartition(topic, partition): offset
            for topic, partitions in request.topics
            for partition, offset, _ in partitions
        }
        is_over = False

        def answer(*, at_last: bool = False) -> None:
            nonlocal is_over
            if is_over:
                return
            rows = {tp: found for tp, offset in wanted.items() if (found := self.logs[tp].read(offset, 1000))}
            outside = [tp for tp, offset in wanted.items() if offset > self.logs[tp].end]
            if not (rows or outside or at_last):
                return
            is_over = True
            sent = self._chance.share(rows) if rows else {}
            if sent:
                self._scheduler.trace(lambda: f"{sender}: is sent {_ranges(sent)}")
            by_topic: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
            for tp in wanted:
                error = OffsetOutOfRangeError.errno if tp in outside else 0
                end = self.logs[tp].end
                by_topic[tp.topic].append((tp.partition, error, end, end, [], encoded(sent.get(tp, []))))
            reply(request.RESPONSE_TYPE(throttle_time_ms=0, topics=list(by_topic.items())))

        answer()
        if not is_over:
            for tp in wanted:
                self._waiting[tp].append(answer)
            self._scheduler.call_later(self._chance.holds(request.max_wait_time / 1000), lambda: answer(at_last=True))

    def _time(self) -> int:
        return int(self._scheduler.now * 1000)

    def _wake(self, tp: TopicPartition) -> None:
        for answer in self._waiting.pop(tp, ()):
            answer()

    def _list_offsets(self, _: str, request: Any, reply: Reply) -> None:  # noqa: ANN401
        topics = [
            (
                topic,
                [
                    (partition, 0, -1, self.logs[TopicPartition(topic, partition)].end if timestamp == LATEST else 0)
                    for partition, timestamp in partitions
                ],
            )
            for topic, partitions in request.topics
        ]
        reply(request.RESPONSE_TYPE(topics=topics))

    def _metadata(self, _: str, request: Any, reply: Reply) -> None:  # noqa: ANN401
        # The rack is no None: clients keep brokers in sets, and the hash of None differs from run to run.
        brokers = [(number, f"broker-{number}", 9092, "rack") for number in BROKERS]
        topics = []
        for topic, partitions in self._topics:
            leaders = [(number, self._leader[TopicPartition(topic, number)]) for number in range(partitions)]
            topics.append((0, topic, False, [(0, number, leader, [leader], [leader]) for number, leader in leaders]))
        reply(request.RESPONSE_TYPE(brokers=brokers, controller_id=0, topics=topics))

    # --- The group ---------------------------------------------------------------------------------------------------

    def _find_coordinator(self, _: str, request: Any, reply: Reply) -> None:  # noqa: ANN401
        reply(request.RESPONSE_TYPE(error_code=0, coordinator_id=COORDINATOR, host=f"broker-{COORDINATOR}", port=9092))

    def _join(self, sender: str, request: Any, reply: Reply) -> None:  # noqa: ANN401
        ((protocol, metadata),) = request.group_protocols
        self.on_join(sender)

        def answer(error: int, generation: int, leader: str, own: str, members: list[tuple[str, bytes]]) -> None:
            reply(request.RESPONSE_TYPE(0, error, generation, protocol, leader, own, members))

        self._scheduler.trace(lambda: f"{sender}: joins as {request.member_id or 'a new member'}")
        self.group.join(
            request.member_id,
            request.session_timeout / 1000,
            request.rebalance_timeout / 1000,
            metadata,
            answer,
        )

    def _sync(self, _: str, request: Any, reply: Reply) -> None:  # noqa: ANN401
        self.group.sync(
            request.member_id,
            request.generation_id,
            request.group_assignment,
            lambda error, assignment: reply(request.RESPONSE_TYPE(0, error, assignment)),
        )

    def _heartbeat(self, _: str, request: Any, reply: Reply) -> None:  # noqa: ANN401
        reply(request.RESPONSE_TYPE(self.group.heartbeat(request.member_id, request.generation_id)))

    def _leave(self, _: str, request: Any, reply: Reply) -> None:  # noqa: ANN401
        reply(request.RESPONSE_TYPE(self.group.leave(request.member_id)))

    def _commit(self, sender: str, request: Any, reply: Reply) -> None:  # noqa: ANN401
        offsets = {
            TopicPartition(topic, partition): offset
            for topic, partitions in request.topics
            for partition, offset, _ in partitions
        }
        error = self.group.commit(request.consumer_id, request.consumer_group_generation_id, offsets)
        self._scheduler.trace(lambda: f"{sender}: commits {_short(offsets)}{f': refused, {error}' if error else ''}")
        topics = [(topic, [(number, error) for number, *_ in partitions]) for topic, partitions in request.topics]
        reply(request.RESPONSE_TYPE(topics=topics))

    def _committed(self, _: str, request: Any, reply: Reply) -> None:  # noqa: ANN401
        offsets = self.group.offsets
        topics = [
            (topic, [(number, offsets.get(TopicPartition(topic, number), -1), "", 0) for number in partitions])
            for topic, partitions in request.topics
        ]
        reply(request.RESPONSE_TYPE(topics=topics))


def _said(tp: TopicPartition, log: Log, first: int) -> str:
    """What was written, in words where it is a watermark or alerts."""
    words = []
    for row in log.read(first, log.end):
        if row.key == WATERMARK_KEY and row.value is not None:
            words.append(f"watermark {EPOCH + timedelta(hours=unpack_watermark(row.value)):%d %H:%M}")
        elif b"alert_id" in (row.value or b""):
            alert = decode_alert(row.value or b"")
            scope = "/".join(filter(None, alert.scope))
            words.append(f"{alert.previous_status}->{alert.status} of {scope} {alert.since:%d %H:%M:%S}")
    return f"{tp.topic}/{tp.partition} from {first} to {log.end - 1}{': ' if words else ''}{', '.join(words)}"


def _ranges(sent: dict[TopicPartition, list[Row]]) -> str:
    return ", ".join(
        f"{tp.topic}/{tp.partition} {rows[0].offset}..{rows[-1].offset}" for tp, rows in sorted(sent.items())
    )


def _short(offsets: dict[TopicPartition, int]) -> str:
    return ", ".join(f"{tp.topic}/{tp.partition}={offset}" for tp, offset in sorted(offsets.items()))
