"""What came of a replay, and the line by which two of them are compared."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b

from msgspec import Struct, field

from stream.records import Alert, Metric, encode, encode_key
from stream.replay.files import path_text
from stream.replay.rejects import RejectedLine
from stream.shipment import Shipment, ShipmentId
from stream.state.rows import pack, shipment_key

KEPT_REJECTIONS = 20
"""Rejected lines kept as examples; all are counted."""

HASH_BYTES = 16
"""128 bits: that two of them are the same by chance is out of the question."""


class Summary(Struct):
    """What went in and what became of it. ``rejected`` is by code; ``after_as_of`` events are later than the end;
    ``left_out`` are files in folders that by their names are no history."""

    events: int = 0
    accepted: int = 0
    after_as_of: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: list[RejectedLine] = field(default_factory=list)
    alerts: Counter[str] = field(default_factory=Counter)
    scopes: int = 0
    left_out: list[str] = field(default_factory=list)

    def reject(self, lines: Iterable[RejectedLine]) -> None:
        """Take in lines that were rejected."""
        for line in lines:
            self.events += 1
            self.rejected[line.rejection.code.value] += 1
            if len(self.examples) < KEPT_REJECTIONS:
                self.examples.append(line)


class Replay(Struct):
    """A finished replay. ``as_of`` is None where there was no event and no end was given.

    ``shipments`` is the sum of the hashes of the shipments that are still kept, where it was asked for.
    """

    as_of: datetime | None
    metrics: list[Metric]
    alerts: list[Alert]
    summary: Summary
    shipments: int | None = None


class Comparison(Struct, frozen=True):
    """What two replays are compared by: equal ones had the same history, settings and version, in all likelihood.

    ``late`` are the rejected that were too old for any window. ``results`` is a hash of the metrics and the alerts,
    ``state`` one of these and of every shipment that is kept.
    """

    events: int
    accepted: int
    rejected: int
    rejected_by_code: dict[str, int]
    late: int
    after_as_of: int
    alerts: int
    alerts_by_type: dict[str, int]
    scopes: int
    as_of: datetime | None
    results: str
    state: str | None

    @classmethod
    def of(cls, replay: Replay) -> "Comparison":
        """Of a finished replay."""
        summary = replay.summary
        said = blake2b(digest_size=HASH_BYTES)
        for records in (replay.metrics, replay.alerts):
            said.update(b"".join(encode(record) + b"\n" for record in records))
        results, state = said.hexdigest(), None
        if replay.shipments is not None:
            said.update(replay.shipments.to_bytes(HASH_BYTES, "big"))
            state = said.hexdigest()
        return cls(
            events=summary.events,
            accepted=summary.accepted,
            rejected=summary.rejected.total(),
            rejected_by_code=dict(sorted(summary.rejected.items())),
            late=summary.rejected["too_late"],
            after_as_of=summary.after_as_of,
            alerts=summary.alerts.total(),
            alerts_by_type=dict(sorted(summary.alerts.items())),
            scopes=summary.scopes,
            as_of=replay.as_of,
            results=results,
            state=state,
        )

    def __str__(self) -> str:
        """The line to compare."""
        counts = f"events {self.events}  rejected {self.rejected}  late {self.late}  alerts {self.alerts}"
        state = "" if self.state is None else f"  state {self.state}"
        return f"{counts}  results {self.results}{state}"


def hash_of(shipments: Iterable[tuple[ShipmentId, Shipment]]) -> int:
    """A sum of hashes: that of two shares is that of the whole, in whatever order."""
    total = 0
    for shipment_id, shipment in shipments:
        row = shipment_key(shipment_id) + pack(0, shipment)
        total += int.from_bytes(blake2b(row, digest_size=HASH_BYTES).digest(), "big")
    return _added(total)


def joined(parts: Sequence[Replay], paths: Sequence[str]) -> Replay:
    """What one process would have given of files with these paths, and of topics. No two parts speak of the same
    seller."""
    if len(parts) == 1:
        return parts[0]
    hashes = [part.shipments for part in parts if part.shipments is not None]
    return Replay(
        as_of=parts[0].as_of,
        metrics=sorted((each for part in parts for each in part.metrics), key=lambda each: encode_key(each.scope)),
        alerts=sorted((a for part in parts for a in part.alerts), key=lambda a: (a.since, encode_key(a.scope))),
        summary=_joined_summary([part.summary for part in parts], paths),
        shipments=_added(*hashes) if hashes else None,
    )


def _added(*sums: int) -> int:
    """The sum of sums, in as many bits."""
    return sum(sums) % (1 << 8 * HASH_BYTES)


def _joined_summary(summaries: Sequence[Summary], paths: Iterable[str]) -> Summary:
    places = {path_text(path): place for place, path in enumerate(paths)}
    examples = sorted(
        (example for summary in summaries for example in summary.examples),
        # A place in a topic is no file, and has no line.
        key=lambda example: (places.get(example.file, len(places)), example.line, example.file),
    )
    none: Counter[str] = Counter()
    return Summary(
        events=sum(summary.events for summary in summaries),
        accepted=sum(summary.accepted for summary in summaries),
        after_as_of=sum(summary.after_as_of for summary in summaries),
        rejected=sum((summary.rejected for summary in summaries), none.copy()),
        examples=examples[:KEPT_REJECTIONS],
        alerts=sum((summary.alerts for summary in summaries), none.copy()),
        scopes=sum(summary.scopes for summary in summaries),
    )
