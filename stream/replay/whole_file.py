"""Files that are there whole or not at all, whatever interrupts their writing."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def is_special(path: Path) -> bool:
    """Whether the name is of what cannot be replaced by a file, such as ``/dev/stdout``."""
    # A file that stands behind a name in /dev is open elsewhere too, and must not be another one all of a sudden.
    return path.parts[:2] in (("/", "dev"), ("/", "proc")) or (path.exists() and not path.is_file())


class WholeFile:
    """A file that gets its name when it is complete. What is no file, such as ``/dev/stdout``, is written at once.

    Until then it is ``.NAME.part`` beside it: what was killed leaves that, and the next to write the file takes it.
    Opening one says right away whether it can be written. All methods raise OSError.
    """

    def __init__(self, path: Path) -> None:
        as_it_is = is_special(path)
        self._path = path if as_it_is else path.resolve()
        self._part = None if as_it_is else self._path.with_name(f".{self._path.name}.part")
        self.file: BinaryIO = (self._part or self._path).open("wb")

    def complete(self) -> None:
        """All is written: give it its name."""
        self.file.flush()
        if self._part is not None:
            os.fsync(self.file.fileno())
        self.file.close()
        if self._part is not None:
            self._part.replace(self._path)

    def discard(self) -> None:
        """Leave what was there before, unless the file is complete already."""
        # Closing writes what is left, for which there may be no room.
        with suppress(OSError):
            self.file.close()
        if self._part is not None:
            self._part.unlink(missing_ok=True)


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a whole file. Raises OSError."""
    whole = WholeFile(path)
    try:
        whole.file.writelines(chunks)
        whole.complete()
    except BaseException:
        whole.discard()
        raise
