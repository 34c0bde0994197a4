"""A folder from which a replay goes on that was interrupted: its sorted events, and now and then its state.

terms.json   what it is a replay of: see :mod:`stream.replay.terms`
lock         held by the processes of a replay as long as they live
share-0/     what each process keeps: see :mod:`stream.replay.share_state`
"""

import fcntl
import os
import re
import shutil
import time
from pathlib import Path

import msgspec

from stream.replay.errors import CheckpointError
from stream.replay.terms import Terms
from stream.replay.whole_file import write_whole

LOCK_SECONDS = 5.0
"""The processes of a replay that was killed notice it within a second or two."""

_TERMS = "terms.json"
_LOCK = "lock"


class Checkpoint:
    """The folder of a replay that can go on later, locked for this process and those that it starts."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock: int | None = lock

    @classmethod
    def begin(cls, folder: Path, terms: Terms) -> "Checkpoint":
        """A new one, in a folder that is empty, not there yet, or left by one without terms. Raises
        :class:`~stream.replay.errors.CheckpointError`."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in folder.iterdir()}
            if _TERMS in names:
                raise CheckpointError(
                    f"{folder} holds a replay that was interrupted: --resume goes on with it, or remove the folder"
                )
            if names and not (_LOCK in names and all(map(_is_own, names))):
                raise CheckpointError(f"{folder} holds other files; a checkpoint needs a folder of its own")
            checkpoint = cls(folder, _locked(folder))
            try:
                # Without terms nothing can go on: a replay was ended as it began, or as it removed what it had.
                for path in folder.glob("share-*"):
                    shutil.rmtree(path)
                for number in range(terms.processes):
                    checkpoint.share(number).mkdir()
                write_whole(folder / _TERMS, [msgspec.json.encode(terms)])
            except BaseException:
                checkpoint.close()
                raise
        except OSError as error:
            raise CheckpointError(f"cannot write to {folder}: {error.strerror}") from error
        return checkpoint

    @classmethod
    def resume(cls, folder: Path) -> tuple["Checkpoint", Terms]:
        """The one that is there, and the terms of its replay. Raises
        :class:`~stream.replay.errors.CheckpointError`."""
        try:
            terms = msgspec.json.decode((folder / _TERMS).read_bytes(), type=Terms)
            return cls(folder, _locked(folder)), terms
        except FileNotFoundError:
            raise CheckpointError(f"there is no replay in {folder} to go on with") from None
        except OSError as error:
            raise CheckpointError(f"cannot read {folder}: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise CheckpointError(f"{folder / _TERMS} is damaged: {error}") from error

    def share(self, number: int) -> Path:
        """The folder of one of the processes."""
        return self.folder / f"share-{number}"

    def remove(self) -> None:
        """The replay has ended: nothing is left to go on with. What else may be in the folder stays."""
        try:
            # Without its terms it is no checkpoint any more, however much of it is still there.
            (self.folder / _TERMS).unlink()
            for path in self.folder.glob("share-*"):
                shutil.rmtree(path)
            (self.folder / _LOCK).unlink()
            if not any(self.folder.iterdir()):
                self.folder.rmdir()
        except OSError as error:
            raise CheckpointError(f"cannot remove {self.folder}: {error.strerror}") from error
        finally:
            self.close()

    def close(self) -> None:
        """Let another replay go on with it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _is_own(name: str) -> bool:
    """Whether a name is one of those that a checkpoint has in its folder."""
    return name in {_LOCK, _TERMS, f".{_TERMS}.part"} or re.fullmatch(r"share-\d+", name) is not None


def _locked(folder: Path) -> int:
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(lock)
                raise CheckpointError(f"another replay uses {folder}") from None
            time.sleep(0.1)
        else:
            return lock
