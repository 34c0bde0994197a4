"""The files in ``carriers/``: one carrier each, its names and its number formats. Read and checked here."""

import re
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stream.tracking.check_digits import ALGORITHMS

Text = Annotated[str, Meta(min_length=1)]
Source = Annotated[str, Meta(pattern=r"^https?://")]


class CarrierFileError(ValueError):
    """A carrier's file cannot be used. The message is one line that names the file and the key."""


class CheckTable(Struct, frozen=True, forbid_unknown_fields=True):
    """An algorithm and where it applies: the check character is at ``end``, the text from ``start`` to there.

    Both count as Python's slices do. ``prepend`` is put before the text.
    """

    name: Text
    weights: tuple[int, ...] = ()
    start: int | None = None
    end: int | None = None
    prepend: str = ""


class FormatTable(Struct, frozen=True, forbid_unknown_fields=True):
    """One form of a carrier's numbers. ``settled`` is false where the public sources leave doubt."""

    name: Text
    pattern: Text
    check: Text | CheckTable | None = None
    settled: bool = True
    sources: tuple[Source, ...] = ()
    valid: tuple[Text, ...] = ()
    invalid: tuple[Text, ...] = ()

    @property
    def check_table(self) -> CheckTable | None:
        return CheckTable(self.check) if isinstance(self.check, str) else self.check


class CarrierFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One carrier. ``complete``: every number of it has one of the formats, so that what fits none is malformed."""

    name: Text
    complete: bool
    aliases: tuple[Text, ...] = ()
    prefixes: tuple[Text, ...] = ()
    accepts: tuple[Text, ...] = ()
    sources: tuple[Source, ...] = ()
    formats: tuple[FormatTable, ...] = ()


def read_carrier_files(folder: Path) -> dict[str, CarrierFile]:
    """Every carrier's file in the folder by its name without ``.toml``.

    :raises CarrierFileError: when one cannot be used
    """
    files = {path.stem: _read(path) for path in sorted(folder.glob("*.toml"))}
    for stem, file in files.items():
        for accepted in file.accepts:
            if accepted not in files or accepted == stem:
                raise CarrierFileError(f"{stem}.toml: accepts: no other carrier's file is named {accepted!r}")
    return files


def _read(path: Path) -> CarrierFile:
    try:
        file = msgspec.convert(tomllib.loads(path.read_text("utf-8")), CarrierFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise CarrierFileError(f"{path.name}: {str(error).replace('$.', '')}") from None
    for number, table in enumerate(file.formats):
        problem = _problem(table)
        if problem is not None:
            raise CarrierFileError(f"{path.name}: formats[{number}].{problem}")
    return file


def _problem(table: FormatTable) -> str | None:
    try:
        groups = re.compile(table.pattern).groups
    except re.error as error:
        return f"pattern: {error}"
    if groups:
        return "pattern: has a capturing group, write (?:…)"
    check = table.check_table
    if check is None:
        return None
    algorithm = ALGORITHMS.get(check.name)
    if algorithm is None:
        return f"check: no algorithm is named {check.name!r}"
    if algorithm.weights != bool(check.weights):
        return f"check.weights: {check.name!r} {'needs' if algorithm.weights else 'takes no'} weights"
    return None
