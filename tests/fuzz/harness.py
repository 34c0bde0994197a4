"""A worker's partition on a store in memory, and what must hold of it whatever comes in."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from aiokafka import ConsumerRecord
from msgspec.structs import replace

from stream.dead_letters import decode_letter, encode_letter, read_letter
from stream.dead_letters.headers import ADDED, CODE, MESSAGE
from stream.engine import Engine, EngineSettings
from stream.events import Event, OrderShipped, Rejection, RejectionCode, TrackingUploaded, decode
from stream.policy import RulesPolicy
from stream.records import Alert, Metric, Scope, decode_alert, decode_key, decode_metric, encode, encode_key
from stream.settings import Settings
from stream.shipment import Shipment
from stream.span import keep_until
from stream.state import MemoryStore, StoredShipments
from stream.state.rows import WATERMARK_KEY, kept_until, pack, shipment_key, split_key, unpack
from stream.worker.consumer import Record
from stream.worker.dead_letters import DeadLetter, RejectionLimit
from stream.worker.late import LateShipments
from stream.worker.partition import Partition
from stream.worker.publisher import Outgoing
from stream.worker.watermark import Watermark
from tests.fuzz.inputs import TOPICS, Input

START = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
PARTITION = 3
MOST_OF_A_MESSAGE = 600
"""Characters: it goes into a header, and into logs."""

NAMES_A_FIELD = re.compile(r"`\$\.[\w.$\[\]…]*`|required field `\w+`|`\$` ?$")

FIELD_BY_CODE = {
    RejectionCode.KEY_MISMATCH: "`seller_id`",
    RejectionCode.FUTURE_EVENT: "`event_time`",
    RejectionCode.TOO_LATE: "`event_time`",
}


class BrokenError(AssertionError):
    """Something that must hold does not."""


class Totals(NamedTuple):
    """What came of the inputs so far."""

    read: int
    accepted: int
    codes: dict[str, int]
    shipments: int
    scopes: int
    alerts: int


class Harness:
    """One partition, fed by the batch. Raises :class:`BrokenError`, or what the worker's own code raises."""

    def __init__(self, settings: Settings, now: datetime = START) -> None:
        self.settings = settings
        self.now = now
        self.alerts: dict[Scope, Alert] = {}
        self._said = 0
        self._read = 0
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._policy = policy_of(settings)
        self._store = MemoryStore()
        self._monotonic = 0.0
        shipments = self._stored()
        self.engine = Engine(self._policy, EngineSettings.of(settings), shipments)
        self._partition = Partition(
            self.engine,
            shipments,
            Watermark(TOPICS, idle_after=5.0, monotonic=0.0),
            RejectionLimit(Decimal(1), 10_000),
            LateShipments(TOPICS, quiet=0.0),
            1.0,
            self._outcomes,
        )

    def _stored(self) -> StoredShipments:
        return StoredShipments(self._store, self.settings.lag_days)

    # --- In ----------------------------------------------------------------------------------------------------------

    def feed(self, inputs: Sequence[Input], is_at_end: Callable[[str], bool] = lambda _: True) -> None:
        """Process the inputs in one step, as a worker does what waits for it, and check what comes of them."""
        batches: list[tuple[str, list[Record]]] = []
        for topic in TOPICS:
            records: list[Record] = []
            for each in inputs:
                if each.topic == topic:
                    place = (topic, PARTITION, self._read, 0, 0)
                    records.append(ConsumerRecord(*place, each.key, each.value, None, 0, 0, each.headers))
                    self._read += 1
            if records:
                batches.append((topic, records))
        before = self._accepted()
        outgoing = self._partition.process(batches, self.now, self._monotonic, is_at_end)
        self._take(outgoing)
        accepted = self._accepted() - before
        expect(accepted + len(outgoing.dead_letters) == len(inputs), "accepted + dead letters are not what was read")
        read = [record for _, records in batches for record in records]
        rejected = self._check_letters(read, outgoing.dead_letters)
        self._check_accepted([record for record in read if record.offset not in rejected])

    def pass_time(self, passed: timedelta) -> None:
        """Let the clock go on, and look at it."""
        self.now += passed
        self._monotonic += passed.total_seconds()
        self._take(self._partition.idle(self.now, self._monotonic, lambda _: True))

    def _take(self, outgoing: Outgoing) -> None:
        """What a publisher would do with it, and whether it could."""
        for alert in outgoing.alerts:
            expect(decode_alert(encode(alert)) == alert, f"not the same alert again: {alert}")
            self.alerts[alert.scope] = alert
            self._said += 1
        for metric in outgoing.metrics:
            expect(decode_metric(encode(metric)) == metric, f"not the same metric again: {metric}")
        for scope in (*outgoing.gone, *(metric.scope for metric in outgoing.metrics)):
            expect(decode_key(encode_key(scope)) == scope, f"not the same scope again: {scope}")
        for key, value in outgoing.rows.items():
            if value is not None:
                shipment = unpack(split_key(key), value)
                expect(shipment_key(split_key(key)) == key, "a row's key does not lead back to itself")
                expect(pack(kept_until(value), shipment) == value, f"a row is not packed as it was: {shipment}")
        if outgoing.watermark is not None:
            self._store.write({WATERMARK_KEY: outgoing.watermark})

    # --- What must hold ----------------------------------------------------------------------------------------------

    def _check_letters(self, records: Sequence[Record], letters: Sequence[DeadLetter]) -> set[int]:
        """Returns the offsets of the records that are dead letters."""
        by_offset = {record.offset: record for record in records}
        offsets = []
        for letter in letters:
            letter_record: Record = ConsumerRecord(
                "dead", PARTITION, 0, 0, 0, letter.key, letter.value, None, 0, 0, tuple(letter.headers)
            )
            read = read_letter(letter_record)
            offsets.append(read.source.offset)
            record = by_offset[read.source.offset]
            same = (record.key, record.value, tuple(record.headers)) == (read.key, read.value, read.headers)
            expect(same, "a dead letter is not its record")
            expect(tuple(name for name, _ in letter.headers[-len(ADDED) :]) == ADDED, "a letter lacks a header")
            expect(decode_letter(encode_letter(read)) == read, "a letter is not the same as JSON")
            self._check_reason(dict(letter.headers[-len(ADDED) :]), record.value)
        expect(offsets == sorted(set(offsets)), "dead letters are not in the records' order, or twice")
        return set(offsets)

    def _check_reason(self, headers: dict[str, bytes], value: bytes | None) -> None:
        code, message = RejectionCode(headers[CODE].decode()), headers[MESSAGE].decode()
        expect(0 < len(message) <= MOST_OF_A_MESSAGE, f"{code}: a message of {len(message)} characters")
        field = FIELD_BY_CODE.get(code)
        if field is not None:
            expect(field in message, f"{code}: the message does not name {field}: {message}")
        elif code in (RejectionCode.MISSING_FIELD, RejectionCode.INVALID_FIELD, RejectionCode.UNKNOWN_TYPE):
            is_named = NAMES_A_FIELD.search(message) is not None
            is_object = (value or b"").lstrip(b" \t\r\n").startswith(b"{")
            expect(is_named or not is_object, f"{code}: the message names no field: {message}")

    def _check_accepted(self, records: Sequence[Record]) -> None:
        """Each accepted event is known to its shipment, or a later one of its kind is; or it may be forgotten."""
        for record in records:
            event = decode(record.value)
            if isinstance(event, Rejection):
                raise BrokenError(f"neither accepted nor a dead letter: {record.value!r:.300}")
            shipment_id = (event.seller_id, event.shipment_id)
            (row,) = self._store.get_many([shipment_key(shipment_id)])
            if row is None:
                alone = Shipment()
                alone.merge(event)
                until = keep_until(alone, self.settings.lag_days)
                expect(until * 3600 <= self.engine.as_of.timestamp(), f"an accepted event left nothing: {event}")
                continue
            known = _fact(unpack(shipment_id, row), event)
            expect(known is not None and _version(known) >= _version(event), f"an accepted event is lost: {event}")

    def check_restored(self) -> None:
        """Whoever restores the partition comes to the same metrics, and has nothing new to say."""
        shipments = self._stored()
        restored = Engine.restore(
            self._policy,
            EngineSettings.of(self.settings),
            shipments,
            watermark=shipments.watermark(),
            last_alerts=self.alerts.values(),
        )
        changes = restored.advance(self.engine.as_of)
        expect(changes.alerts == [], f"a restored engine says something else: {changes.alerts}")
        live, again = self.engine.metrics(), restored.metrics()
        different = next((pair for pair in zip(live, again, strict=False) if pair[0] != pair[1]), None)
        expect(live == again, f"{len(live)} scopes, {len(again)} when restored; the first that differs: {different}")

    def check_recounted(self) -> None:
        """An engine that counts all shipments anew has the same sums: nothing was counted twice, or not at all."""
        settings = replace(self.settings, min_counted=1_000_000)  # without statuses, which have a history
        shipments = self._stored()
        fresh = Engine.restore(policy_of(settings), EngineSettings.of(settings), shipments, watermark=None)
        fresh.advance(self.engine.as_of)
        expect(_sums(fresh.metrics()) == _sums(self.engine.metrics()), "the sums differ from those counted anew")

    def _accepted(self) -> int:
        return sum(self._outcomes[topic, "accepted"] for topic in TOPICS)

    def totals(self) -> Totals:
        """What came of all so far."""
        codes: Counter[str] = Counter()
        for (_, outcome), count in sorted(self._outcomes.items()):
            codes[outcome] += count
        accepted = codes.pop("accepted", 0)
        return Totals(self._read, accepted, codes, len(self._store), len(self.engine.metrics()), self._said)


@cache
def policy_of(settings: Settings) -> RulesPolicy:
    """The rules, read once: a run that looks for the input at fault makes hundreds of partitions."""
    return RulesPolicy.of(settings)


def expect(holds: bool, problem: str) -> None:
    """Raises :class:`BrokenError` where something does not hold."""
    if not holds:
        raise BrokenError(problem[:2000])


def _sums(metrics: Sequence[Metric]) -> dict[Scope, object]:
    return {metric.scope: (metric.live, metric.official) for metric in metrics}


def _fact(shipment: Shipment, event: Event) -> Event | None:
    if isinstance(event, OrderShipped):
        return shipment.shipped
    if isinstance(event, TrackingUploaded):
        return shipment.tracking
    return next((scan for scan in shipment.scans if scan.milestone == event.milestone), None)


def _version(event: Event) -> tuple[datetime, str]:
    return event.event_time, event.event_id
