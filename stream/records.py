"""The wire, outbound: metrics and alerts, as people subscribe to them. Shapes and meanings are those of the README.

A scope is what a VTR is kept for: a seller; a seller on a marketplace; a seller on a marketplace in a category.
"""

from datetime import date
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct, field

from stream.events import Instant

Count = Annotated[int, Meta(ge=0)]
Rate = Annotated[float, Meta(ge=0, le=1)]
Status = Literal["ok", "at_risk", "breached"]
AlertType = Literal["vtr-at-risk", "vtr-breached", "vtr-recovered"]
Severity = Literal["critical", "warning", "info"]
DefectReason = Literal[
    "no_tracking",
    "no_carrier",
    "malformed_number",
    "placeholder_number",
    "reused_number",
    "late_tracking",
    "no_scan",
    "second_scan_missing",
    "carrier_not_integrated",
]


class Scope(NamedTuple):
    """What a VTR is kept for; None where the scope is wider."""

    seller_id: str
    marketplace: str | None = None
    category: str | None = None


class Counts(Struct, frozen=True, kw_only=True, gc=False):
    """Shipments in a window. ``counted`` = ``valid`` + ``defects``; ``pending`` and ``exempt`` are in neither sum.

    ``ambiguous`` is how many of the counted ones the sources of the rules leave open. ``vtr`` is valid / counted,
    rounded to four decimals, and None when nothing is counted.
    """

    counted: Count
    valid: Count
    defects: Count
    pending: Count
    exempt: Count
    ambiguous: Count
    vtr: Rate | None


class OfficialCounts(Struct, frozen=True, kw_only=True, gc=False):
    """The marketplace's own window: the 30 UTC days of promised delivery from ``from_`` to ``to``, both included."""

    from_: date = field(name="from")
    to: date
    counted: Count
    valid: Count
    defects: Count
    pending: Count
    exempt: Count
    ambiguous: Count
    vtr: Rate | None


class Metric(Struct, frozen=True, kw_only=True, gc=False):
    """The VTR of one scope at ``as_of``.

    ``allowance`` is how many more defects the live window bears before a breach; ``needed_to_recover`` how many
    more valid shipments end one. ``policy`` names the rules in force.
    """

    seller_id: str
    marketplace: str | None
    category: str | None
    as_of: Instant
    live: Counts
    official: OfficialCounts
    threshold: Rate
    status: Status
    allowance: Count
    needed_to_recover: Count
    policy: str

    @property
    def scope(self) -> Scope:
        """The scope this metric is of."""
        return Scope(self.seller_id, self.marketplace, self.category)


class Cause(Struct, frozen=True, kw_only=True, gc=False):
    """One kind of defect in the live window of an alert's scope. ``carrier`` is None where none was given."""

    reason: DefectReason
    carrier: str | None
    count: Annotated[int, Meta(ge=1)]


class Alert(Struct, frozen=True, kw_only=True, gc=False):
    """A scope's status changed. ``alert_id`` is the same after any crash and re-run, so consumers drop repeats by it.

    ``since`` is the instant from which ``metric.status`` holds; ``causes`` are the most frequent defects first.
    """

    alert_id: str
    type: AlertType
    severity: Severity
    seller_id: str
    marketplace: str | None
    category: str | None
    status: Status
    previous_status: Status
    since: Instant
    metric: Metric
    causes: list[Cause]

    @property
    def scope(self) -> Scope:
        """The scope this alert is of."""
        return Scope(self.seller_id, self.marketplace, self.category)


class InvalidRecordError(ValueError):
    """A record on an output topic is not what this product writes there."""


_encoder = msgspec.json.Encoder()
_alert_decoder = msgspec.json.Decoder(Alert)
_metric_decoder = msgspec.json.Decoder(Metric)
_scope_decoder = msgspec.json.Decoder(tuple[str, str | None, str | None])


def encode(record: Metric | Alert) -> bytes:
    """A metric or an alert as JSON."""
    return _encoder.encode(record)


def encode_key(scope: tuple[str, str | None, str | None]) -> bytes:
    """A scope, or what is equal to it, as a record key: a compact JSON array such as ``["A1","DE",null]``."""
    return _encoder.encode(scope)


def decode_alert(value: bytes) -> Alert:
    """An alert from its bytes. Raises :class:`InvalidRecordError`, which names the field."""
    try:
        return _alert_decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRecordError(f"not an alert: {error}") from error


def decode_metric(value: bytes) -> Metric:
    """A metric from its bytes. Raises :class:`InvalidRecordError`, which names the field."""
    try:
        return _metric_decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRecordError(f"not a metric: {error}") from error


def decode_key(key: bytes) -> Scope:
    """A scope from a record's key. Raises :class:`InvalidRecordError`."""
    try:
        return Scope(*_scope_decoder.decode(key))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRecordError(f"not a scope: {error}") from error
