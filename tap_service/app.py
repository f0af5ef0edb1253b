"""The resources of the service under one address (TAP 1.1 section 2).

/tap            a page for people
/tap/sync ...   queries; /async jobs; /capabilities, /tables, /availability (VOSI), /examples (DALI)
/scs/{table}    Simple Cone Search on each table with positions
/datalink/links what there is about a source
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
import psycopg
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.database import Database
from catalog.errors import KielError
from catalog.version import VERSION
from tap_service import examples_page, vosi
from tap_service.address import CONES, DATALINK, TAP, root_address, tap_address
from tap_service.capabilities import tap_capabilities
from tap_service.cone_search import cone_routes
from tap_service.datalink import datalink_routes
from tap_service.documents import Document, MadeOnce
from tap_service.errors import TapError, as_tap_error
from tap_service.examples import examples_of
from tap_service.front_page import front_page
from tap_service.jobs.resources import JobResources
from tap_service.jobs.results import JobFiles
from tap_service.jobs.waiting import PhaseChanges
from tap_service.limits import Limits
from tap_service.publication_tables import PublicationTables
from tap_service.results.votable import MEDIA_TYPE, error_document
from tap_service.service import Service
from tap_service.sync import SyncAnswer, SyncQuery, query_route, send_error

SERVER = f"kiel/{VERSION} (IVOA-TAP)"


def make_app(
    database: Database,
    limits: Limits | None = None,
    files: JobFiles | None = None,
    *,
    public_url: str | None = None,
    trusts_proxies: bool = False,
) -> Starlette:
    """The service as an ASGI application.

    Without a place for their ``files`` it has no jobs; ``public_url`` is its address where a proxy stands before it, without /tap.
    """
    service = Service(database, limits)
    changes = PhaseChanges(database)
    jobs = JobResources(service, files, changes, trusts_proxies=trusts_proxies).routes(f"{TAP}/async") if files else []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            if jobs:
                tasks.start_soon(changes.listen)
            yield
            tasks.cancel_scope.cancel()
        await service.in_thread(service.close)

    async def failed(request: Request, error: Exception) -> Response:
        return ErrorResponse(as_tap_error(error, service.limits.seconds))

    app = Starlette(
        routes=[*_documents(service), sync_route(service), *jobs, *cone_routes(service), *datalink_routes(service)],
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
        exception_handlers={
            HTTPException: _not_offered,
            ClientDisconnect: _client_left,
            KielError: failed,
            psycopg.Error: failed,
            Exception: failed,
        },
        lifespan=lifespan,
    )
    app.state.public_url = public_url
    return app


def _documents(service: Service) -> list[BaseRoute]:
    """What clients read before they ask: VOSI, and the page for people."""
    started = datetime.now(UTC)
    made = MadeOnce()

    async def capabilities(request: Request) -> Response:
        return Document(tap_capabilities(tap_address(request), service.limits), modified=started).response(request)

    async def availability(request: Request) -> Response:
        problem = await service.in_thread(_problem, service)
        return Document(vosi.availability(problem, started)).response(request)

    async def tables(request: Request) -> Response:
        published = await service.in_thread(service.tables)
        asked = {name.lower(): value for name, value in request.query_params.multi_items()}
        full = asked.get("detail", "max").lower() != "min"
        if "tables" in asked:  # ESA's own parameter, so its dialect
            return Document(vosi.tables(published.only(asked["tables"]), tap_plus=True), modified=published.created).response(request)
        # astroquery is the client that gives neither a name nor a parameter.
        tap_plus = full and not asked and "user-agent" not in request.headers

        def make() -> Document:
            return Document(vosi.tables(published, full=full, tap_plus=tap_plus), modified=published.created)

        return (await service.in_thread(made.document, f"tables {full} {tap_plus}", published.serial, make)).response(request)

    async def one_table(request: Request) -> Response:
        published = await service.in_thread(service.tables)
        return Document(vosi.table(published, request.path_params["name"]), modified=published.created).response(request)

    async def examples(request: Request) -> Response:
        published = await service.in_thread(service.tables)
        shown = examples_page.page(examples_of(published), tap_address(request))
        return Document(shown, "application/xhtml+xml", published.created).response(request)

    async def page(request: Request) -> Response:
        return HTMLResponse(front_page(root_address(request), service.limits, await service.in_thread(_tables_or_none, service)))

    return [
        Route("/", page),
        Route(TAP, page),
        Route(f"{TAP}/capabilities", capabilities),
        *(Route(f"{path}/availability", availability) for path in (TAP, f"{CONES}/{{table}}", DATALINK)),
        Route(f"{TAP}/tables", tables),
        Route(f"{TAP}/tables/{{name}}", one_table),
        Route(f"{TAP}/examples", examples),
    ]


def sync_route(service: Service) -> Route:
    """/sync, which takes GET and POST alone."""

    async def sync(request: Request) -> Response:
        return SyncAnswer(SyncQuery(request, service))

    return query_route(f"{TAP}/sync", sync)


class ErrorResponse(Response):
    """A VOTable document that says what went wrong."""

    def __init__(self, error: TapError) -> None:
        super().__init__(status_code=error.status)
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        await send_error(send, self._error)


async def _not_offered(request: Request, error: Exception) -> Response:
    """404 and 405: a VOTable where programs read, a sentence for browsers; the methods that there are for OPTIONS."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = allowed = ", ".join(_methods_at(request))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": f"{allowed}, OPTIONS"})
    path = request.url.path
    if error.status_code == 404:
        message = f"There is nothing at {path}; {tap_address(request)}/capabilities lists what there is."
    elif error.status_code == 405:
        message = f"{request.method} is not offered at {path}; use {allowed}."
    else:
        message = str(error.detail)
    if "text/html" in request.headers.get("accept", ""):
        return PlainTextResponse(f"{message}\n", error.status_code, headers)
    return Response(error_document(message), error.status_code, headers, MEDIA_TYPE)


def _methods_at(request: Request) -> list[str]:
    """What a path takes: several routes may have it, each with methods of its own."""
    routes = [route for route in request.app.routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in routes for method in route.methods or ()})


async def _client_left(request: Request, error: Exception) -> Response:
    """Nobody reads this; without it the log would call a client that leaves in the middle of its request a failure of the service."""
    return Response(status_code=400)


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
