"""Whether a Kafka broker can be reached, asked before any client is made.

aiokafka's own start asks one server after the other, for 40 s each, and logs an error for each; and what is frozen, or
no Kafka broker, or speaks TLS where we do not, accepts connections too. So all servers are asked first, at once and
quietly, and what is wrong is one line that says what to do about it. Whether the broker lets us in is asked in
:mod:`stream.kafka.entry`.
"""

import asyncio
import os
import ssl
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from stream.kafka.cluster import Cluster

OTHER_WAY_TIMEOUT = 2.0
"""Seconds to find out whether what does not answer over TLS does without it, or the other way round."""

_CORRELATION_ID = 0x5654_5221
_API_VERSIONS_REQUEST = struct.pack(">ihhih", 10, 18, 0, _CORRELATION_ID, -1)
"""ApiVersions version 0, which every Kafka broker answers, whatever its version and to anybody: size, API key, API
version, correlation id, and no client id."""

_CHECK = "check that it is running and that the address is right"

_OTHER_HOST = (62, 64)
_OUT_OF_DATE = (9, 10)
"""OpenSSL's numbers for certificates of another name or address, and for those not yet or no longer valid."""


class BrokerError(Exception):
    """Kafka cannot be used as it is. The message is one line that names the broker and what to do about it."""


class RefusedError(BrokerError):
    """The brokers answer and do not let us in: to wait does not help. The message is one line."""


class _Problem(NamedTuple):
    what: str
    to_do: str = _CHECK


async def answering_server(servers: Sequence[str], cluster: Cluster, tls: ssl.SSLContext | None, seconds: float) -> str:
    """The first of a cluster's servers that answers as a Kafka broker does, over TLS where that is given.

    Raises :class:`BrokerError` where none does within so many seconds.
    """
    tasks = [asyncio.create_task(_asked(server, tls, cluster)) for server in servers]
    problems = []
    try:
        async with asyncio.timeout(seconds):
            for answer in asyncio.as_completed(tasks):
                found = await answer
                if isinstance(found, str):
                    return found
                problems.append(found)
    except TimeoutError:
        problems.append(await _silence(servers, cluster, seconds))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    what = ", ".join(dict.fromkeys(problem.what for problem in problems))
    # A setting that is wrong helps more than a server that is away.
    to_do = next((problem.to_do for problem in problems if problem.to_do != _CHECK), _CHECK)
    raise BrokerError(f"cannot reach a Kafka broker at {','.join(servers)}: {what}; {to_do}")


async def _silence(servers: Sequence[str], cluster: Cluster, seconds: float) -> _Problem:
    """What it means that none answers. Some brokers without TLS wait for more of what they take for a request."""
    if cluster.uses_tls and any(await asyncio.gather(*map(_speaks_plainly, servers))):
        return _no_tls(cluster)
    return _Problem(f"no answer within {seconds:g} s")


def _no_tls(cluster: Cluster) -> _Problem:
    protocol = "sasl_plaintext" if cluster.uses_sasl else "plaintext"
    return _Problem("it has no TLS", f"give its port for TLS, or set `security_protocol` to {protocol}")


async def _asked(server: str, tls: ssl.SSLContext | None, cluster: Cluster) -> str | _Problem:
    try:
        await _ask(server, tls)
    except (OSError, EOFError) as error:
        return await _problem(error, server, cluster)
    return server


async def _ask(server: str, tls: ssl.SSLContext | None) -> None:
    host, port = host_and_port(server)
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        writer.write(_API_VERSIONS_REQUEST)
        _, correlation_id = struct.unpack(">ii", await reader.readexactly(8))
    finally:
        # Over TLS, to close is to wait for the other's farewell.
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
    if correlation_id != _CORRELATION_ID:
        raise EOFError


async def _problem(error: OSError | EOFError, server: str, cluster: Cluster) -> _Problem:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error)
    is_cut_short = isinstance(error, EOFError | ConnectionResetError | ConnectionAbortedError)
    if not cluster.uses_tls:
        if is_cut_short and await _speaks_tls(server):
            protocol = "sasl_ssl" if cluster.uses_sasl else "ssl or sasl_ssl"
            return _Problem("it wants TLS", f"set `security_protocol` to {protocol}")
        return _Problem(describe(error))
    reason = str(error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if "ALERT" in reason and ("CERT" in reason or "CA" in reason):
        if cluster.ssl_cert_file is None:
            return _Problem("it wants a certificate of the client", "set `ssl_cert_file` and `ssl_key_file`")
        why = reason.partition("ALERT_")[2].replace("_", " ").lower()
        return _Problem(
            f"it does not accept the client's certificate ({why})", "set `ssl_cert_file` to one that it trusts"
        )
    if (is_cut_short or reason) and await _speaks_plainly(server):
        return _no_tls(cluster)
    return _Problem(f"TLS fails ({reason.replace('_', ' ').lower()})" if reason else describe(error))


def _distrust(error: ssl.SSLCertVerificationError) -> _Problem:
    why = error.verify_message.rstrip(".")
    if error.verify_code in _OTHER_HOST:
        return _Problem(f"its certificate is of another host: {why}", "use a name that the certificate has")
    to_do = "set `ssl_ca_file` to the authority that signed it"
    if error.verify_code in _OUT_OF_DATE:
        to_do = "check the clock here, and let the broker have a new one"
    return _Problem(f"its certificate is not trusted: {why}", to_do)


async def _speaks_tls(server: str) -> bool:
    try:
        async with asyncio.timeout(OTHER_WAY_TIMEOUT):
            await _ask(server, ssl.create_default_context())
    except ssl.SSLCertVerificationError:
        return True
    except ssl.SSLError as error:
        return "ALERT" in str(error.reason)
    except (OSError, EOFError):
        return False
    return True


async def _speaks_plainly(server: str) -> bool:
    try:
        async with asyncio.timeout(OTHER_WAY_TIMEOUT):
            await _ask(server, None)
    except (OSError, EOFError):
        return False
    return True


def host_and_port(server: str) -> tuple[str, int]:
    """``[::1]:9092`` as ``("::1", 9092)``."""
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)


def describe(error: OSError | EOFError) -> str:
    """What is wrong with a connection, in some words."""
    if isinstance(error, EOFError):
        return "what answers there is no Kafka broker"
    if error.errno is not None and error.errno > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    if isinstance(error, ConnectionResetError):
        return "it closes the connection"
    # Failed look-ups of names have their own text; several addresses that failed in different ways have none.
    return error.strerror or "no address of it accepts connections"
