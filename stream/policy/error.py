"""What is wrong with the data of the rules."""

from stream.settings import SettingsError


class PolicyError(SettingsError):
    """A file of rules or rates cannot be used. The message is one line that names the file, the table and the key."""
