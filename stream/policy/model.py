"""The rules as they are written down: the tables and keys of the TOML files, typed."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from stream.policy.conditions import Conditions
from stream.settings import GraceHours

Grade = Literal["A", "R", "C", "D"]
"""How good a source is. A: the marketplace's own page. R: news, or a repost of its notice. C: sellers and other third
parties. D: our own choice or deduction."""

GRADES: dict[Grade, str] = {
    "A": "the marketplace's own page",
    "R": "news, or a repost of the marketplace's notice",
    "C": "sellers and other third parties",
    "D": "our choice",
}

ExemptReason = Literal[
    "marketplace_fulfilled", "low_value_letter", "low_value", "untracked_service", "digital", "origin_not_covered"
]
"""Why a shipment is left out. ``origin_not_covered`` stands for a route of which either end is not covered."""

FULFILLED_SOURCES = ("S1", "S3")
FULFILLED_GRADE: Grade = "A"
"""What the marketplace fulfils never counts, whatever the rules: VTR is of what the merchant ships."""

Text = Annotated[str, Meta(min_length=1)]
Sources = Annotated[tuple[Text, ...], Meta(min_length=1)]

ScanKind = Literal["physical", "arrival", "delivery"]


class Threshold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The share of counted shipments that must be valid."""

    share: Decimal
    source: Sources
    grade: Grade
    open: Text | None = None


class Grace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a shipment may lack tracking before it is a defect."""

    hours: GraceHours
    source: Sources
    grade: Grade
    open: Text | None = None


class Validity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether tracking is enough, or needs scans; and how long these may take."""

    when: Literal["tracking", "scan"]
    scan_grace_hours: GraceHours
    second_scan_grace_hours: GraceHours
    source: Sources
    grade: Grade
    open: Text | None = None


class UnknownCarrier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a shipment by a carrier that is not known, the nearest there is to one that the marketplace has
    not integrated: it counts, is left out, or is a defect. ``open``: it also counts as ambiguous."""

    treatment: Literal["counted", "left_out", "invalid"]
    source: Sources
    grade: Grade
    open: Text | None = None


class Reuse(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a number that another shipment of the seller has is a defect, or only mentioned when asked."""

    treatment: Literal["flagged", "defect"]
    source: Sources
    grade: Grade
    open: Text | None = None


class Rule(Conditions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Conditions, and where the rule is from."""

    source: Sources
    grade: Grade


class Exemption(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shipments that are left out of numerator and denominator."""

    reason: ExemptReason
    note: Text | None = None


class OpenQuestion(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shipments that count, flagged, because the sources leave open whether they do. ``open`` says what is open."""

    open: Text


class ScanRule(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which scans shipments need where validity is by scan. Of several rules the first that applies holds."""

    needs: Annotated[tuple[ScanKind, ...], Meta(min_length=1)]
    note: Text | None = None


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of a family from one UTC day to another, both included. Without ``from``: since ever."""

    from_: date | None = field(name="from", default=None)
    until: date | None = None
    threshold: Threshold
    grace: Grace
    validity: Validity
    unknown_carrier: UnknownCarrier
    reuse: Reuse | None = None
    exempt: tuple[Exemption, ...] = ()
    ambiguous: tuple[OpenQuestion, ...] = ()
    scans: Annotated[tuple[ScanRule, ...], Meta(min_length=1)]
    notes: tuple[Text, ...] = ()

    @property
    def first_day(self) -> int:
        """Its ordinal; below all others where the entry has held since ever."""
        return 0 if self.from_ is None else self.from_.toordinal()


class FamilyTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A family as a file has it. A user's file may leave out what it does not change."""

    title: Text | None = None
    marketplaces: tuple[Text, ...] | None = None
    dated_by: Literal["ship_time", "promised_delivery"] | None = None
    rules: tuple[Entry, ...] = ()


class Family(Struct, frozen=True, kw_only=True):
    """The rules of some marketplaces, dated. ``dated_by``: what of a shipment decides which entry it falls under."""

    name: str
    title: str
    marketplaces: tuple[str, ...]
    dated_by: Literal["ship_time", "promised_delivery"]
    rules: tuple[Entry, ...]
    file: str

    def policy_name(self, entry: Entry) -> str:
        """What metrics and alerts call the entry's rules."""
        return self.name if entry.from_ is None else f"{self.name}-{entry.from_.isoformat()}"
