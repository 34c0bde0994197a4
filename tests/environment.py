"""The variables of a process: settings as such, and whether it runs in CI."""

from collections.abc import Mapping

from msgspec.structs import asdict

from stream.settings import ENV_PREFIX, Settings


def as_environment(settings: Settings) -> dict[str, str]:
    """The variables that give a process these settings; what is not set has none."""
    given = {field: value for field, value in asdict(settings).items() if value is not None}
    return {f"{ENV_PREFIX}{field.upper()}": str(value) for field, value in given.items()}


def in_ci(environ: Mapping[str, str]) -> bool:
    """Whether nothing may be left out for want of a program."""
    return environ.get("CI", "").lower() not in ("", "0", "false")
