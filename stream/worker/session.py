"""Keeps a worker from sending anything once its partitions may be another's."""

from time import monotonic
from typing import Any, Protocol, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from aiokafka.protocol.produce import ProduceRequest
from faust.transport.drivers import aiokafka as driver

SESSION_SHARE = 0.5
"""Of the session timeout, and of the rebalance timeout: how long after a sign of life the worker still sends. The rest
is for what is on its way to the broker: it must have arrived before anybody else can have the partitions."""


class Session:
    """Until when the partitions cannot be another worker's. Times are monotonic seconds.

    Counted from when a request was sent, not from its answer: a worker that was frozen in between, or cut off, reads
    the answer of a session that has ended since.
    """

    def __init__(self, session_timeout: float, rebalance_timeout: float) -> None:
        self._session_timeout, self._rebalance_timeout = session_timeout, rebalance_timeout
        self._stable_at = float("-inf")
        self._until = float("-inf")

    def confirm(self, sent_at: float, *, is_rebalancing: bool = False) -> None:
        """The coordinator took us for a member in answer to what was sent then. A rebalance waits only so long for us,
        from some moment after the last answer that knew of none."""
        self._until = sent_at + SESSION_SHARE * self._session_timeout
        if is_rebalancing:
            self._until = min(self._until, self._stable_at + SESSION_SHARE * self._rebalance_timeout)
        else:
            self._stable_at = sent_at

    def holds(self) -> bool:
        """Whether it does now."""
        return monotonic() < self._until


class HasSession(Protocol):
    """The worker's consumer."""

    @property
    def session(self) -> Session:
        """The session that the group last confirmed."""
        ...


class SessionProducer(driver.Producer):
    """Sends nothing when the partitions may be another worker's.

    A worker that was frozen past its session goes on where it was: it sends what it had computed, again where an answer
    is missing, behind what its successor has sent meanwhile. That would set rows, metrics and statuses back. The
    question is asked last of all, when nothing but the socket is left.
    """

    def _new_producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        producer = super()._new_producer(transactional_id)
        client = producer.client
        send = client.send

        async def send_in_session(node_id: int, request: object, **options: Any) -> object:  # noqa: ANN401
            if isinstance(request, ProduceRequest):
                await client.ready(node_id)  # to connect takes time
                if not cast("HasSession", self.app.consumer).session.holds():
                    # Faust's and the client's own error for what took too long; who gets it asks the group.
                    raise KafkaTimeoutError("the group has not confirmed the worker's membership in time")
            return await send(node_id, request, **options)

        client.send = send_in_session
        return producer
