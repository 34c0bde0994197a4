"""What a store must do, whatever it keeps its rows in."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

Row = tuple[bytes, bytes]


class Store(Protocol):
    """Rows of one partition. One writer, one thread; what was written is read back at once."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of ``keys``, in their order; None where there is none."""
        ...

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Put rows, and delete those whose value is None, all or nothing."""
        ...

    def scan(self) -> Iterator[Row]:
        """Every row, in any order; not to be written to meanwhile."""
        ...

    def next_share(self, shares: int) -> list[Row]:
        """About 1/``shares`` of the rows. Successive calls go round, so that what may be forgotten is found
        without a pause that grows with the store."""
        ...
