"""The error of settings, on its own for those that settings are made of."""


class SettingsError(ValueError):
    """A setting is unknown or has a value it cannot have. The message is one line that names it."""
