"""/sync: a request answered by a stream that begins before the query ends (TAP 1.1 section 2.3).

Blocking work (PostgreSQL, numpy) runs in threads. A client that leaves is noticed while the query still computes as well as while rows
flow: its query is cancelled in PostgreSQL, the thread comes back, the connection is closed. (A plain StreamingResponse over a
blocking generator leaves the backend busy for as long as the query takes.)
"""

import logging
import shutil
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from psycopg import errors as postgres
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from tap_service.address import links_address
from tap_service.answer import Answer
from tap_service.errors import BusyError, TapError, as_tap_error
from tap_service.parameters import QueryParameters, RequestContent, read_parameters, request_content
from tap_service.results.votable import MEDIA_TYPE, error_document
from tap_service.service import Service

log = logging.getLogger(__name__)

_CANCEL_AGAIN_SECONDS = 0.1

ROW_LIMIT_HEADER = b"kiel-row-limit"
"""The most rows that the answer can have. CSV and TSV have no place to say that rows were cut: a comment line would be a row to most readers,
and trailers of HTTP are read by hardly any client. A file with fewer rows is whole; one with as many was cut, but for the rare one that fits."""
OVERFLOW_HEADER = b"kiel-overflow"
"""Whether rows were cut, where that is known before the first byte leaves: results of one block."""


class SyncQuery:
    """The answer to one request for rows, as an ASGI application: that at /sync; other resources ask in other words (``_read``)."""

    def __init__(self, request: Request, service: Service) -> None:
        self._request = request
        self._service = service
        self._query = service.new_query()
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, unless the client leaves before."""
        folder = Path(tempfile.gettempdir()) / f"kiel-upload-{uuid.uuid4().hex}"
        try:
            try:
                content = await request_content(self._request, self._service.limits, folder)
                parameters = self._read(content)
            except TapError as error:
                await self._send_error(send, error)
                return
            except ClientDisconnect:
                return
            await self._run(self._answer(parameters), receive, send)
        finally:
            if folder.exists():
                with anyio.CancelScope(shield=True):
                    await self._service.in_thread(shutil.rmtree, folder, True)

    async def _run(self, answer: Answer, receive: Receive, send: Send) -> None:
        began, outcome = time.monotonic(), "client left"
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch_client, receive, tasks.cancel_scope)
                outcome = await self._send_answer(answer, send)
                tasks.cancel_scope.cancel()
        finally:
            log.info(
                "sync %s: %d rows, %.3f s, publication %d, RUNID %s, %r",
                outcome,
                answer.rows,
                time.monotonic() - began,
                self._query.serial,
                answer.parameters.run_id or "-",
                answer.parameters.query[:500],
            )

    def _read(self, content: RequestContent) -> QueryParameters:
        """The request as a query; TapError."""
        return read_parameters(content.pairs, self._service.limits, content.files)

    def _answer(self, parameters: QueryParameters) -> Answer:
        return Answer(self._query, parameters, links=links_address(self._request))

    async def _send_error(self, send: Send, error: TapError) -> None:
        await send_error(send, error)

    async def _watch_client(self, receive: Receive, sending: anyio.CancelScope) -> None:
        """Ends the answer and its query when the client has gone."""
        while (await receive())["type"] != "http.disconnect":
            pass
        sending.cancel()
        with anyio.CancelScope(shield=True):
            # Again until the thread is back: a cancel that arrives between two statements stops neither.
            while not self._ended:
                await self._service.in_thread(self._query.cancel)
                await anyio.sleep(_CANCEL_AGAIN_SECONDS)

    async def _send_answer(self, answer: Answer, send: Send) -> str:
        """Sends the document or the error; in a word, how it ended."""
        begun = False
        started = float("inf")
        try:
            async with self._service.place():
                started = time.monotonic()
                # PostgreSQL does not end a backend that waits for a client to take its rows, so the sending has a limit of its own.
                limits = self._service.limits
                deadline = anyio.current_time() + limits.seconds
                try:
                    document = answer.document()
                    while (chunk := await self._service.in_thread(next, document, None)) is not None:
                        with anyio.CancelScope(deadline=max(deadline, anyio.current_time()) + limits.drain_seconds) as sending:
                            if not begun:
                                await send(self._start(answer))
                                begun = True
                            await send({"type": "http.response.body", "body": chunk, "more_body": True})
                        if sending.cancelled_caught:
                            # It would not take a trailer either: the response stays without its end.
                            return "client stopped reading"
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._service.in_thread(self._query.close)
        except Exception as error:
            if self._query.cancelled:
                return "client left"
            if isinstance(error, postgres.QueryCanceled) and time.monotonic() - started < self._service.limits.seconds:
                error = BusyError("The operators of the database stopped the query; it may run at another time.")
            return await self._fail(answer, as_tap_error(error, self._service.limits.seconds), begun, send)
        finally:
            self._ended = True
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return "overflow" if self._query.overflow else "ok"

    def _start(self, answer: Answer) -> Message:
        limit = str(self._service.limits.rows(answer.parameters.maxrec)).encode()
        headers = [(b"content-type", answer.parameters.format.media_type.encode()), (ROW_LIMIT_HEADER, limit)]
        if answer.ended:
            headers.append((OVERFLOW_HEADER, b"true" if self._query.overflow else b"false"))
        return {"type": "http.response.start", "status": 200, "headers": headers}

    async def _fail(self, answer: Answer, error: TapError, begun: bool, send: Send) -> str:
        """Says what went wrong, in a document of its own or at the end of the one that had begun."""
        if not begun:
            await self._send_error(send, error)
            return f"{error.status:d} {error}"
        trailer = answer.failure(str(error))
        if trailer is not None:
            await send({"type": "http.response.body", "body": trailer, "more_body": False})
        # Else the response stays without its end, which every HTTP client notices: rows that look complete would be worse.
        return f"broke: {error}"


def query_route(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    """A resource that takes GET and POST alone."""
    route = Route(path, endpoint, methods=["GET", "POST"])
    # Starlette adds HEAD wherever GET is; here it would run the query.
    assert route.methods is not None
    route.methods.discard("HEAD")
    return route


class SyncAnswer(Response):
    """The answer in the place of a response."""

    def __init__(self, query: SyncQuery) -> None:
        super().__init__()
        self._query = query

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        await self._query(scope, receive, send)


async def send_error(send: Send, error: TapError) -> None:
    """Answers with the error as a VOTable document and its HTTP status (DALI 1.1 section 4.2)."""
    await send_document(send, error, int(error.status), error_document(str(error)))


async def send_document(send: Send, error: TapError, status: int, body: bytes) -> None:
    """Answers with a document that tells of the error."""
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
