"""An app with its consumer on a thread that is a fake, and its processor."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from faust.transport.conductor import Conductor
from faust.transport.drivers import aiokafka as driver

from stream.worker.app import VtrApp, create_app
from stream.worker.consumer import BatchConsumer
from tests.worker_units.fakes import SETTINGS, Client, Line, Thread, nothing, on_thread


@pytest.fixture
async def app() -> VtrApp:
    app = create_app(SETTINGS, 4)
    conductor = cast("Conductor", app.topics)
    for agent in app.agents.values():
        conductor.add(agent.channel)
    await conductor._update_indices()
    app.consumer_generation_id = 1
    app.flow_control.resume()
    return app


@pytest.fixture
def thread() -> Thread:
    return Thread()


# What is made of Faust takes the loop that is the thread's own where none runs, and that may be an earlier test's.


@pytest.fixture
async def consumer(app: VtrApp, thread: Thread) -> BatchConsumer:
    return cast("BatchConsumer", on_thread(cast("driver.Consumer", app.consumer), thread))


@pytest.fixture
def client(app: VtrApp, consumer: BatchConsumer, thread: Thread) -> Client:
    """aiokafka's own consumer, below the one of the app."""
    assert app.consumer is consumer
    client = thread._consumer = Client()
    return client


@pytest.fixture
async def fausts_own(app: VtrApp, thread: Thread) -> driver.Consumer:
    """The consumer that is overridden, in the same app."""
    own = driver.Consumer(
        app.transport, callback=nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing
    )
    return on_thread(own, thread)


@pytest.fixture
async def line(app: VtrApp, consumer: BatchConsumer) -> AsyncIterator[Line]:
    line = Line(app, consumer)
    line.processor.resume()
    yield line
    line.producer.acknowledges.set()
    line.task.cancel()
    await asyncio.gather(line.task, *line.processor._steps.values(), return_exceptions=True)
