"""The rules as they are without a rule book: one threshold, one grace period, the exemptions every store shares."""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

from stream.policy.services import service_class
from stream.policy.verdict import Outcome, Standard, Verdict
from stream.settings import Settings
from stream.shipment import ScanFact, ShippedFact, TrackingFact
from stream.tracking import is_placeholder

THRESHOLD = Fraction(95, 100)
GRACE_HOURS = 24

NAME = "amazon-2025-01-15"
"""The rules in force since 2025-01-15, when every carrier came to count."""

CROSS_BORDER_COUNTRIES = frozenset({"DE", "FR", "IT", "ES", "NL", "PT", "PL", "AT", "SE"})
"""Cross-border shipments to and from these count, unless they are cheap letters (the marketplace's notice of 2024)."""

LETTER_FLOOR = Decimal(20)
"""EUR, including shipping and excluding tax: below it a cross-border letter is exempt (same notice)."""

_MARKETPLACE_FULFILLED = Verdict(Outcome.EXEMPT, "marketplace_fulfilled")
_LOW_VALUE_LETTER = Verdict(Outcome.EXEMPT, "low_value_letter")
_NO_CARRIER = Verdict(Outcome.DEFECT, "no_carrier")
_VALID = Verdict(Outcome.VALID)


class FactPolicy(Protocol):
    """Rules that judge stored facts."""

    def judge(self, shipped: ShippedFact, tracking: TrackingFact | None, scans: tuple[ScanFact, ...]) -> Verdict:
        """The verdict on one shipment."""
        ...

    def standard(self, marketplace: str | None, hour: int) -> Standard:
        """What a marketplace (None: a seller over all of them) is held to in an hour since 1970 UTC."""
        ...


class StandardPolicy:
    """Counts what the merchant fulfils; valid is a carrier and a number that is no placeholder."""

    def __init__(self, threshold: Fraction, grace_hours: int) -> None:
        self._standard = Standard(threshold, NAME)
        self._no_tracking = lru_cache(1024)(
            lambda carrier: Verdict(Outcome.AWAITING, "no_tracking", carrier, grace_hours)
        )

    @classmethod
    def of(cls, settings: Settings) -> "StandardPolicy":
        """The policy that the settings describe."""
        threshold = THRESHOLD if settings.threshold is None else Fraction(settings.threshold)
        return cls(threshold, GRACE_HOURS if settings.grace_hours is None else settings.grace_hours)

    def standard(self, marketplace: str | None, hour: int) -> Standard:  # noqa: ARG002 - one standard for all
        """The same standard everywhere and always."""
        return self._standard

    def judge(
        self,
        shipped: ShippedFact,
        tracking: TrackingFact | None,
        scans: tuple[ScanFact, ...],  # noqa: ARG002 - validity is by tracking, not by scan
    ) -> Verdict:
        """The verdict on one shipment."""
        if shipped.fulfilled_by != "merchant":
            return _MARKETPLACE_FULFILLED
        if _is_low_value_letter(shipped):
            return _LOW_VALUE_LETTER
        carrier = (_given(tracking.carrier) if tracking else None) or _given(shipped.carrier)
        if tracking is None or tracking.number is None:
            return self._no_tracking(carrier)
        if carrier is None:
            return _NO_CARRIER
        if is_placeholder(tracking.number, shipped.order_id):
            return Verdict(Outcome.DEFECT, "placeholder_number", carrier)
        return _VALID


def _given(carrier: str | None) -> str | None:
    return (carrier.strip() or None) if carrier else None


def _is_low_value_letter(shipped: ShippedFact) -> bool:
    origin, destination = shipped.ship_from, shipped.ship_to
    return (
        origin is not None
        and destination is not None
        and origin != destination
        and (origin in CROSS_BORDER_COUNTRIES or destination in CROSS_BORDER_COUNTRIES)
        and shipped.currency == "EUR"
        and shipped.amount is not None
        and Decimal(shipped.amount) < LETTER_FLOOR
        and service_class(shipped.carrier, shipped.ship_method) == "letter"
    )
