"""The paths of the API, and how an answer comes together: here, at the worker that has it, or from all of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from stream.report import Selection, csv_of
from stream.settings import Settings
from stream.worker.api import problems
from stream.worker.api.access import Access
from stream.worker.api.answers import DeploymentHealth, ScopePage, SellerMetrics, WorkerHealth
from stream.worker.api.document import document
from stream.worker.api.here import Here
from stream.worker.api.peers import FORWARDED, Answer, Peers
from stream.worker.api.problems import Problem, ProblemError, problem, unavailable
from stream.worker.api.queries import NoQuery, ReportQuery, ScopesQuery, parsed
from stream.worker.api.scopes import Wanted, merged

if TYPE_CHECKING:
    from stream.worker.app import VtrApp

PREFIX = "/api/v1"

PARTITIONS = "VTR-Partitions"
"""The header that tells another worker of which partitions a part of a list is."""

_SELLER = "{seller_id:[^/]+}"
"""Any text, braces included, unlike aiohttp's own; a slash comes as %2F."""

JSON, CSV = "application/json", "text/csv"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")

logger = logging.getLogger("stream.worker.api")


class Api:
    """The API of one worker, for topics of ``partitions`` partitions."""

    def __init__(self, app: "VtrApp", settings: Settings, partitions: int) -> None:
        self.access = Access(settings)
        self._here = Here(app, settings, partitions)
        self._peers = Peers(self.access.headers)

    def add_to(self, web_app: web.Application) -> None:
        """Serve it."""

        @web.middleware  # which takes no methods
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guarded(request, handler)

        api = web.Application(middlewares=[guarded])
        api.router.add_get("/openapi.json", self.document)
        api.router.add_get("/health", self.health)
        api.router.add_get("/scopes", self.scopes)
        api.router.add_get(f"/sellers/{_SELLER}", self.seller)
        api.router.add_get(f"/sellers/{_SELLER}/report", self.report)
        api.on_cleanup.append(self._close)
        web_app.add_subapp(PREFIX, api)

    # --- Pages -------------------------------------------------------------------------------------------------------

    async def document(self, request: web.Request) -> web.StreamResponse:
        """The OpenAPI document."""
        _query(request, NoQuery)
        return _json(document())

    async def health(self, request: web.Request) -> web.StreamResponse:
        """All workers, whether they are ready, and whether any partition is missing."""
        _query(request, NoQuery)
        own = self._here.health()
        workers = [own]
        if not _is_forwarded(request):
            others = sorted(self._here.workers() - {self._here.url})
            workers += await asyncio.gather(*(self._health_of(url) for url in others))
            workers.sort(key=lambda worker: worker.url)
        missing = sorted({*self._here.numbers}.difference(*(worker.partitions for worker in workers)))
        is_ready = not missing and all(worker.ready for worker in workers)
        return _json(DeploymentHealth(ready=is_ready, missing_partitions=missing, workers=workers))

    async def scopes(self, request: web.Request) -> web.StreamResponse:
        """A page of all scopes that are wanted, from all workers."""
        wanted = Wanted(_query(request, ScopesQuery))
        page, numbers = await self._here.page(wanted)
        if _is_forwarded(request):
            return _json(page, {PARTITIONS: ",".join(map(str, numbers))})
        missing = {*self._here.numbers} - {*numbers}
        if missing:
            others = sorted({self._owner(number) for number in missing})
            answers = await asyncio.gather(*(self._peers.ask(url, _path_and_query(request)) for url in others))
            pages = [page]
            for answer in answers:
                part = _said(answer, ScopePage)
                told = {int(number) for number in answer.headers.get(PARTITIONS, "").split(",") if number}
                # Nothing must be missing, and nothing be there twice.
                if not told <= missing:
                    raise unavailable(f"partition {min(told - missing)} is moving from one worker to another")
                missing -= told
                pages.append(part)
            if missing:
                raise unavailable(f"partition {min(missing)} is being restored or goes to another worker")
            page = merged(pages, wanted.limit)
        return _json(page)

    async def seller(self, request: web.Request) -> web.StreamResponse:
        """The metrics of a seller."""
        _query(request, NoQuery)
        seller_id = request.match_info["seller_id"]
        if (answer := await self._forwarded(request, seller_id)) is not None:
            return answer
        return _json(SellerMetrics(seller_id=seller_id, scopes=await self._here.metrics_of(seller_id)))

    async def report(self, request: web.Request) -> web.StreamResponse:
        """The defect report of a seller."""
        query = _query(request, ReportQuery)
        seller_id = request.match_info["seller_id"]
        if (answer := await self._forwarded(request, seller_id)) is not None:
            return answer
        selection = Selection(
            window=query.window,
            marketplace=_given(query.marketplace),
            category=_given(query.category),
            carrier=_given(query.carrier),
        )
        found = await self._here.report(seller_id, selection)
        if query.format == "json":
            return await asyncio.to_thread(_json, found)
        headers = {"Content-Disposition": 'attachment; filename="defects.csv"'}
        return web.Response(
            body=await asyncio.to_thread(csv_of, found), content_type=CSV, charset="utf-8", headers=headers
        )

    # --- Other workers -----------------------------------------------------------------------------------------------

    async def _forwarded(self, request: web.Request, seller_id: str) -> web.StreamResponse | None:
        """The answer of the worker that has the seller; None where that is this one."""
        number = self._here.partition_of(seller_id)
        if number in self._here.partitions() or _is_forwarded(request):
            return None
        answer = await self._peers.ask(self._owner(number), _path_and_query(request))
        passed_on = ("Content-Type", "Content-Disposition", "Retry-After")
        headers = {name: answer.headers[name] for name in passed_on if name in answer.headers}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    def _owner(self, number: int) -> str:
        """The address of another worker that has a partition."""
        url = self._here.owners().get(number)
        if url is None:
            raise unavailable(
                f"no worker says that it has partition {number}: it is moving, or its worker has no web server, or "
                "the same web_url as another"
            )
        if url == self._here.url:
            raise unavailable(
                f"partition {number} is being restored, or its worker gives the same web_url as this one: {url}"
            )
        return url

    async def _health_of(self, url: str) -> WorkerHealth:
        try:
            (worker,) = _said(await self._peers.ask(url, f"{PREFIX}/health"), DeploymentHealth).workers
        except ProblemError as error:
            return WorkerHealth(url=url, ready=False, why_not=[str(error)], partitions=[], lag_records=None)
        return worker

    async def _close(self, _: web.Application) -> None:
        await self._peers.close()

    # --- Every request -----------------------------------------------------------------------------------------------

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self.access.check(request.headers)
            response = await handler(request)
        except ProblemError as error:
            response = _problem(error.problem, error.headers)
        except web.HTTPException as error:  # aiohttp's own: no such path or method
            status = HTTPStatus(error.status)
            headers = {name: value for name, value in error.headers.items() if name == "Allow"}
            what = f"{request.method} {request.path}"
            detail = f"{what}: there is nothing here" if status is HTTPStatus.NOT_FOUND else f"{what}: {error.reason}"
            response = _problem(problem(status, detail), headers)
        except Exception:
            logger.exception("%s failed", request.path)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            detail = "an error of the program; the worker's log says more"
            response = _problem(problem(status, detail), {})
        response.headers.update({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
        return response


def _query(request: web.Request, kind: type[T]) -> T:
    return parsed(list(request.query.items()), kind)  # type: ignore[type-var]


def _path_and_query(request: web.Request) -> str:
    """As they came, and without an address, which a request line may have before them."""
    url = request.rel_url
    return f"{url.raw_path}?{url.raw_query_string}"


def _given(value: str | UnsetType) -> str | None:
    return None if value is UNSET else value


def _is_forwarded(request: web.Request) -> bool:
    return FORWARDED in request.headers


def _said(answer: Answer, kind: type[T]) -> T:
    """What another worker says. Raises the problem that it has."""
    try:
        if answer.status == HTTPStatus.OK:
            return msgspec.json.decode(answer.body, type=kind)
        detail = msgspec.json.decode(answer.body, type=Problem).detail
    except msgspec.MsgspecError:
        detail = f"another worker answers with {answer.status} and what cannot be read; is it of another version?"
    raise unavailable(detail)


def _json(body: object, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type=JSON, headers=headers)


def _problem(told: Problem, headers: Mapping[str, str]) -> web.Response:
    return web.Response(
        status=told.status,
        body=msgspec.json.encode(told),
        content_type=problems.CONTENT_TYPE,
        headers=headers,
    )
