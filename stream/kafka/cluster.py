"""How a Kafka cluster is reached, and who we are to it: what every client here is made with.

The settings are those that all Kafka clients have, in their words. ``Settings`` are a :class:`Cluster` too, so whatever
takes one takes them.
"""

import logging
import ssl
from collections.abc import Iterable
from typing import Annotated, Literal, TypedDict, get_args
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from stream.kafka.tls import tls_context

CLUSTER_SETTINGS = (
    "broker",
    "security_protocol",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_key_file",
    "sasl_mechanism",
    "sasl_username",
)
"""What commands that talk to Kafka have flags for: all but the secrets."""

SECRETS = frozenset({"ssl_key_password", "sasl_password", "api_token"})
"""Settings that are never shown. They have no flag, since others see the flags of a process."""

SecurityProtocol = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
FilePath = Annotated[str, Meta(min_length=1)]
_Word = Annotated[str, Meta(min_length=1)]

_TLS_SETTINGS = ("ssl_ca_file", "ssl_cert_file", "ssl_key_file", "ssl_key_password")
_SASL_SETTINGS = ("sasl_mechanism", "sasl_username", "sasl_password")


class ClientOptions(TypedDict, total=False):
    """Keyword arguments that all of aiokafka's clients have."""

    bootstrap_servers: list[str]
    security_protocol: str
    ssl_context: ssl.SSLContext
    sasl_mechanism: str
    sasl_plain_username: str
    sasl_plain_password: str


class Cluster(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Kafka cluster. The descriptions are the help texts of the flags.

    Raises ValueError, one line that names the setting, for what contradicts itself; files are read only where a client
    is made.
    """

    broker: Annotated[str, Meta(description="Kafka's bootstrap servers: kafka://host:port[,host:port…]")] = (
        "kafka://127.0.0.1:9092"
    )
    security_protocol: Annotated[
        SecurityProtocol, Meta(description="how the brokers are connected to: with TLS (ssl), a login (sasl), or both")
    ] = "plaintext"
    ssl_ca_file: Annotated[
        FilePath | None,
        Meta(description="PEM file of the authorities that sign the brokers' certificates, in place of the system's"),
    ] = None
    ssl_cert_file: Annotated[
        FilePath | None, Meta(description="PEM file with the client's certificate, where the brokers ask for one")
    ] = None
    ssl_key_file: Annotated[FilePath | None, Meta(description="PEM file with the key of that certificate")] = None
    ssl_key_password: Annotated[_Word | None, Meta(description="password of that key, where it has one")] = None
    sasl_mechanism: Annotated[SaslMechanism | None, Meta(description="how the brokers check user and password")] = None
    sasl_username: Annotated[_Word | None, Meta(description="user who logs in to the brokers")] = None
    sasl_password: Annotated[_Word | None, Meta(description="password of that user")] = None

    def __post_init__(self) -> None:
        bootstrap_servers(self.broker)
        # Whoever makes one in Python has no check of types before.
        _require_known("security_protocol", self.security_protocol, get_args(SecurityProtocol))
        _require_known("sasl_mechanism", self.sasl_mechanism, (None, *get_args(SaslMechanism)))
        if not self.uses_tls:
            self._refuse(_TLS_SETTINGS, "ssl or sasl_ssl")
        if not self.uses_sasl:
            self._refuse(_SASL_SETTINGS, "sasl_ssl or sasl_plaintext")
        for name in _SASL_SETTINGS if self.uses_sasl else ():
            if getattr(self, name) is None:
                raise ValueError(f"`security_protocol` {self.security_protocol} needs `{name}`, and it is not set")
        for name, needed in (
            ("ssl_cert_file", "ssl_key_file"),
            ("ssl_key_file", "ssl_cert_file"),
            ("ssl_key_password", "ssl_key_file"),
        ):
            if getattr(self, name) is not None and getattr(self, needed) is None:
                raise ValueError(f"`{name}` needs `{needed}`, and it is not set")

    def _refuse(self, names: Iterable[str], protocols: str) -> None:
        for name in names:
            if getattr(self, name) is not None:
                raise ValueError(f"`{name}` needs `security_protocol` {protocols}, and it is {self.security_protocol}")

    @property
    def servers(self) -> list[str]:
        """The bootstrap servers as ``host:port``."""
        return bootstrap_servers(self.broker)

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted, and the brokers prove who they are."""
        return self.security_protocol in ("ssl", "sasl_ssl")

    @property
    def uses_sasl(self) -> bool:
        """Whether a user logs in."""
        return self.security_protocol in ("sasl_plaintext", "sasl_ssl")

    def client_options(self) -> ClientOptions:
        """What any client of aiokafka is made with.

        Reads the PEM files. Raises :class:`~stream.settings_error.SettingsError` where one cannot be used.
        """
        options = ClientOptions(bootstrap_servers=self.servers, security_protocol=self.security_protocol.upper())
        if self.uses_tls:
            options["ssl_context"] = tls_context(
                self.ssl_ca_file, self.ssl_cert_file, self.ssl_key_file, self.ssl_key_password
            )
        if self.uses_sasl:
            options["sasl_mechanism"] = self.sasl_mechanism or ""
            options["sasl_plain_username"] = self.sasl_username or ""
            options["sasl_plain_password"] = self.sasl_password or ""
            logging.getLogger("aiokafka.conn").addFilter(_is_no_login)
        return options

    def __rich_repr__(self) -> list[tuple[str, object]]:
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        hidden = {name: "***" for name in SECRETS & shown.keys() if shown[name] is not None}
        return list((shown | hidden).items())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


def bootstrap_servers(broker: str) -> list[str]:
    """``kafka://a:9092,b`` as ``["a:9092", "b:9092"]``. Raises ValueError that names the setting."""
    if "@" in broker:
        # What stands there may be a password, so it is not repeated.
        raise ValueError("Expected kafka://host:port without a user, whose place is `sasl_username` - at `$.broker`")
    scheme, separator, hosts = broker.partition("://")
    if not separator:
        scheme, hosts = "kafka", broker
    servers = []
    for host in hosts.split(","):
        try:
            url = urlsplit(f"//{host.strip()}")
            port = 9092 if url.port is None else url.port
        except ValueError:
            url, port = urlsplit(""), 0
        if scheme != "kafka" or not url.hostname or not port or url.path:
            raise ValueError(f"Expected kafka://host:port, got {broker!r} - at `$.broker`")
        servers.append(address(url.hostname, port))
    return servers


def address(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _require_known(name: str, value: str | None, known: tuple[str | None, ...]) -> None:
    if value not in known:
        raise ValueError(f"Expected one of {', '.join(filter(None, known))}, got {value!r} - at `$.{name}`")


def _is_no_login(record: logging.LogRecord) -> bool:
    """For aiokafka's log, which at its most detailed has all requests in full: in that of PLAIN is the password. And
    which says with each connection that `sasl_plaintext` is readable; that stands in the README."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    is_request = any(type(each).__name__.startswith("SaslAuthenticate") for each in arguments)
    return not (is_request or record.msg == "Sending username and password in the clear")
