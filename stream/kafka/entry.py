"""Whether a Kafka broker that answers lets us in, asked before any client is made.

To aiokafka's clients a wrong password is a broker that is away: they try again, some without end. So a connection of
our own comes in first, as theirs would, and what keeps it out is one line that says what to do about it.
"""

from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.admin import SaslHandShakeRequest
from aiokafka.protocol.metadata import MetadataRequest

from stream.kafka.cluster import ClientOptions, Cluster, address
from stream.kafka.probe import BrokerError, RefusedError, answering_server, describe, host_and_port

_CREDENTIALS = "`sasl_mechanism`, `sasl_username` and `sasl_password`"

MOST_ADVERTISED = 5
"""Brokers of a cluster that are asked whether they can be reached: one that can is enough."""


async def check_entry(cluster: Cluster, server: str, options: ClientOptions, seconds: float) -> None:
    """Come in at a server that answers, as a client with these options does, and look where it would go from there.

    Raises :class:`RefusedError` where the broker does not let us in, :class:`BrokerError` where none can be reached
    under the addresses that it advertises, and aiokafka's errors and TimeoutError for what may pass.
    """
    visit = _Visit(server, options, seconds)
    try:
        await visit.connect()
        # Without a login, a broker that wants one is known by what it does at the first question.
        metadata = await visit.send(MetadataRequest([]))
    except KafkaConnectionError as error:
        raise await _broken_off(cluster, server, options, seconds) from error
    except IllegalSaslStateError as error:
        without = "ssl" if cluster.uses_tls else "plaintext"
        raise RefusedError(
            f"the Kafka broker at {server} knows no login; give its port for logins, or set `security_protocol` to "
            f"{without}, and none of {_CREDENTIALS}"
        ) from error
    except UnsupportedSaslMechanismError as error:
        raise RefusedError(
            f"the Kafka broker at {server} has the SASL mechanism {cluster.sasl_mechanism} not enabled; set "
            f"`sasl_mechanism` to what it has: {visit.mechanisms or 'none'}"
        ) from error
    except SaslAuthenticationFailed as error:
        said = " ".join(str(error.args[0] if error.args else "").split())
        raise _kept_out(server, f"does not let user {cluster.sasl_username} in: {said}") from error
    except TimeoutError:
        raise
    except OSError as error:
        raise BrokerError(f"the Kafka broker at {server} does not answer any more: {describe(error)}") from error
    except (AssertionError, LookupError, ValueError) as error:
        # What aiokafka makes of an answer to a login that is none.
        raise _kept_out(server, f"gives no proper answer to the login of user {cluster.sasl_username}") from error
    finally:
        await visit.end()
    advertised = [address(host, port) for _, host, port, *_ in metadata.brokers]
    if advertised and server not in advertised:
        try:
            await answering_server(advertised[:MOST_ADVERTISED], cluster, options.get("ssl_context"), seconds)
        except BrokerError as error:
            raise BrokerError(f"{error}; this is what {server} advertises") from error


def _kept_out(server: str, what: str) -> RefusedError:
    return RefusedError(f"the Kafka broker at {server} {what}; check {_CREDENTIALS}")


async def _broken_off(cluster: Cluster, server: str, options: ClientOptions, seconds: float) -> BrokerError:
    """What it means that the broker closed the connection."""
    if cluster.uses_sasl:
        # Or it is about to stop, so this is no refusal.
        return BrokerError(
            f"the Kafka broker at {server} breaks off the login of user {cluster.sasl_username}; check {_CREDENTIALS}"
        )
    visit = _Visit(server, options, seconds)
    try:
        await visit.connect()
        await visit.send(SaslHandShakeRequest("PLAIN"))
    except (KafkaConnectionError, OSError):
        pass
    finally:
        await visit.end()
    if not visit.mechanisms:
        return BrokerError(f"the Kafka broker at {server} closes connections; check that it is not about to stop")
    with_login = "sasl_ssl" if cluster.uses_tls else "sasl_plaintext"
    return RefusedError(
        f"the Kafka broker at {server} wants a login ({visit.mechanisms}); set `security_protocol` to {with_login}, "
        f"and {_CREDENTIALS}, or give its port for clients without one"
    )


class _Visit(AIOKafkaConnection):  # type: ignore[misc]
    """A connection that remembers which SASL mechanisms the broker says it has."""

    def __init__(self, server: str, options: ClientOptions, seconds: float) -> None:
        own = {name: value for name, value in options.items() if name != "bootstrap_servers"}
        super().__init__(*host_and_port(server), request_timeout_ms=int(seconds * 1000), **own)
        self.mechanisms = ""

    async def send(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as aiokafka's
        response = await super().send(*args, **options)
        self.mechanisms = ", ".join(getattr(response, "enabled_mechanisms", ())) or self.mechanisms
        return response

    async def end(self) -> None:
        """Close it."""
        closed = self.close()
        if closed is not None:
            await closed
