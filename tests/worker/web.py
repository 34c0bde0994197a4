"""What a worker's web server says."""

import asyncio
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any, NamedTuple

import msgspec

from stream.embedded import HOST
from stream.settings import Settings

TIMEOUT = 2.0
"""Seconds that a probe has patience for."""


class Page(NamedTuple):
    """An answer."""

    status: int
    content_type: str
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - a test looks for what it expects
        """The body."""
        return msgspec.json.decode(self.body)


async def get(settings: Settings, path: str, headers: Mapping[str, str] | None = None) -> Page:
    """A page, or an assertion that fails where nothing answers in time."""
    try:
        return await asyncio.to_thread(_get, settings.web_port, path, headers or {})
    except OSError as error:
        raise AssertionError(f"no answer to {path}: {error!r}") from None


def _get(port: int, path: str, headers: Mapping[str, str]) -> Page:
    connection = HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        return Page(response.status, response.headers["Content-Type"], response.read())
    finally:
        connection.close()


async def is_ready(settings: Settings) -> None:
    """Asserts that the worker is ready."""
    page = await get(settings, "/readyz")
    assert (page.status, page.json["why_not"]) == (200, [])


async def is_not_ready(settings: Settings, why: str) -> None:
    """Asserts that the worker is not ready, for that reason among others."""
    page = await get(settings, "/readyz")
    assert page.status == 503
    assert [reason for reason in page.json["why_not"] if reason.startswith(why)], page.json["why_not"]
