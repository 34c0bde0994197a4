"""The oracle's rules for a deployment's settings. The oracle itself shares nothing with the product but events and
records."""

from fractions import Fraction

from stream.settings import Settings
from tests.oracle import Rules


def rules_of(settings: Settings, *, is_strict: bool = False) -> Rules:
    """The rules; ``is_strict`` as :class:`~tests.oracle.Rules` has it."""
    assert settings.threshold is not None
    assert settings.grace_hours is not None
    return Rules(
        is_strict=is_strict,
        threshold=Fraction(settings.threshold),
        warn=Fraction(settings.warn_level),
        recover_margin=Fraction(settings.recover_margin),
        at_threshold=settings.at_threshold,
        min_counted=settings.min_counted,
        grace_hours=settings.grace_hours,
        lag_days=settings.lag_days,
    )
