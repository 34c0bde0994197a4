"""What the engine must be told; no more than it uses."""

from fractions import Fraction

from msgspec import Struct

from stream.settings import Settings


class EngineSettings(Struct, frozen=True, kw_only=True):
    """``source`` tells one deployment's alerts from another's; the shares are exact."""

    source: str
    warn_level: Fraction
    recover_margin: Fraction
    min_counted: int
    passes_at_threshold: bool
    lag_days: int

    @classmethod
    def of(cls, settings: Settings) -> "EngineSettings":
        """The engine's part of the settings."""
        return cls(
            source=settings.group,
            warn_level=Fraction(settings.warn_level),
            recover_margin=Fraction(settings.recover_margin),
            min_counted=settings.min_counted,
            passes_at_threshold=settings.at_threshold == "pass",
            lag_days=settings.lag_days,
        )
