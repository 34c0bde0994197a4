"""Brokers that let nobody in, in ways that Apache Kafka does not have. No broker is needed."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiokafka.protocol.admin import (
    ApiVersionResponse_v0,
    SaslAuthenticateResponse_v0,
    SaslHandShakeResponse_v1,
)

from stream.embedded import HOST
from stream.kafka.clients import BrokerError, RefusedError, connected_admin
from stream.kafka.cluster import Cluster

API_VERSIONS, HANDSHAKE, AUTHENTICATE, METADATA = 18, 17, 36, 3
VERSIONS = ApiVersionResponse_v0(0, [(METADATA, 0, 5), (HANDSHAKE, 0, 1), (API_VERSIONS, 0, 0), (AUTHENTICATE, 0, 0)])
PASSWORD = "open-sesame"  # noqa: S105


@asynccontextmanager
async def answering(answers: Mapping[int, bytes]) -> AsyncIterator[str]:
    """A broker with an answer to some requests, by their API keys. At others it closes the connection."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                key, _, correlation_id = struct.unpack_from(">hhi", await reader.readexactly(size))
                answer = struct.pack(">i", correlation_id) + answers[key]
                writer.write(struct.pack(">i", len(answer)) + answer)
        except (EOFError, KeyError, OSError):
            writer.close()

    async with await asyncio.start_server(respond, HOST, 0) as server:
        yield f"{HOST}:{server.sockets[0].getsockname()[1]}"


def login(broker: str) -> Cluster:
    return Cluster(
        broker=broker,
        security_protocol="sasl_plaintext",
        sasl_mechanism="PLAIN",
        sasl_username="vtr",
        sasl_password=PASSWORD,
    )


async def said(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> BrokerError:
    """What it says of itself instead of letting us in."""
    with pytest.raises(BrokerError) as caught:
        async with connected_admin(cluster):
            pass
    assert not caplog.records
    assert PASSWORD not in str(caught.value)
    return caught.value


async def test_one_that_closes_connections_wants_no_login(caplog: pytest.LogCaptureFixture) -> None:
    """As while it stops. That is no reason to change settings, nor to give up."""
    async with answering({API_VERSIONS: VERSIONS.encode()}) as server:
        error = await said(Cluster(broker=server), caplog)
    assert str(error) == f"the Kafka broker at {server} closes connections; check that it is not about to stop"
    assert not isinstance(error, RefusedError)


async def test_one_that_closes_the_connection_at_a_login(caplog: pytest.LogCaptureFixture) -> None:
    handshake = SaslHandShakeResponse_v1(0, ["PLAIN"]).encode()
    async with answering({API_VERSIONS: VERSIONS.encode(), HANDSHAKE: handshake}) as server:
        error = await said(login(server), caplog)
    assert not isinstance(error, RefusedError)
    assert str(error).startswith(f"the Kafka broker at {server} breaks off the login of user vtr; check `sasl_mechan")


async def test_one_whose_answer_to_a_login_is_none(caplog: pytest.LogCaptureFixture) -> None:
    answers = {
        API_VERSIONS: VERSIONS.encode(),
        HANDSHAKE: SaslHandShakeResponse_v1(0, ["PLAIN"]).encode(),
        AUTHENTICATE: SaslAuthenticateResponse_v0(0, None, b"unasked").encode(),
    }
    async with answering(answers) as server:
        error = await said(login(server), caplog)
    assert isinstance(error, RefusedError)
    assert f"the Kafka broker at {server} gives no proper answer to the login of user vtr; check " in str(error)
