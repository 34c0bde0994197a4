"""What the Kafka client of a worker knows of the broker, as facts that any thread may ask for."""

from time import time

from aiokafka import AIOKafkaConsumer
from faust.types import TP

from stream.worker.consumer import BatchConsumer


def _client(consumer: BatchConsumer) -> AIOKafkaConsumer | None:
    """aiokafka's own consumer; None before it has started."""
    return consumer._thread._consumer


def assigned(consumer: BatchConsumer) -> set[TP]:
    """The partitions of the inputs and of the changelogs that this worker has."""
    return set() if _client(consumer) is None else consumer.assignment()


def lags(consumer: BatchConsumer) -> dict[TP, int]:
    """How many records of each input partition are not processed yet, of those whose end is known.

    The end is the high watermark that came with the last fetch: see :meth:`BatchConsumer._note_ends`.
    """
    found = {}
    for tp, state in consumer.states():
        if state.highwater is not None and consumer.app.topics.acks_enabled_for(tp.topic):
            done = None
            if consumer.is_processing(tp):
                done = consumer.done_until(tp)
                if done is None:  # since the assignment, which began at what was committed
                    done = consumer._committed_offset.get(tp)
            found[tp] = max(0, state.highwater - (state.position if done is None else done))
    return found


def answered_at(consumer: BatchConsumer) -> float | None:
    """Monotonic seconds of the last answer of any broker; None where no connection has had one."""
    client = _client(consumer)
    connections = {} if client is None else client._client._conns.copy()
    return max((connection._last_action for connection in connections.values()), default=None)


def unanswered(consumer: BatchConsumer, seconds: float) -> list[TP]:
    """The input partitions that were asked for more in vain for so long: those without a leader, for example."""
    client = _client(consumer)
    buffered = {} if client is None else client._fetcher._records.copy()
    since = (time() - seconds) * 1000
    return sorted(
        tp
        for tp, state in consumer.states()
        if (state.timestamp or 0) < since
        and tp not in buffered
        and not state.paused
        and not consumer.is_processing(tp)
        and consumer.app.topics.acks_enabled_for(tp.topic)
    )
