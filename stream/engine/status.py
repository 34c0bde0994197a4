"""When a scope's status changes, and how far it is from changing.

             below the threshold            below the warn level
    ok ──────────────────────────▶ breached
    ok ──────────────────────────────────────────────────────────▶ at_risk
    at_risk ─────────────────────▶ breached
    breached ── at threshold + margin or above ──▶ the status its rate has
    at_risk  ── at warn level + margin or above ─▶ ok

A status worsens at once and improves only with a margin, so a rate that trembles around a level raises one alert and
not a hundred. Below ``min_counted`` counted shipments a single parcel swings the rate by whole percents, so the status
stays what it was; with none counted there is nothing to be at risk, and it returns to ok. All comparisons are of whole
numbers: ``valid / counted < n / d`` is ``valid * d < n * counted``.
"""

from fractions import Fraction

from stream.engine.settings import EngineSettings
from stream.policy.verdict import Standard
from stream.records import Status

_ONE = Fraction(1)
_SEVERITY: dict[Status, int] = {"ok": 0, "at_risk": 1, "breached": 2}


class Levels:
    """The levels that the scopes of one standard are held to."""

    def __init__(self, standard: Standard, settings: EngineSettings) -> None:
        self.standard = standard
        self.threshold = standard.threshold
        self._warn = max(settings.warn_level, self.threshold)
        self._min_counted = settings.min_counted
        self._passes_at_threshold = settings.passes_at_threshold
        # A level above 1 could never be reached again.
        self._recovered = min(_ONE, self.threshold + settings.recover_margin)
        self._relaxed = min(_ONE, self._warn + settings.recover_margin)

    def status(self, current: Status, valid: int, counted: int) -> Status:
        """The status that follows ``current`` for these counts of the live window."""
        if counted == 0:
            return "ok"
        if counted < self._min_counted:
            return current
        target = self._target(valid, counted)
        if _SEVERITY[target] >= _SEVERITY[current]:
            return target
        needed = self._recovered if current == "breached" else self._relaxed
        return target if valid * needed.denominator >= needed.numerator * counted else current

    def _target(self, valid: int, counted: int) -> Status:
        below_warn = valid * self._warn.denominator < self._warn.numerator * counted
        # The threshold is not above the warn level: only on it can a rate fail that is not below the latter.
        if (below_warn or not self._passes_at_threshold) and self._fails(valid, counted):
            return "breached"
        return "at_risk" if below_warn else "ok"

    def _fails(self, valid: int, counted: int) -> bool:
        left, right = valid * self.threshold.denominator, self.threshold.numerator * counted
        return left < right or (left == right and not self._passes_at_threshold)

    def allowance(self, status: Status, valid: int, counted: int) -> int:
        """How many more defects, each one more counted shipment, the rate bears before it fails; 0 in a breach."""
        if status == "breached" or self.threshold == 0:
            return 0
        bearable = valid * self.threshold.denominator
        if self._passes_at_threshold:
            most = bearable // self.threshold.numerator
        else:
            most = -(-bearable // self.threshold.numerator) - 1
        return max(0, most - counted)

    def needed_to_recover(self, status: Status, valid: int, counted: int) -> int:
        """How many more valid shipments end the breach; 0 outside one.

        Where recovery needs a rate of 1, no number of valid shipments outweighs a defect; then it is how many must
        replace the defects: as many as there are.
        """
        if status != "breached":
            return 0
        n, d = self._recovered.numerator, self._recovered.denominator
        short = n * counted - d * valid
        needed = -(-short // (d - n)) if d > n else counted - valid
        return max(0, needed, self._min_counted - counted)
