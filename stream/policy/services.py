"""What kind of service a ship method is: the rules treat letters and untracked parcels in their own ways.

The products, each with its source, are data: ``services.toml``. They are the posts' products for light goods and the
words that say whether something is tracked; a parcel carrier's products are not among them.
"""

import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

ServiceClass = Literal["letter", "untracked", "tracked"]
"""A letter is untracked by nature; "untracked" are goods sent without tracking."""

_FILE = Path(__file__).with_name("services.toml")

_LONGEST_METHOD = 200
"""Characters. A longer text is no name, and is not worth a place in the cache."""

_KNOWN_METHODS = 4096
"""Cached results. Order systems offer some dozens of methods each, and sellers add their own."""

_UNDECOMPOSED = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe"})
"""Letters that Unicode does not take apart into a plain one and a mark."""

Words = tuple[str, ...]
Name = Annotated[str, Meta(min_length=1)]


class _Service(Struct, frozen=True, forbid_unknown_fields=True, rename={"kind": "class"}):
    kind: ServiceClass
    country: Name
    names: Annotated[tuple[Name, ...], Meta(min_length=1)]
    sources: Annotated[tuple[Annotated[str, Meta(pattern=r"^https?://")], ...], Meta(min_length=1)]
    carriers: tuple[Name, ...] = ()


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    services: tuple[_Service, ...]
    hiding: tuple[Name, ...] = ()
    no_letter: tuple[Name, ...] = ()


class _Meaning(NamedTuple):
    """What a name says, None for one that only hides others; ``carriers`` in plain spelling, empty for all."""

    kind: ServiceClass | None
    carriers: tuple[str, ...] = ()


class _Services(NamedTuple):
    """Names of words by those words, and names in scripts that do not part words by their text."""

    by_words: dict[Words, tuple[_Meaning, ...]]
    by_text: dict[str, tuple[_Meaning, ...]]
    no_letter: frozenset[Words]
    most_words: int


class _Match(NamedTuple):
    start: int
    end: int
    kind: ServiceClass | None

    def hides(self, other: "_Match") -> bool:
        return self.start <= other.start and other.end <= self.end and self.end - self.start > other.end - other.start


def service_class(carrier: str | None, ship_method: str | None) -> ServiceClass | None:
    """The kind of service that a ship method names, or None where it is not known.

    Case, accents, spaces and punctuation do not matter; a name counts only as whole words. Of overlapping names the
    longest counts ("lettre suivie" over "lettre"); a tracked one anywhere makes the method tracked. ``carrier``: its
    name, for words that mean a product of that carrier only.
    """
    if not ship_method or len(ship_method) > _LONGEST_METHOD:
        return None
    return _service_class(None if carrier is None else carrier[:_LONGEST_METHOD], ship_method)


@lru_cache(maxsize=_KNOWN_METHODS)
def _service_class(carrier: str | None, ship_method: str | None) -> ServiceClass | None:
    services = _services()
    words = _words(ship_method or "")
    name = "".join(_words(carrier or ""))
    matches = [*_matches_by_words(words, name, services), *_matches_by_text(words, name, services)]
    kinds = {it.kind for it in matches if not any(other.hides(it) for other in matches)}
    if "tracked" in kinds:
        return "tracked"
    if "letter" in kinds and not any(True for _, _, found in _runs(words, services) if found in services.no_letter):
        return "letter"
    return "untracked" if "untracked" in kinds else None


def _matches_by_words(words: Words, carrier: str, services: _Services) -> Iterator[_Match]:
    """Places are counted in characters of the joined words, as those of the other scripts are."""
    for start, end, found in _runs(words, services):
        for meaning in services.by_words.get(found, ()):
            if _applies(meaning, carrier):
                yield _Match(start, end, meaning.kind)


def _matches_by_text(words: Words, carrier: str, services: _Services) -> Iterator[_Match]:
    text = "".join(words)
    if text.isascii():
        return
    for name, meanings in services.by_text.items():
        start = text.find(name)
        while start >= 0:
            for meaning in meanings:
                if _applies(meaning, carrier):
                    yield _Match(start, start + len(name), meaning.kind)
            start = text.find(name, start + 1)


def _runs(words: Words, services: _Services) -> Iterator[tuple[int, int, Words]]:
    """Every run of words that is short enough to be a name, and where it stands in the joined text."""
    begin = 0
    for first in range(len(words)):
        end = begin
        for last in range(first, min(first + services.most_words, len(words))):
            end += len(words[last])
            yield begin, end, words[first : last + 1]
        begin += len(words[first])


def _applies(meaning: _Meaning, carrier: str) -> bool:
    return not meaning.carriers or carrier in meaning.carriers


def _words(text: str) -> Words:
    """The words without case and accents (ß is ss), cut at everything that is neither letter nor digit."""
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_UNDECOMPOSED))
    plain = "".join(c for c in folded if not unicodedata.combining(c))
    return tuple("".join(c if c.isalnum() else " " for c in plain).split())


@cache
def _services() -> _Services:
    file = msgspec.convert(tomllib.loads(_FILE.read_text("utf-8")), _File)
    by_words: dict[Words, tuple[_Meaning, ...]] = {}
    by_text: dict[str, tuple[_Meaning, ...]] = {}

    def add(name: str, meaning: _Meaning) -> None:
        words = _words(name)
        text = "".join(words)
        if text.isascii():
            by_words[words] = (*by_words.get(words, ()), meaning)
        else:
            by_text[text] = (*by_text.get(text, ()), meaning)

    for name in file.hiding:
        add(name, _Meaning(None))
    for service in file.services:
        carriers = tuple("".join(_words(carrier)) for carrier in service.carriers)
        for name in service.names:
            add(name, _Meaning(service.kind, carriers))
    no_letter = frozenset(map(_words, file.no_letter))
    return _Services(by_words, by_text, no_letter, max(map(len, (*by_words, *no_letter))))
