"""The other workers of the group, asked over HTTP."""

from collections.abc import Mapping
from http import HTTPStatus

import aiohttp
from msgspec import Struct
from yarl import URL

from stream.worker.api import problems
from stream.worker.api.problems import unavailable

FORWARDED = "VTR-Forwarded"
"""The header of a request that must be answered by the worker it was sent to, so that none goes round in circles."""

CONTENT_TYPES = ("application/json", "text/csv", problems.CONTENT_TYPE)
"""All that a worker's API answers with."""

CONNECT_TIMEOUT = 3.0
"""Seconds in which a worker must take a connection."""

ANSWER_TIMEOUT = 60.0
"""Seconds in which it must have answered: a report on a seller with a million shipments takes some 30."""


class Answer(Struct, frozen=True):
    """What another worker said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Peers:
    """Connections to other workers. Belongs to the event loop of the web server."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = {**headers, FORWARDED: "1"}
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, url: str, path_and_query: str) -> Answer:
        """A worker's own answer. Raises :class:`~stream.worker.api.problems.ProblemError` where there is none."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT, sock_connect=CONNECT_TIMEOUT)
            self._session = aiohttp.ClientSession(timeout=timeout)
        # As it came: taking it apart and putting it together again may change an id.
        target = URL(url.rstrip("/") + path_and_query, encoded=True)
        try:
            # A redirect would take the token elsewhere.
            async with self._session.get(target, headers=self._headers, allow_redirects=False) as response:
                answer = Answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise unavailable(f"the worker at {url} does not answer: {type(error).__name__}") from error
        if answer.headers.get("Content-Type", "").partition(";")[0] not in CONTENT_TYPES:
            raise unavailable(f"what answers at {url} is no worker; check its web_url")
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise unavailable(f"the worker at {url} does not let this one ask; give all workers the same api_token")
        return answer

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
