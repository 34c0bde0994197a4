"""Dead letters by their code: how many, of whom, when, and one to look at."""

from datetime import datetime

from msgspec import Struct, field

from stream.dead_letters.letter import Letter
from stream.dead_letters.read import Wanted
from stream.kafka.cluster import Cluster
from stream.reader import Source, open_reader

MOST_SELLERS = 10_000
"""Sellers that are told apart per code: a megabyte of keys, and more is "everybody" to whoever reads it."""


class CodeSummary(Struct, kw_only=True):
    """The letters of one code. ``sellers`` is how many their keys name, at most :data:`MOST_SELLERS`; ``latest`` is
    the newest letter's partition and offset, ``3:42``, and ``message`` its message."""

    code: str
    letters: int
    sellers: int
    oldest: datetime
    newest: datetime
    latest: str = ""
    message: str = ""
    topics: dict[str, int] = field(default_factory=dict)


async def summarise(cluster: Cluster, topic: str, wanted: Wanted) -> list[CodeSummary]:
    """The letters that a topic holds by their code, the most frequent first. Errors are those of
    :func:`~stream.dead_letters.letters`; no letter is kept."""
    tally = Tally()
    async with await open_reader(Source(cluster, topic, "beginning", None, follow=False)) as reader:
        while (records := await reader.fetch()) is not None:
            for letter in wanted.among(records):
                tally.add(letter)
    return tally.result()


class Tally:
    """Sums letters up, in any order."""

    def __init__(self) -> None:
        self._summaries: dict[str, CodeSummary] = {}
        self._keys: dict[str, set[bytes]] = {}

    def add(self, letter: Letter) -> None:
        """One more."""
        summary = self._summaries.get(letter.code)
        if summary is None:
            summary = self._summaries[letter.code] = CodeSummary(
                code=letter.code, letters=0, sellers=0, oldest=letter.rejected_at, newest=letter.rejected_at
            )
        summary.letters += 1
        summary.oldest = min(summary.oldest, letter.rejected_at)
        if letter.rejected_at >= summary.newest:
            summary.newest, summary.message = letter.rejected_at, letter.message
            summary.latest = f"{letter.partition}:{letter.offset}"
        summary.topics[letter.source.topic] = summary.topics.get(letter.source.topic, 0) + 1
        known = self._keys.setdefault(letter.code, set())
        if letter.key and len(known) < MOST_SELLERS:
            known.add(letter.key)
            summary.sellers = len(known)

    def result(self) -> list[CodeSummary]:
        """The most frequent code first."""
        return sorted(self._summaries.values(), key=lambda summary: (-summary.letters, summary.code))
