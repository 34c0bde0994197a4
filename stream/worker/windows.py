"""A partition's windows over a restart: kept in its store when it is closed in good order, and taken from there where
nothing has changed since; else counted anew from the shipments, which remain the only truth."""

import logging
from collections.abc import Iterable
from time import monotonic

from stream.engine import Engine, EngineSettings, KeptWindows
from stream.engine.kept import DamagedWindowsError, pack, unpack
from stream.policy.verdict import Policy
from stream.records import Alert
from stream.state import Store, StoredShipments

_STAMP = b"stamp"
"""The name of the row that tells what the others belong to."""

logger = logging.getLogger("stream.worker")


def keep(number: int, engine: Engine, store: Store, fingerprint: bytes) -> None:
    """Keep the windows of an engine whose last step is published and persisted. Never raises: whatever stands against
    it, the next start counts anew."""
    began = monotonic()
    try:
        kept = engine.kept()
        if kept is not None and store.keep(lambda: pack(kept) | {_STAMP: _stamp(store, fingerprint)}):
            logger.info("partition %d: windows kept for the next start, in %.1f s", number, monotonic() - began)
    except Exception:
        logger.warning("partition %d: windows cannot be kept for the next start", number, exc_info=True)


def restored(
    number: int,
    policy: Policy,
    settings: EngineSettings,
    store: Store,
    shipments: StoredShipments,
    last_alerts: Iterable[Alert],
    fingerprint: bytes,
) -> Engine:
    """The engine of a partition whose store holds all that the changelog has. Raises
    :class:`~stream.state.rows.CorruptShipmentError`."""
    began, watermark = monotonic(), shipments.watermark()
    kept = None if policy.judges_reuse else _kept(number, store, watermark, fingerprint)
    engine = Engine.restore(policy, settings, shipments, watermark=watermark, last_alerts=last_alerts, kept=kept)
    if kept is None:
        logger.info(
            "partition %d: windows counted anew from about %d shipments, in %.1f s",
            number,
            len(store),
            monotonic() - began,
        )
    else:
        logger.info("partition %d: windows as they were kept, in %.1f s", number, monotonic() - began)
    return engine


def _kept(number: int, store: Store, watermark: int | None, fingerprint: bytes) -> KeptWindows | None:
    """The windows of the store's rows, where they were kept; None where they are of other rows, rules or an other
    hour, or cannot be read."""
    rows = store.kept()
    if rows.pop(_STAMP, None) != _stamp(store, fingerprint):
        return None
    try:
        kept = unpack(rows)
    except DamagedWindowsError as error:
        logger.warning("partition %d: the windows that were kept cannot be used: %s", number, error)
        return None
    return kept if kept.hour == (watermark or 0) else None


def _stamp(store: Store, fingerprint: bytes) -> bytes:
    """Of the rows as they are persisted. Another offset of the changelog means other rows, whoever wrote them."""
    return b"%d " % (-1 if store.offset is None else store.offset) + fingerprint
