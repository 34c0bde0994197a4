"""What a simulation yields: Kafka records, ready to send."""

from datetime import datetime
from typing import Literal, NamedTuple

Kind = Literal["order-shipped", "tracking-uploaded", "tracking-scanned"]


class Record(NamedTuple):
    """One record: the input topic it belongs to by default, its key and value, and when it arrives (UTC).

    ``kind`` also names the topic of a malformed record, whatever its value says.
    """

    kind: Kind
    key: bytes
    value: bytes
    arrival: datetime


class Fact(NamedTuple):
    """One event of one shipment, encoded; ``at`` is its event time in seconds since 1970."""

    at: float
    kind: Kind
    value: bytes
