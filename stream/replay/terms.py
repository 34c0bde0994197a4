"""What two runs of a replay must have in common, so that the second can go on where the first was interrupted."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from stream.replay.errors import CheckpointError
from stream.replay.files import STDIN, HistoryFile, is_pipe, path_text
from stream.replay.sources import Source
from stream.settings import REPLAY_SETTINGS, Settings


class _File(Struct, frozen=True):
    path: str
    form: str | None
    bytes: int
    modified_ns: int


class Terms(Struct, frozen=True):
    """What two runs must have in common for one to go on from the other."""

    version: str
    settings: dict[str, str]
    rule_files: dict[str, str]
    """SHA-256 of the files that settings name."""
    as_of: datetime | None
    processes: int
    files: list[_File]

    @classmethod
    def of(cls, sources: Sequence[Source], settings: Settings, as_of: datetime | None, processes: int) -> "Terms":
        """The terms of a replay. Raises :class:`~stream.replay.errors.CheckpointError`."""
        values = {name: value for name, value in asdict(settings).items() if name in REPLAY_SETTINGS}
        named = {name: values[name] for name in ("policy_file", "rates_file") if values[name] is not None}
        try:
            return cls(
                version=_version(),
                settings={name: str(value) for name, value in values.items()},
                rule_files={name: sha256(Path(file).read_bytes()).hexdigest() for name, file in named.items()},
                as_of=as_of,
                processes=processes,
                files=[_file(source) for source in sources],
            )
        except OSError as error:
            raise CheckpointError(f"cannot read {error.filename}: {error.strerror}") from error

    def difference(self, now: "Terms") -> str | None:
        """What is another now, for people; None where nothing is."""
        if now.version != self.version:
            return f"it was begun by version {self.version}, and this is {now.version}"
        for name, was in self.settings.items():
            if now.settings[name] != was:
                return f"the setting {name} was {was}, and is {now.settings[name]}"
        for name, digest in self.rule_files.items():
            if now.rule_files[name] != digest:
                return f"{now.settings[name]} has changed since"
        if now.as_of != self.as_of:
            return f"--as-of was {self.as_of or 'not given'}, and is {now.as_of or 'not given'}"
        if now.processes != self.processes:
            return f"it was begun by {self.processes} processes, and not {now.processes}"
        was_there = {file.path: file for file in self.files}
        is_there = {file.path: file for file in now.files}
        for path in was_there.keys() ^ is_there.keys():
            return f"{path} {'was not' if path in is_there else 'was'} among the files"
        for path, file in was_there.items():
            if is_there[path] != file:
                return f"{path} has changed since"
        return None


def _file(file: Source) -> _File:
    if not isinstance(file, HistoryFile):
        raise CheckpointError("a replay of topics cannot go on later: give files, or no --checkpoint")
    if is_pipe(file.path):
        what = "standard input" if file.path == STDIN else f"the pipe {file.path}"
        raise CheckpointError(f"a replay of {what} cannot go on later: give files, or no --checkpoint")
    facts = Path(file.path).stat()
    return _File(path_text(file.path), file.form, facts.st_size, facts.st_mtime_ns)


def _version() -> str:
    # Every command would take longer to start.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("vtr-stream")
    except PackageNotFoundError:  # run from its sources
        return "unknown"
