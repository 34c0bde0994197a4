"""Rows in a dict: the fastest store, as large as memory, restored from the changelog after a restart."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from stream.state.store import Row, Rows


class MemoryStore:
    """A :class:`~stream.state.store.Store` in memory."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._round: list[bytes] = []
        self._position = 0
        self._offset: int | None = None

    @property
    def offset(self) -> int | None:
        """See :class:`~stream.state.store.Store`."""
        return self._offset

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :class:`~stream.state.store.Store`."""
        return list(map(self._rows.get, keys))

    def write(self, rows: Rows) -> None:
        """See :class:`~stream.state.store.Store`."""
        own = self._rows
        for key, value in rows.items():
            if value is None:
                own.pop(key, None)
            else:
                own[key] = value

    def persist(self, offset: int) -> None:
        """See :class:`~stream.state.store.Store`."""
        self._offset = offset

    def scan(self) -> Iterator[Row]:
        """See :class:`~stream.state.store.Store`."""
        return iter(self._rows.items())

    def next_share(self, shares: int) -> list[Row]:
        """See :class:`~stream.state.store.Store`."""
        if self._position >= len(self._round):
            self._round = list(self._rows)
            self._position = 0
        end = self._position + -(-len(self._round) // shares)
        keys = self._round[self._position : end]
        self._position = end
        rows = self._rows
        return [(key, rows[key]) for key in keys if key in rows]

    def keep(self, derive: Callable[[], Mapping[bytes, bytes]]) -> bool:  # noqa: ARG002 - nothing survives here
        """See :class:`~stream.state.store.Store`."""
        return False

    def kept(self) -> dict[bytes, bytes]:
        """See :class:`~stream.state.store.Store`."""
        return {}

    def keys_with(self, prefix: bytes) -> list[bytes]:
        """See :class:`~stream.state.store.Store`."""
        # Copied in one step of the interpreter: the dict may change under a loop.
        return [key for key in list(self._rows) if key.startswith(prefix)]

    def __len__(self) -> int:
        """See :class:`~stream.state.store.Store`."""
        return len(self._rows)

    def close(self) -> None:
        """See :class:`~stream.state.store.Store`."""
        self._rows.clear()
        self._offset = None
