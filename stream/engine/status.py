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
from typing import Final

from stream.engine.settings import EngineSettings
from stream.policy.verdict import Standard
from stream.records import Status

_ONE: Final = Fraction(1)


class Levels:
    """The levels that the scopes of one standard are held to."""

    def __init__(self, standard: Standard, settings: EngineSettings) -> None:
        self.standard = standard
        threshold = standard.threshold
        self.threshold = float(threshold)
        warn = max(settings.warn_level, threshold)
        self._min_counted = settings.min_counted
        self._passes_at_threshold = settings.passes_at_threshold
        self.fine = warn.as_integer_ratio() if settings.passes_at_threshold else (1, 0)
        """A rate of n / d or above gives no reason to leave the status ok; (1, 0) where any may."""
        self._threshold = threshold.as_integer_ratio()
        self._warn = warn.as_integer_ratio()
        # A level above 1 could never be reached again.
        self._recovered = min(_ONE, threshold + settings.recover_margin).as_integer_ratio()
        self._relaxed = min(_ONE, warn + settings.recover_margin).as_integer_ratio()

    def status(self, current: Status, valid: int, counted: int) -> Status:
        """The status that follows ``current`` for these counts of the live window."""
        if counted == 0:
            return "ok"
        if counted < self._min_counted:
            return current
        n, d = self._warn
        target: Status = "at_risk" if valid * d < n * counted else "ok"
        # The threshold is not above the warn level: what is not below the latter can fail only exactly on both.
        if (target != "ok" or not self._passes_at_threshold) and self._fails(valid, counted):
            target = "breached"
        if current == "ok" or target == current or target == "breached":
            return target
        n, d = self._recovered if current == "breached" else self._relaxed
        return target if valid * d >= n * counted else current

    def _fails(self, valid: int, counted: int) -> bool:
        n, d = self._threshold
        return valid * d < n * counted or (valid * d == n * counted and not self._passes_at_threshold)

    def allowance(self, status: Status, valid: int, counted: int) -> int:
        """How many more defects, each one more counted shipment, the rate bears before it fails; 0 in a breach."""
        n, d = self._threshold
        if status == "breached" or n == 0:
            return 0
        most = valid * d // n if self._passes_at_threshold else -(-valid * d // n) - 1
        return max(0, most - counted)

    def needed_to_recover(self, status: Status, valid: int, counted: int) -> int:
        """How many more valid shipments end the breach; 0 outside one.

        Where recovery needs a rate of 1, no number of valid shipments outweighs a defect; then it is how many must
        replace the defects: as many as there are.
        """
        if status != "breached":
            return 0
        n, d = self._recovered
        short = n * counted - d * valid
        if d == n:
            needed = counted - valid
        elif self._recovered == self._threshold and not self._passes_at_threshold:
            needed = short // (d - n) + 1  # exactly on the threshold is not enough
        else:
            needed = -(-short // (d - n))
        return max(0, needed, self._min_counted - counted)
