"""Apache Kafka with listeners that want TLS, a certificate or a login, beside the plain one."""

import re
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from stream.embedded import HOST
from stream.kafka.cluster import Cluster
from tests.brokers.apache_kafka import KafkaNode, another_free_port
from tests.security.certificates import Certificates

USER: Final = "vtr"
GUEST: Final = "guest"
"""Who may do what rules allow, and the user all."""

PASSWORD: Final = "correct-horse+battery"  # noqa: S105

_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_PLAIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'


class SecureKafkaNode(KafkaNode):
    """One node. with a port for each way to connect. Over TLS, one may log in by SCRAM-SHA-512 or PLAIN, without it by
    SCRAM-SHA-256."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        super().__init__(folder)
        self._certificates = certificates
        taken = [self.port, *self._controllers.values()]
        for _ in range(4):
            taken.append(another_free_port(*taken))
        self._login_port, self._certificate_port, self._clear_port, self._astray_port = taken[-4:]

    @property
    def plain(self) -> Cluster:
        """It, for clients without TLS and login."""
        return Cluster(broker=self.url)

    @property
    def login(self) -> Cluster:
        """It, for clients that log in over TLS."""
        return Cluster(
            broker=f"kafka://{HOST}:{self._login_port}",
            security_protocol="sasl_ssl",
            ssl_ca_file=str(self._certificates.ca),
            sasl_mechanism="SCRAM-SHA-512",
            sasl_username=USER,
            sasl_password=PASSWORD,
        )

    @property
    def certificate(self) -> Cluster:
        """It, for clients that have a certificate."""
        return Cluster(
            broker=f"kafka://{HOST}:{self._certificate_port}",
            security_protocol="ssl",
            ssl_ca_file=str(self._certificates.ca),
            ssl_cert_file=str(self._certificates.client_cert),
            ssl_key_file=str(self._certificates.client_key),
        )

    @property
    def clear(self) -> Cluster:
        """It, for clients that log in without TLS."""
        return Cluster(
            broker=f"kafka://{HOST}:{self._clear_port}",
            security_protocol="sasl_plaintext",
            sasl_mechanism="SCRAM-SHA-256",
            sasl_username=USER,
            sasl_password=PASSWORD,
        )

    @property
    def astray(self) -> Cluster:
        """It, for clients over TLS, to which it advertises itself under a name that its certificate does not have."""
        return replace(self.certificate, broker=f"kafka://{HOST}:{self._astray_port}")

    def restart_with(self, password: str) -> None:
        """Let another password be the right one for PLAIN."""
        self.stop()
        text = self._properties.read_text(encoding="utf-8")
        self._properties.write_text(re.sub(f'user_{USER}="[^"]*"', f'user_{USER}="{password}"', text), encoding="utf-8")
        self.start()

    def _format_options(self) -> list[str]:
        return [
            word
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for user in (USER, GUEST)
            for word in ("--add-scram", f"{mechanism}=[name={user},password={PASSWORD}]")
        ]

    def _settings(self) -> dict[str, object]:
        plain = super()._settings()
        ports = {"LOGIN": self._login_port, "CERTIFICATE": self._certificate_port, "CLEAR": self._clear_port}
        own = ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())
        astray = f"ASTRAY://{HOST}:{self._astray_port}"
        key_store = self._folder / "key-store.pem"
        key_store.write_bytes(self._certificates.broker_key.read_bytes() + self._certificates.broker_cert.read_bytes())
        return plain | {
            "listeners": f"{plain['listeners']},{own},{astray}",
            "advertised.listeners": f"{plain['advertised.listeners']},{own},{astray.replace(HOST, 'localhost')}",
            "listener.security.protocol.map": (
                f"{plain['listener.security.protocol.map']},LOGIN:SASL_SSL,CERTIFICATE:SSL,CLEAR:SASL_PLAINTEXT,ASTRAY:SSL"
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # Whoever is no guest, and guests where no rule says what they may.
            "super.users": f"User:ANONYMOUS;User:{USER}",
            "allow.everyone.if.no.acl.found": "true",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": key_store,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self._certificates.ca,
            "listener.name.certificate.ssl.client.auth": "required",
            "listener.name.login.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "listener.name.login.scram-sha-512.sasl.jaas.config": _SCRAM,
            "listener.name.login.plain.sasl.jaas.config": _PLAIN,
            "listener.name.clear.sasl.enabled.mechanisms": "SCRAM-SHA-256",
            "listener.name.clear.scram-sha-256.sasl.jaas.config": _SCRAM,
        }
