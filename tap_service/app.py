"""The resources of the service under one address (TAP 1.1 section 2): /tap, /tap/sync, /tap/async, /tap/capabilities, /tap/tables, /tap/availability."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime

import anyio
import psycopg
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.database import Database
from catalog.errors import KielError
from catalog.version import VERSION
from tap_service import vosi
from tap_service.errors import TapError, as_tap_error
from tap_service.front_page import front_page
from tap_service.jobs.resources import JobResources
from tap_service.jobs.results import JobFiles
from tap_service.jobs.waiting import PhaseChanges
from tap_service.limits import Limits
from tap_service.publication_tables import PublicationTables
from tap_service.service import Service
from tap_service.sync import SyncQuery, send_error

BASE = "/tap"
SERVER = f"kiel/{VERSION} (IVOA-TAP)"
_COMPRESS_FROM = 1000


def make_app(database: Database, limits: Limits | None = None, files: JobFiles | None = None, *, trusts_proxies: bool = False) -> Starlette:
    """The service as an ASGI application; without a place for their files it has no jobs."""
    service = Service(database, limits)
    changes = PhaseChanges(database)
    jobs = JobResources(service, files, changes, trusts_proxies=trusts_proxies).routes(f"{BASE}/async") if files else []
    started = datetime.now(UTC)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            if jobs:
                tasks.start_soon(changes.listen)
            yield
            tasks.cancel_scope.cancel()
        await service.in_thread(service.close)

    async def capabilities(request: Request) -> Response:
        return _document(request, vosi.capabilities(_base(request), service.limits), started)

    async def availability(request: Request) -> Response:
        problem = await service.in_thread(_problem, service)
        return _document(request, vosi.availability(problem, started), None)

    async def tables(request: Request) -> Response:
        published = await service.in_thread(service.tables)
        detail = next((value for name, value in request.query_params.multi_items() if name.lower() == "detail"), "max")
        document = await service.in_thread(lambda: vosi.tables(published, detail=detail.lower()))
        return _document(request, document, published.created)

    async def one_table(request: Request) -> Response:
        published = await service.in_thread(service.tables)
        document = vosi.table(published, request.path_params["name"])
        if document is None:
            return PlainTextResponse(f"There is no table {request.path_params['name']}; {_base(request)}/tables lists them.\n", 404)
        return _document(request, document, published.created)

    async def page(request: Request) -> Response:
        return HTMLResponse(front_page(_base(request), service.limits, await service.in_thread(_tables_or_none, service)))

    async def failed(request: Request, error: Exception) -> Response:
        return _ErrorResponse(as_tap_error(error, service.limits.seconds))

    return Starlette(
        routes=[
            Route("/", page),
            Route(BASE, page),
            _sync_route(service),
            *jobs,
            Route(f"{BASE}/capabilities", capabilities),
            Route(f"{BASE}/availability", availability),
            Route(f"{BASE}/tables", tables),
            Route(f"{BASE}/tables/{{name}}", one_table),
        ],
        middleware=[
            Middleware(_ServerHeader),
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "HEAD", "POST", "DELETE"],
                allow_headers=["*"],
                expose_headers=["*"],
            ),
        ],
        exception_handlers={KielError: failed, psycopg.Error: failed, Exception: failed},
        lifespan=lifespan,
    )


def _sync_route(service: Service) -> Route:
    async def sync(request: Request) -> Response:
        return _Answer(SyncQuery(request, service))

    route = Route(f"{BASE}/sync", sync, methods=["GET", "POST"])
    # Starlette adds HEAD wherever GET is; here it would run the query.
    assert route.methods is not None
    route.methods.discard("HEAD")
    return route


class _Answer(Response):
    """An ASGI application in the place of a response."""

    def __init__(self, application: ASGIApp) -> None:
        super().__init__()
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)


class _ErrorResponse(Response):
    """A VOTable document that says what went wrong."""

    def __init__(self, error: TapError) -> None:
        super().__init__(status_code=error.status)
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_error(send, self._error)


class _ServerHeader:
    """Says in every answer which software it comes from (IVOA Note on software identification)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Server"] = SERVER
            await send(message)

        await self._app(scope, receive, send_named)


def _base(request: Request) -> str:
    """The service's address as this client wrote it."""
    return str(request.base_url).rstrip("/") + BASE


def _document(request: Request, body: bytes, modified: datetime | None) -> Response:
    """An XML document, compressed only for a client that asked for it."""
    headers = {"Vary": "Accept-Encoding"}
    if modified is not None:
        headers["Last-Modified"] = format_datetime(modified.astimezone(UTC), usegmt=True)
    if len(body) >= _COMPRESS_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 6)
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type="text/xml", headers=headers)


def _problem(service: Service) -> str | None:
    """Why no query can be answered just now, in words for everybody."""
    try:
        service.tables()
    except (KielError, psycopg.Error) as error:
        return str(as_tap_error(error, service.limits.seconds))
    return None


def _tables_or_none(service: Service) -> PublicationTables | None:
    try:
        return service.tables()
    except (KielError, psycopg.Error):
        return None
