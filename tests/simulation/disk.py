"""A machine's disk, with stores that behave as RocksDB without its log: a crash sets them back to an earlier moment."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple

from stream.state import MemoryStore, Rows
from stream.state.store import Row

Survival = Literal["kept", "stale", "lost"]


class Moment(NamedTuple):
    """What a store has persisted at a moment, and what it keeps that was derived from it then or before."""

    rows: dict[bytes, bytes]
    offset: int
    kept: dict[bytes, bytes]


class Disk:
    """What every partition's store has persisted, moment by moment. Survives the processes of its machine."""

    def __init__(self) -> None:
        self._moments: dict[int, list[Moment]] = {}

    def open(self, partition: int) -> "DiskStore":
        """The store of a partition as it was left."""
        moments = self._moments.setdefault(partition, [])
        return DiskStore(moments)

    def crash(self, random: Random) -> Survival:
        """What a crash leaves. Whole moments only: rows and offset are written together."""
        survivals: list[Survival] = ["kept", "stale", "lost"]
        survival = random.choice(survivals)
        for moments in self._moments.values():
            if survival == "lost":
                moments.clear()
            elif survival == "stale" and moments:
                del moments[random.randrange(len(moments)) + 1 :]
        return survival


class DiskStore:
    """A :class:`~stream.state.store.Store` on a :class:`Disk`."""

    def __init__(self, moments: list[Moment]) -> None:
        self._moments = moments
        self._store = MemoryStore()
        self._unpersisted: dict[bytes, bytes | None] = {}
        self._kept: dict[bytes, bytes] = {}
        if moments:
            rows, offset, self._kept = moments[-1]
            self._store.write(dict(rows))
            self._store.persist(offset)

    @property
    def offset(self) -> int | None:
        """See :class:`~stream.state.store.Store`."""
        return self._store.offset

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :class:`~stream.state.store.Store`."""
        held = self._store.get_many(keys)
        return [self._unpersisted.get(key, value) for key, value in zip(keys, held, strict=True)]

    def write(self, rows: Rows) -> None:
        """See :class:`~stream.state.store.Store`."""
        self._unpersisted.update(rows)

    def persist(self, offset: int) -> None:
        """See :class:`~stream.state.store.Store`."""
        self._store.write(self._unpersisted)
        self._unpersisted.clear()
        self._store.persist(offset)
        self._moments.append(Moment(dict(self._store.scan()), offset, self._kept))

    def scan(self) -> Iterator[Row]:
        """See :class:`~stream.state.store.Store`."""
        return self._store.scan()

    def next_share(self, shares: int) -> list[Row]:
        """See :class:`~stream.state.store.Store`."""
        return self._store.next_share(shares)

    def keep(self, derive: Callable[[], Mapping[bytes, bytes]]) -> bool:
        """See :class:`~stream.state.store.Store`."""
        if self._unpersisted or not self._moments:
            return False
        self._kept = dict(derive())
        self._moments.append(self._moments[-1]._replace(kept=self._kept))
        return True

    def kept(self) -> dict[bytes, bytes]:
        """See :class:`~stream.state.store.Store`."""
        return dict(self._kept)

    def keys_with(self, prefix: bytes) -> list[bytes]:
        """See :class:`~stream.state.store.Store`."""
        unpersisted = [key for key in self._unpersisted if key.startswith(prefix)]
        return list(dict.fromkeys([*self._store.keys_with(prefix), *unpersisted]))

    def __len__(self) -> int:
        """See :class:`~stream.state.store.Store`."""
        return len(self._store)

    def close(self) -> None:
        """See :class:`~stream.state.store.Store`."""
        self._unpersisted.clear()
