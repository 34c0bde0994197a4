"""Where a partition's shipments are kept between batches."""

from stream.state.memory import MemoryStore
from stream.state.store import Rows, Store

__all__ = ["MemoryStore", "Rows", "Store"]
