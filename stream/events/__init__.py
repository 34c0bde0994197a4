"""The wire, inbound: the three event types and the one place where bytes become events.

A record's value is a JSON object that names its own ``type``, so a Kafka record and a line of a history file
are the same bytes. Whatever cannot be used becomes a :class:`Rejection`, a value and not an exception, so one
bad record never unwinds the batch around it.
"""

from stream.events.decoding import (
    EARLIEST_EVENT_TIME,
    MAX_AHEAD_SHIPPING,
    MAX_AMOUNT,
    MAX_AMOUNT_DECIMALS,
    MAX_EVENT_BYTES,
    MAX_FUTURE,
    check_arrival,
    decode,
    encode,
    future_event,
)
from stream.events.types import (
    Event,
    Instant,
    Milestone,
    Money,
    OrderShipped,
    Rejection,
    RejectionCode,
    TrackingScanned,
    TrackingUploaded,
)

__all__ = [
    "EARLIEST_EVENT_TIME",
    "MAX_AHEAD_SHIPPING",
    "MAX_AMOUNT",
    "MAX_AMOUNT_DECIMALS",
    "MAX_EVENT_BYTES",
    "MAX_FUTURE",
    "Event",
    "Instant",
    "Milestone",
    "Money",
    "OrderShipped",
    "Rejection",
    "RejectionCode",
    "TrackingScanned",
    "TrackingUploaded",
    "check_arrival",
    "decode",
    "encode",
    "future_event",
]
