"""What a test's processes run in: topics of its own, settings as variables, and whether that is CI."""

from collections.abc import Mapping

from msgspec.structs import asdict

from stream.settings import ENV_PREFIX, Settings


def own_settings(broker: str, prefix: str) -> Settings:
    """Settings whose group and topics nobody else has, on the broker with that address."""
    return Settings(
        broker=broker,
        group=f"{prefix}vtr",
        order_shipped_topic=f"{prefix}shipped",
        tracking_uploaded_topic=f"{prefix}uploaded",
        tracking_scanned_topic=f"{prefix}scanned",
        metrics_topic=f"{prefix}metrics",
        alerts_topic=f"{prefix}alerts",
        dead_letters_topic=f"{prefix}dead",
    )


def as_environment(settings: Settings) -> dict[str, str]:
    """The variables that give a process these settings; what is not set has none."""
    given = {field: value for field, value in asdict(settings).items() if value is not None}
    return {f"{ENV_PREFIX}{field.upper()}": str(value) for field, value in given.items()}


def in_ci(environ: Mapping[str, str]) -> bool:
    """Whether nothing may be left out for want of a program."""
    return environ.get("CI", "").lower() not in ("", "0", "false")
