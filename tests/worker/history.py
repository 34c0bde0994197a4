"""Simulated history as records to send, all at once or as it flows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from stream.settings import Settings
from stream.simulator import SimulationConfig, simulate_history
from tests.worker.deployment import Deployment, Input

SPAN = timedelta(days=30)
"""Less than the 40 days for which facts are taken: while a worker waits for the next part of a history, its clock
goes on to the present, and what is older is too late."""

FLOW_PAUSE = 0.1


def simulated(settings: Settings, events: int, *, sellers: int) -> list[Input]:
    """A history up to now, in order of arrival, with duplicates and late events."""
    now = datetime.now(UTC)
    topics = {
        "order-shipped": settings.order_shipped_topic,
        "tracking-uploaded": settings.tracking_uploaded_topic,
        "tracking-scanned": settings.tracking_scanned_topic,
    }
    config = SimulationConfig(start=now - SPAN, end=now, sellers=sellers)
    return [Input(topics[record.kind], record.key, record.value) for record in simulate_history(config, events)]


@asynccontextmanager
async def flowing(deployment: Deployment, records: list[Input], at_once: int) -> AsyncIterator[None]:
    """Records go in, some at once every tenth of a second; what is left at the end of the context follows then."""
    over = asyncio.Event()

    async def flow() -> None:
        for start in range(0, len(records), at_once):
            if over.is_set():
                await deployment.send(records[start:])
                return
            await deployment.send(records[start : start + at_once])
            await asyncio.sleep(FLOW_PAUSE)

    task = asyncio.create_task(flow())
    try:
        yield
    finally:
        over.set()
        await task
