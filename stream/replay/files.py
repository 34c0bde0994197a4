"""Which files a history is: those that were named, those in the folders that were named, and the form of each."""

import os
import stat
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from stream.replay.errors import SourceError

STDIN = "-"


class Form(StrEnum):
    """How events stand in a file."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


PACKINGS = (".gz", ".zst")
"""Suffixes of what is unpacked; Parquet files are packed within."""

_TEXT = {".ndjson": Form.NDJSON, ".jsonl": Form.NDJSON, ".csv": Form.CSV, ".tsv": Form.CSV}

SUFFIXES = {
    **_TEXT,
    **{text + packing: form for text, form in _TEXT.items() for packing in PACKINGS},
    ".parquet": Form.PARQUET,
}
"""The names by which files in folders are known."""


class HistoryFile(NamedTuple):
    """A file of a history. ``form`` is None where its name does not tell, so that its beginning has to."""

    path: str
    form: Form | None


class Found(NamedTuple):
    """The files of a history, and the paths of those in its folders that are none by their names."""

    files: list[HistoryFile]
    left_out: list[str]


def find_files(paths: Iterable[str | HistoryFile], form: Form | None = None) -> Found:
    """The files that these paths name, folders with all that is below them, in the order of the names.

    ``form`` is that of named files whose names do not tell. What is named twice is read once. Raises
    :class:`~stream.replay.errors.SourceError` where a folder has no history.
    """
    files: dict[str, HistoryFile] = {}
    left_out: list[str] = []
    for path in paths:
        if isinstance(path, HistoryFile):
            files[path.path] = path
        elif path != STDIN and stat.S_ISDIR(_mode(path)):
            below = {name: form_of(name) for name in _below(path)}
            known = {name: HistoryFile(name, its_form) for name, its_form in below.items() if its_form is not None}
            if not known:
                raise SourceError(f"there is no history in {path}: no name ends in one of {', '.join(SUFFIXES)}")
            files |= known
            left_out += [name for name in below if name not in known]
        else:
            files[path] = HistoryFile(path, form_of(path) or form)
    return Found(list(files.values()), left_out)


def form_of(path: str) -> Form | None:
    """The form that a file's name tells."""
    name = path.lower()
    return next((form for suffix, form in SUFFIXES.items() if name.endswith(suffix)), None)


def is_pipe(path: str) -> bool:
    """Whether a file can be read once only: standard input, a named pipe, or what a shell puts for ``<(…)``."""
    mode = _mode(path)
    return path == STDIN or (mode != 0 and not stat.S_ISREG(mode))


def _mode(path: str) -> int:
    """What a path leads to; 0 where that cannot be asked: then whoever opens it says why."""
    try:
        return Path(path).stat().st_mode
    except OSError:
        return 0


def size_of(paths: Iterable[str]) -> int | None:
    """Bytes of files as they are on disk; None where standard input is among them, or not all can be asked."""
    try:
        return sum(Path(path).stat().st_size for path in paths)
    except OSError:
        return None


def path_text(path: str) -> str:
    """A path as JSON can have it: what in it is no UTF-8 is escaped."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _below(folder: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise SourceError(f"cannot read {error.filename}: {error.strerror}") from error

    # Links lead to folders too, and may lead round in a circle.
    seen: set[str] = set()
    for path, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        if (place := os.path.realpath(path)) in seen:
            folders.clear()
            continue
        seen.add(place)
        folders.sort()
        for name in sorted(names):
            yield str(Path(path) / name)
