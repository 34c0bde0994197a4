"""Rules that are simple enough to be written twice, here and in the oracle: what the engine is tested with."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from stream.events import Milestone, OrderShipped, TrackingScanned, TrackingUploaded
from stream.policy.verdict import Outcome, Standard, Verdict
from stream.settings import Settings
from stream.tracking import is_placeholder

NAME = "simple"
CROSS_BORDER_COUNTRIES = frozenset({"DE", "FR", "IT", "ES", "NL", "PT", "PL", "AT", "SE"})
LETTER = "Brief"
LETTER_FLOOR = Decimal(20)
"""EUR: below it a letter across a border of these countries is exempt."""

_MARKETPLACE_FULFILLED = Verdict(Outcome.EXEMPT, "marketplace_fulfilled")
_LOW_VALUE_LETTER = Verdict(Outcome.EXEMPT, "low_value_letter")
_NO_CARRIER = Verdict(Outcome.DEFECT, "no_carrier")
_VALID = Verdict(Outcome.VALID)


class SimplePolicy:
    """Counts what the merchant fulfils; valid is a carrier and a number that is no placeholder."""

    judges_reuse = False
    milestones: frozenset[Milestone] = frozenset()

    def __init__(self, threshold: Fraction, grace_hours: int) -> None:
        self._standard = Standard(threshold, NAME)
        self._no_tracking = lru_cache(1024)(
            lambda carrier: Verdict(Outcome.AWAITING, "no_tracking", carrier, grace_hours)
        )

    @classmethod
    def of(cls, settings: Settings) -> "SimplePolicy":
        """The policy that the settings describe."""
        threshold, grace_hours = settings.threshold, settings.grace_hours
        return cls(
            Fraction(95, 100) if threshold is None else Fraction(threshold), 24 if grace_hours is None else grace_hours
        )

    def standard(self, marketplace: str | None, hour: int) -> Standard:  # noqa: ARG002 - one standard for all
        """The same standard everywhere and always."""
        return self._standard

    def rules_for(self, shipped: OrderShipped) -> "SimplePolicy":  # noqa: ARG002 - the same for all
        """These."""
        return self

    def judge(
        self,
        shipped: OrderShipped,
        tracking: TrackingUploaded | None,
        scans: Sequence[TrackingScanned],  # noqa: ARG002 - validity is by tracking, not by scan
        entered_at: datetime | None,  # noqa: ARG002 - nor by when it was entered
        is_reused: bool,  # noqa: ARG002 - nor by what else has the number
    ) -> Verdict:
        """The verdict on one shipment."""
        if shipped.fulfilled_by != "merchant":
            return _MARKETPLACE_FULFILLED
        if _is_low_value_letter(shipped):
            return _LOW_VALUE_LETTER
        carrier = (_given(tracking.carrier) if tracking else None) or _given(shipped.carrier)
        if tracking is None or tracking.tracking_number is None:
            return self._no_tracking(carrier)
        if carrier is None:
            return _NO_CARRIER
        if is_placeholder(tracking.tracking_number, shipped.order_id):
            return Verdict(Outcome.DEFECT, "placeholder_number", carrier)
        return _VALID


def _given(carrier: str | None) -> str | None:
    return (carrier.strip() or None) if carrier else None


def _is_low_value_letter(shipped: OrderShipped) -> bool:
    origin, destination = shipped.ship_from, shipped.ship_to
    return (
        origin is not None
        and destination is not None
        and origin != destination
        and (origin in CROSS_BORDER_COUNTRIES or destination in CROSS_BORDER_COUNTRIES)
        and shipped.order_value is not None
        and shipped.order_value.currency == "EUR"
        and shipped.order_value.amount < LETTER_FLOOR
        and shipped.ship_method == LETTER
    )
