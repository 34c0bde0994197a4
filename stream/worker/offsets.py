"""Which offsets may be committed: a ledger of batches handed out and batches done.

Faust's own bookkeeping counts single messages and looks for gaps between their offsets. A batch has one offset, its
last record's, and gaps are everywhere: between batches, where a topic was compacted, at transaction markers. So the
rule here is about order and not about numbers: a partition's commit follows the batches that are done, in the order
in which they were handed out, up to the first that is not.
"""

from collections import deque
from collections.abc import Iterable

from faust.types import TP


class OffsetLedger:
    """Batches handed out and done, per partition. Offsets are those of a batch's last record."""

    def __init__(self) -> None:
        self._handed: dict[TP, deque[int]] = {}
        self._done: dict[TP, set[int]] = {}
        self._committable: dict[TP, int] = {}

    def hand_out(self, tp: TP, offset: int) -> None:
        """A batch that ends with ``offset`` goes to be processed."""
        self._handed.setdefault(tp, deque()).append(offset)

    def finish(self, tp: TP, offset: int) -> bool:
        """The batch that ends with ``offset`` is processed, and what follows from it is acknowledged.

        Returns False for a batch that is not expected, for example one handed out before the partition was taken
        away: it will be read again, and must not be committed now.
        """
        handed = self._handed.get(tp)
        if not handed or offset not in handed:
            return False
        done = self._done.setdefault(tp, set())
        done.add(offset)
        while handed and handed[0] in done:
            finished = handed.popleft()
            done.discard(finished)
            # After a seek back, a batch may be handed out that ends before one that is done already.
            self._committable[tp] = max(finished + 1, self._committable.get(tp, 0))
        return True

    def committable(self, tp: TP) -> int | None:
        """The offset to commit, that of the next record to read; None where nothing was finished."""
        return self._committable.get(tp)

    def partitions(self) -> list[TP]:
        """The partitions that have something to commit."""
        return list(self._committable)

    def is_pending(self, tp: TP) -> bool:
        """Whether a batch of the partition was handed out and is not done."""
        return bool(self._handed.get(tp))

    def is_any_pending(self) -> bool:
        """Whether a batch of any partition was handed out and is not done."""
        return any(self._handed.copy().values())

    def forget(self, tps: Iterable[TP]) -> None:
        """The partitions are read from their committed offsets again, here or elsewhere."""
        for tp in list(tps):
            self._handed.pop(tp, None)
            self._done.pop(tp, None)
            self._committable.pop(tp, None)
