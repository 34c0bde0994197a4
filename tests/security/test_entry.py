"""Who comes in at a broker that wants TLS and logins, and what is said to whom it does not let in."""

import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from msgspec.structs import replace

from stream.embedded import HOST
from stream.kafka.clients import (
    BrokerError,
    TopicPartition,
    connected_admin,
    connected_consumer,
    end_offsets,
    why_shut_out,
)
from stream.kafka.cluster import Cluster
from tests.security.certificates import Certificates
from tests.security.kafka import PASSWORD, SecureKafkaNode

pytestmark = pytest.mark.kafka_only(reason="it knows neither TLS nor logins")

SOON = 3.0
WRONG = "geheim"


@pytest.mark.parametrize(
    ("way", "mechanism"),
    [("login", "SCRAM-SHA-512"), ("login", "PLAIN"), ("certificate", None), ("clear", None), ("plain", None)],
)
async def test_each_way_in(secure: SecureKafkaNode, prefix: str, way: str, mechanism: str | None) -> None:
    cluster: Cluster = getattr(secure, way)
    cluster = replace(cluster, sasl_mechanism=mechanism) if mechanism else cluster
    partition = TopicPartition(f"{prefix}{way}", 0)
    async with connected_admin(cluster) as admin:
        await admin.create_topics([NewTopic(partition.topic, 1, 1)])
    async with AIOKafkaProducer(**cluster.client_options()) as producer:
        await producer.send_and_wait(partition.topic, b"value")
    assert await end_offsets(cluster, [partition]) == {partition: 1}
    async with connected_consumer(cluster, group=prefix) as consumer:
        consumer.assign([partition])
        assert (await consumer.getone()).value == b"value"
        await consumer.commit({partition: 1})


WAYS = ("login", "certificate", "clear", "plain")

WRONG_WAYS: dict[str, tuple[str, dict[str, str | None], str]] = {
    "an authority that is not trusted": (
        "login",
        {"ssl_ca_file": "{files}/strangers-ca.pem"},
        (
            "its certificate is not trusted: unable to get local issuer certificate; set `ssl_ca_file` to the "
            "authority that signed it"
        ),
    ),
    "the system's authorities": (
        "certificate",
        {"ssl_ca_file": None},
        (
            "its certificate is not trusted: unable to get local issuer certificate; set `ssl_ca_file` to the "
            "authority that signed it"
        ),
    ),
    "another host": (
        "login",
        {"broker": "kafka://localhost:{login}"},
        (
            "its certificate is of another host: Hostname mismatch, certificate is not valid for 'localhost'; "
            "use a name that the certificate has"
        ),
    ),
    "a wrong password by SCRAM": (
        "login",
        {"sasl_password": WRONG},
        (
            "does not let user vtr in: Authentication failed during authentication due to invalid credentials "
            "with SASL mechanism SCRAM-SHA-512; check `sasl_mechanism`, `sasl_username` and `sasl_password`"
        ),
    ),
    "a wrong password by PLAIN": (
        "login",
        {"sasl_password": WRONG, "sasl_mechanism": "PLAIN"},
        (
            "does not let user vtr in: Authentication failed: Invalid username or password; check "
            "`sasl_mechanism`, `sasl_username` and `sasl_password`"
        ),
    ),
    "a user who is not there": (
        "clear",
        {"sasl_username": "nobody"},
        (
            "does not let user nobody in: Authentication failed during authentication due to invalid credentials "
            "with SASL mechanism SCRAM-SHA-256; check `sasl_mechanism`, `sasl_username` and `sasl_password`"
        ),
    ),
    "a mechanism that is not enabled": (
        "login",
        {"sasl_mechanism": "SCRAM-SHA-256"},
        ("has the SASL mechanism SCRAM-SHA-256 not enabled; set `sasl_mechanism` to what it has: SCRAM-SHA-512, PLAIN"),
    ),
    "plain text where TLS is wanted": (
        "plain",
        {"broker": "kafka://127.0.0.1:{certificate}"},
        "it wants TLS; set `security_protocol` to ssl or sasl_ssl",
    ),
    "a login without TLS where TLS is wanted": (
        "clear",
        {"broker": "kafka://127.0.0.1:{login}"},
        "it wants TLS; set `security_protocol` to sasl_ssl",
    ),
    "TLS where there is none": (
        "certificate",
        {"broker": "kafka://127.0.0.1:{plain}"},
        "it has no TLS; give its port for TLS, or set `security_protocol` to plaintext",
    ),
    "TLS with a login where there is no TLS": (
        "login",
        {"broker": "kafka://127.0.0.1:{clear}"},
        "it has no TLS; give its port for TLS, or set `security_protocol` to sasl_plaintext",
    ),
    "no login over TLS where one is wanted": (
        "certificate",
        {"broker": "kafka://127.0.0.1:{login}"},
        (
            "wants a login (SCRAM-SHA-512, PLAIN); set `security_protocol` to sasl_ssl, and `sasl_mechanism`, "
            "`sasl_username` and `sasl_password`, or give its port for clients without one"
        ),
    ),
    "no login where one is wanted": (
        "plain",
        {"broker": "kafka://127.0.0.1:{clear}"},
        (
            "wants a login (SCRAM-SHA-256); set `security_protocol` to sasl_plaintext, and `sasl_mechanism`, "
            "`sasl_username` and `sasl_password`, or give its port for clients without one"
        ),
    ),
    "a login where there is none": (
        "clear",
        {"broker": "kafka://127.0.0.1:{plain}"},
        (
            "knows no login; give its port for logins, or set `security_protocol` to plaintext, and none of "
            "`sasl_mechanism`, `sasl_username` and `sasl_password`"
        ),
    ),
    "no certificate where one is wanted": (
        "certificate",
        {"ssl_cert_file": None, "ssl_key_file": None},
        "it wants a certificate of the client; set `ssl_cert_file` and `ssl_key_file`",
    ),
    "a stranger's certificate": (
        "certificate",
        {"ssl_cert_file": "{files}/stranger.pem", "ssl_key_file": "{files}/stranger.key"},
        (
            "it does not accept the client's certificate (certificate unknown); set `ssl_cert_file` to one that "
            "it trusts"
        ),
    ),
}
"""A way in, what is other than it should be, and what is said after the address; `{…}` are ports and a folder."""


