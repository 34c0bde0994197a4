"""Which carrier is meant, and what its numbers look like."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from stream.tracking.carrier_files import CarrierFile, CarrierFileError, CheckTable, FormatTable, read_carrier_files
from stream.tracking.check_digits import ALGORITHMS

CARRIERS_FOLDER = Path(__file__).with_name("carriers")

_LONGEST_NAME = 200
"""Characters. A longer text is no name, and is not worth a place in the cache."""

_KNOWN_SPELLINGS = 4096
"""Cached results: marketplaces offer some hundred names of carriers, and sellers add their own."""

_INSIDE_WORDS = re.compile("(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z]|[0-9])")


class Check(NamedTuple):
    """A check digit in the numbers of one format: what computes it, the part that it protects, and its own place."""

    compute: Callable[[str], str]
    protected: slice
    place: int

    def expected(self, number: str) -> str:
        """The check digit that a number with the format's pattern should have."""
        return self.compute(number[self.protected])

    def found(self, number: str) -> str:
        """The check digit that it has."""
        return number[self.place]


class Format(Struct, frozen=True, eq=False):
    """One form of tracking number; ``carrier`` is the name of the carrier whose form it is."""

    carrier: str
    name: str
    pattern: re.Pattern[str]
    check: Check | None
    settled: bool

    @property
    def is_sure(self) -> bool:
        """Whether a number that has the format hardly has it by chance."""
        return self.settled or self.check is not None


class Carrier(Struct, frozen=True, eq=False):
    """A known carrier: its name, and the formats that its numbers have (its own, then those it accepts).

    ``match`` finds the first format whose pattern a compact number has, of those that need no second look: its
    ``lastindex`` is the place in ``checks`` of the format's check digit.
    """

    key: str
    name: str
    complete: bool
    formats: tuple[Format, ...]
    match: Callable[[str], re.Match[str] | None]
    checks: tuple[tuple[Callable[[str], str], slice, int] | None, ...]


class Registry:
    """All known carriers, found by any spelling of their names.

    :raises CarrierFileError: when a carrier's file cannot be used
    """

    def __init__(self, folder: Path = CARRIERS_FOLDER) -> None:
        files = read_carrier_files(folder)
        formats = {key: tuple(_format(file.name, table) for table in file.formats) for key, file in files.items()}
        self.carriers = {key: _carrier(key, file, formats) for key, file in files.items()}
        self._names = self._index(files, lambda file: (file.name, *file.aliases))
        self._prefixes = self._index(files, lambda file: file.prefixes)

    def resolve(self, given: str) -> Carrier | None:
        """The carrier of that name, alias or prefix; of several prefixes the longest."""
        words = _words(given)
        carrier = self._names.get("".join(words))
        while carrier is None and words:
            carrier = self._prefixes.get("".join(words))
            words.pop()
        return carrier

    def _index(
        self, files: dict[str, CarrierFile], spellings: Callable[[CarrierFile], tuple[str, ...]]
    ) -> dict[str, Carrier]:
        index: dict[str, Carrier] = {}
        for key, file in files.items():
            for spelling in spellings(file):
                plain = "".join(_words(spelling))
                if not plain:
                    raise CarrierFileError(f"{key}.toml: {spelling!r} has neither letters nor digits")
                other = index.setdefault(plain, self.carriers[key])
                if other.key != key:
                    raise CarrierFileError(f"{key}.toml: {spelling!r} also stands for {other.name} in {other.key}.toml")
        return index


@cache
def known_carriers() -> Registry:
    """The carriers in ``stream/tracking/carriers/``, read once."""
    return Registry()


def resolve_carrier(given: str) -> Carrier | None:
    """The carrier that a seller or an order system means, however it is spelt. None: unknown."""
    return None if len(given) > _LONGEST_NAME else _resolve(given)


@lru_cache(maxsize=_KNOWN_SPELLINGS)
def _resolve(given: str) -> Carrier | None:
    return known_carriers().resolve(given)


def _words(text: str) -> list[str]:
    """The words without case and accents, cut at all that is neither letter nor digit, and as in RoyalMail24."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    apart = _INSIDE_WORDS.sub(" ", plain)
    return "".join(c if c.isalnum() else " " for c in apart.casefold()).split()


def _carrier(key: str, file: CarrierFile, formats: dict[str, tuple[Format, ...]]) -> Carrier:
    accepted = tuple(_all_formats((key, *file.accepts), formats))
    # In other forms letters may be misread digits.
    sure = [it for it in accepted if it.is_sure or not any(map(str.isalpha, it.pattern.pattern))]
    match = re.compile("|".join(f"({it.pattern.pattern})" for it in sure) or "(?!)", re.ASCII).fullmatch
    # Plain tuples, which come apart several times faster than named ones.
    checks = (None, *((it.check[0], it.check[1], it.check[2]) if it.check else None for it in sure))
    return Carrier(key, file.name, file.complete, accepted, match, checks)


def _all_formats(keys: tuple[str, ...], formats: dict[str, tuple[Format, ...]]) -> Iterator[Format]:
    for key in keys:
        yield from formats[key]


def _format(carrier: str, table: FormatTable) -> Format:
    check = table.check_table
    pattern = re.compile(table.pattern, re.ASCII)
    return Format(carrier, table.name, pattern, None if check is None else _check(check), table.settled)


def _check(table: CheckTable) -> Check:
    algorithm = ALGORITHMS[table.name]
    compute = algorithm.make(table.weights)
    start = algorithm.start if table.start is None else table.start
    end = algorithm.end if table.end is None else table.end
    if not table.prepend:
        return Check(compute, slice(start, end), end)
    prepend = table.prepend
    return Check(lambda text: compute(prepend + text), slice(start, end), end)
