"""Rows in memory, restored from the changelog after a restart."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from stream.state.paged import PagedRows
from stream.state.store import Row, Rows


class MemoryStore:
    """A :class:`~stream.state.store.Store` in memory."""

    def __init__(self) -> None:
        self._rows = PagedRows()
        self._offset: int | None = None

    @property
    def offset(self) -> int | None:
        """See :class:`~stream.state.store.Store`."""
        return self._offset

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :class:`~stream.state.store.Store`."""
        return self._rows.get_many(keys)

    def write(self, rows: Rows) -> None:
        """See :class:`~stream.state.store.Store`."""
        self._rows.write(rows)

    def persist(self, offset: int) -> None:
        """See :class:`~stream.state.store.Store`."""
        self._offset = offset

    def scan(self) -> Iterator[Row]:
        """See :class:`~stream.state.store.Store`."""
        return self._rows.scan()

    def next_share(self, shares: int) -> list[Row]:
        """See :class:`~stream.state.store.Store`."""
        return self._rows.next_share(shares)

    def keep(self, derive: Callable[[], Mapping[bytes, bytes]]) -> bool:  # noqa: ARG002 - nothing survives here
        """See :class:`~stream.state.store.Store`."""
        return False

    def kept(self) -> dict[bytes, bytes]:
        """See :class:`~stream.state.store.Store`."""
        return {}

    def keys_with(self, prefix: bytes) -> list[bytes]:
        """See :class:`~stream.state.store.Store`."""
        return self._rows.keys_with(prefix)

    def __len__(self) -> int:
        """See :class:`~stream.state.store.Store`."""
        return len(self._rows)

    def close(self) -> None:
        """See :class:`~stream.state.store.Store`."""
        self._rows = PagedRows()
        self._offset = None
