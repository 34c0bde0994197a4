"""What ends a replay. Each message is one line that names the file or the folder."""


class ReplayError(Exception):
    """The replay cannot go on."""


class SourceError(ReplayError):
    """A history file cannot be read."""


class WorkFileError(ReplayError):
    """What the replay keeps on disk for itself cannot be written or read back."""


class CheckpointError(ReplayError):
    """A checkpoint is not that of this replay, or another replay uses it."""
