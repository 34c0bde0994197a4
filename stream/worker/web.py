"""The worker's web server: `/livez`, `/readyz`, `/metrics` and the API, and no page of Faust's own.

Faust's pages show the routing of its tables and its own counters, which count batches here; and nothing of them is
held stable.
"""

from typing import TYPE_CHECKING, ClassVar, cast

import msgspec
from aiohttp.web import AppRunner
from faust import web
from faust.types import AppT
from faust.web.drivers.aiohttp import Web
from prometheus_client.exposition import choose_encoder

from stream.worker.health import Facts, is_alive, troubles

if TYPE_CHECKING:
    from stream.worker.app import VtrApp

OK, UNAVAILABLE = 200, 503

LONGEST_REQUEST_LINE = 32 * 1024
"""Bytes. An id of 1024 characters, which events may have, takes 12 kB in a path and 11 in a cursor."""

_HEADERS = {"Cache-Control": "no-store"}


class WorkerWeb(Web):
    """Faust's web server, with our pages."""

    default_blueprints: ClassVar = ()
    production_blueprints: ClassVar = ()
    debug_blueprints: ClassVar = ()
    optional_blueprints: ClassVar = ()

    def __init__(self, app: AppT, **options: object) -> None:
        super().__init__(app, **options)
        self._runner = AppRunner(self.web_app, access_log=None, max_line_size=LONGEST_REQUEST_LINE)

    def init_server(self) -> None:
        """Called before the start, and again at the start."""
        if not self.views:
            for page in (Live, Ready, Metrics):
                self.add_view(page)
            cast("VtrApp", self.app).api.add_to(self.web_app)
        super().init_server()


class _Page(web.View):
    app: "VtrApp"

    def answer(self, is_well: bool, body: dict[str, object]) -> web.Response:
        """The facts as JSON, and a status that probes understand."""
        return self.web.bytes(
            msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n",
            content_type="application/json",
            status=OK if is_well else UNAVAILABLE,
            headers=_HEADERS,
        )


class Live(_Page):
    """Whether the worker lives: where not, only a restart helps."""

    view_name, view_path = "livez", "/livez"

    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002 - Faust's signature
        """See the class."""
        known = self.app.health.facts()
        return self.answer(is_alive(known), {"alive": is_alive(known), "facts": known})


class Ready(_Page):
    """Whether the worker does its work, and why not."""

    view_name, view_path = "readyz", "/readyz"

    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002 - Faust's signature
        """See the class."""
        return self.answer(*readiness(self.app.health.facts()))


def readiness(known: Facts) -> tuple[bool, dict[str, object]]:
    """Whether the worker is ready, and the body that says so."""
    why_not = [trouble.text for trouble in troubles(known)]
    return not why_not, {"ready": not why_not, "why_not": why_not, "facts": known}


class Metrics(_Page):
    """What Prometheus asks for."""

    view_name, view_path = "metrics", "/metrics"

    async def get(self, request: web.Request) -> web.Response:
        """See the class."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = encode(self.app.processor.instruments.registry)
        return self.web.bytes(body, headers=_HEADERS | {"Content-Type": content_type})
