"""The settings to compare: a baseline, and variants that put some of it otherwise."""

import shlex
from typing import Final

import msgspec
from msgspec import Struct

from stream.settings import REPLAY_SETTINGS, Settings, SettingsError

BASELINE: Final = "baseline"
"""What the settings as they are given are called beside the variants."""

_SHORTER = {"policy": "policy_file", "rates": "rates_file"}


class Variant(Struct, frozen=True, kw_only=True):
    """Settings that differ from the baseline's, by name. An empty value puts a setting back to its default."""

    name: str
    settings: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> "Variant":
        """``[NAME:] setting=value [setting=value …]``. Values with blanks are quoted as in a shell; names are those of
        the flags, the variables or the TOML keys. Raises :class:`~stream.settings.SettingsError`."""
        name, separator, rest = text.partition(":")
        if not separator or "=" in name:
            name, rest = text, text
        name = " ".join(name.split())
        try:
            words = shlex.split(rest)
        except ValueError as error:
            raise SettingsError(f"variant `{text}`: {str(error).lower()}") from None
        settings: dict[str, str] = {}
        for word in words:
            given, separator, value = word.partition("=")
            setting = given.removeprefix("--").replace("-", "_").lower()
            setting = _SHORTER.get(setting, setting)
            if not separator:
                raise SettingsError(f"variant `{text}`: expected setting=value, got `{word}`")
            if setting not in REPLAY_SETTINGS:
                known = ", ".join(REPLAY_SETTINGS)
                raise SettingsError(f"variant `{text}`: `{given}` is none of the settings that can differ: {known}")
            if setting in settings:
                raise SettingsError(f"variant `{text}`: `{setting}` is given twice")
            settings[setting] = value
        if not settings:
            raise SettingsError(f"variant `{text}`: there is no setting in it, such as threshold=0.9")
        if not name or name == BASELINE:
            raise SettingsError(f"variant `{text}`: `{name}` cannot be its name")
        return cls(name=name, settings=settings)

    def applied(self, baseline: Settings) -> Settings:
        """The baseline with the variant's settings. Raises :class:`~stream.settings.SettingsError`, which names the
        variant and the setting."""
        merged = msgspec.structs.asdict(baseline) | self.settings
        for setting, value in self.settings.items():
            if not value:
                del merged[setting]
        try:
            return msgspec.convert(merged, Settings, strict=False)
        except msgspec.ValidationError as error:
            message = str(error).replace("`$.", "`")
            raise SettingsError(f"variant `{self.name}`: {message}") from None