@pytest.mark.parametrize("case", WRONG_WAYS)
async def test_what_does_not_fit_is_one_line_within_seconds(
    case: str, secure: SecureKafkaNode, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    way, changes, said = WRONG_WAYS[case]
    ports = {name: getattr(secure, name).servers[0].rpartition(":")[2] for name in WAYS}
    given = {name: value and value.format(**ports, files=certificates.folder) for name, value in changes.items()}
    cluster = replace(getattr(secure, way), **given)
    started = time.monotonic()
    with pytest.raises(BrokerError) as caught:
        async with connected_admin(cluster):
            pass
    assert time.monotonic() - started < SOON
    (server,) = cluster.servers
    assert str(caught.value) in (
        f"cannot reach a Kafka broker at {server}: {said}",
        f"the Kafka broker at {server} {said}",
    )
    assert not caplog.records
    assert str(await why_shut_out(cluster)) == str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert WRONG not in str(caught.value)


async def test_the_server_that_fits_is_found_among_others(secure: SecureKafkaNode) -> None:
    servers = [f"{HOST}:1", *secure.plain.servers, *secure.login.servers]
    async with connected_admin(replace(secure.login, broker=",".join(servers))) as admin:
        assert await admin.list_topics() is not None


async def test_the_name_that_a_broker_advertises_is_checked_too(secure: SecureKafkaNode) -> None:
    (server,) = secure.astray.servers
    advertised = server.replace(HOST, "localhost")
    assert str(await why_shut_out(secure.astray)) == (
        f"cannot reach a Kafka broker at {advertised}: its certificate is of another host: Hostname mismatch, "
        "certificate is not valid for 'localhost'; use a name that the certificate has; this is what "
        f"{server} advertises"
    )


async def test_a_file_that_is_missing_is_said_before_anything_connects(secure: SecureKafkaNode, tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    why = await why_shut_out(replace(secure.login, broker="kafka://127.0.0.1:1", ssl_ca_file=str(missing)))
    assert str(why) == f"cannot read `ssl_ca_file` {missing}: No such file or directory"
