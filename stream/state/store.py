"""What a store must do, whatever it keeps its rows in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

Row = tuple[bytes, bytes]
Rows = Mapping[bytes, bytes | None]
"""Rows to put, and with None those to delete."""


class Store(Protocol):
    """Rows of one partition. One writer, one thread.

    A row is written in two steps, because the store must never be ahead of the changelog: a fact that only the store
    of a crashed worker knew would look known when its event is read again, and never reach the changelog.
    """

    @property
    def offset(self) -> int | None:
        """The changelog offset up to which the rows are persisted; None for none."""
        ...

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of ``keys``, in their order; None where there is none."""
        ...

    def write(self, rows: Rows) -> None:
        """Put and delete rows. They are read back at once, but survive only once they are persisted."""
        ...

    def persist(self, offset: int) -> None:
        """Keep what was written, all or nothing: the changelog has acknowledged it up to ``offset``."""
        ...

    def scan(self) -> Iterator[Row]:
        """Every persisted row, in any order; not to be written to meanwhile."""
        ...

    def next_share(self, shares: int) -> list[Row]:
        """About 1/``shares`` of the persisted rows. Successive calls go round, so that what may be forgotten is found
        without a pause that grows with the store."""
        ...

    def keep(self, derive: Callable[[], Mapping[bytes, bytes]]) -> bool:
        """Keep what ``derive`` gives, derived from the rows, in place of what was kept before, all or nothing. Only
        :meth:`kept` shows it.

        Returns whether it is kept; else it was not asked for. A store that survives no restart keeps nothing, and none
        does where something was written and not persisted, for what is derived is ahead of the rows then.
        """
        ...

    def kept(self) -> dict[bytes, bytes]:
        """What was kept last, whatever was persisted since: whoever takes it must see to what it was derived from."""
        ...

    def keys_with(self, prefix: bytes) -> list[bytes]:
        """The keys that begin so, persisted or not, in any order; none once the store is closed. Any thread may ask,
        and may be told of a key that is just being deleted, or not yet of one that is just being written."""
        ...

    def __len__(self) -> int:
        """About how many rows there are; 0 once the store is closed. Any thread may ask."""
        ...

    def close(self) -> None:
        """Give up the partition. What was not persisted is gone."""
        ...
