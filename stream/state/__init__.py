"""Where a partition's shipments are kept between batches."""

from stream.state.memory import MemoryStore
from stream.state.shipments import HeldShipments, Shipments, StoredShipments
from stream.state.store import Rows, Store

__all__ = ["HeldShipments", "MemoryStore", "Rows", "Shipments", "Store", "StoredShipments"]
