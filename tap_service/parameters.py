"""What a request for a query says (TAP 1.1 section 2.7, DALI 1.1 section 3): read once, checked, and from then on typed.

Names are case-insensitive, unknown ones are ignored, a single-valued one that stands twice is an error.
"""

import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from tap_service.errors import ParameterError, RequestError, TooLargeError
from tap_service.limits import Limits
from tap_service.results.formats import BINARY2, ResultFormat, format_named
from tap_service.uploads.multipart import MultipartBody
from tap_service.uploads.upload import Upload, parts_named, read_uploads

LANGUAGES = {"ADQL": "2.1", "ADQL-2.0": "2.0", "ADQL-2.1": "2.1"}
"""Values of LANG and the version of ADQL that each means."""

_DISCARD_SECONDS = 30.0
"""How long the rest of a request that was refused is still taken."""

_FORM = "application/x-www-form-urlencoded"

_SINGLE = ("QUERY", "LANG", "MAXREC", "RESPONSEFORMAT", "FORMAT", "RUNID", "REQUEST")


@dataclass(frozen=True)
class QueryParameters:
    """A request for a query. ``maxrec`` is None where the request left it to the service."""

    query: str
    version: str = "2.1"
    format: ResultFormat = BINARY2
    maxrec: int | None = None
    run_id: str | None = None
    uploads: tuple[Upload, ...] = ()


@dataclass(frozen=True)
class RequestContent:
    """What a request holds before anybody asks what it means: (name, value) pairs in their order, and files by the names of their parts."""

    pairs: list[tuple[str, str]]
    files: dict[str, Path] = field(default_factory=dict)


def read_parameters(pairs: Iterable[tuple[str, str]], limits: Limits, files: Mapping[str, Path] | None = None) -> QueryParameters:
    """The parameters of a request from its (name, value) pairs in the order they came; ParameterError says which one is wrong.

    ``files`` are what UPLOAD may point to. UPLOAD may stand more than once, everything else once (TAP 1.1 section 2.7).
    """
    values: dict[str, str] = {}
    uploads: list[str] = []
    for name, value in pairs:
        name = name.upper()
        if name == "UPLOAD":
            uploads.append(value)
        if name == "FORMAT" and name in values:
            continue  # astroquery sends its own format=votable behind the FORMAT that was asked for, when it uploads a table
        if name in _SINGLE and name in values:
            raise ParameterError(f"{name} stands more than once in the request; give it one value.")
        values[name] = value
    if values.get("REQUEST", "doQuery").lower() != "doquery":
        raise ParameterError(f"REQUEST={values['REQUEST']} is not offered; REQUEST may be left out, or be doQuery.")
    language = values.get("LANG") or "ADQL"
    if language.upper() not in LANGUAGES:
        raise ParameterError(f"LANG={language} is not offered; use one of {', '.join(LANGUAGES)}.")
    run_id = values.get("RUNID")
    if run_id is not None and len(run_id) > limits.run_id_characters:
        raise ParameterError(f"RUNID has {len(run_id)} characters; at most {limits.run_id_characters} are taken.")
    response_format = values.get("RESPONSEFORMAT") or values.get("FORMAT")
    if not values.get("QUERY", "").strip():
        raise ParameterError("QUERY is missing: give the text of an ADQL query, such as QUERY=SELECT TOP 10 * FROM tap_schema.tables.")
    return QueryParameters(
        values["QUERY"],
        LANGUAGES[language.upper()],
        format_named(response_format) if response_format else BINARY2,
        maxrec_of(values.get("MAXREC")),
        run_id,
        read_uploads(uploads, files or {}),
    )


def maxrec_of(value: str | None) -> int | None:
    """MAXREC as a number, of whatever length it was written; None where it says nothing."""
    if value is None or not value.strip():
        return None
    if not (value.strip().isascii() and value.strip().isdigit()):
        raise ParameterError(f"MAXREC={value} is not a whole number from 0 on.")
    digits = value.strip().lstrip("0")
    return int(digits or 0) if len(digits) < len(str(sys.maxsize)) else sys.maxsize


async def request_content(request: Request, limits: Limits, folder: Path | None) -> RequestContent:
    """What the URL and an urlencoded or multipart body hold; TooLargeError, ParameterError for a bad body.

    Files of a multipart body go into ``folder``, which is made where there are any and is the caller's to remove; without one they are ignored.
    """
    content = RequestContent(list(request.query_params.multi_items()))
    if request.method != "POST":
        return content
    content_type, body = request.headers.get("content-type", ""), _Body(request)
    try:
        if content_type.lower().startswith("multipart/form-data"):
            await _read_multipart(body, MultipartBody(content_type, folder, limits), content)
            if folder is not None:
                _values_to_files(content, folder)
        else:
            form = Request(request.scope, await _read_body(body, limits, content_type))
            async with form.form(max_part_size=limits.request_bytes, max_fields=limits.datalink_ids + 100) as fields:
                content.pairs.extend((name, value) for name, value in fields.multi_items() if isinstance(value, str))
    except RequestError:
        await body.discard_rest()
        raise
    except HTTPException as error:
        raise ParameterError(f"The body of the request cannot be read: {error.detail}") from error
    except UnicodeError as error:
        raise ParameterError("The body of the request cannot be read in the character set that it names; send UTF-8.") from error
    return content


class _Body:
    """The bytes of a request's body as they arrive."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._ended = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """Piece by piece; ClientDisconnect if the client leaves before the end."""
        while not self._ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self._ended = not message.get("more_body", False)
            yield message.get("body", b"")

    async def discard_rest(self) -> None:
        """Take what still comes: a client that has not sent all of it does not read why it was refused."""
        with anyio.move_on_after(_DISCARD_SECONDS):
            async for _ in self.chunks():
                pass


async def _read_multipart(body: _Body, parts: MultipartBody, content: RequestContent) -> None:
    try:
        async for chunk in body.chunks():
            await anyio.to_thread.run_sync(parts.write, chunk)
        parts.finish()
    finally:
        parts.close()
    content.pairs.extend(parts.pairs)
    content.files.update(parts.files)


def _values_to_files(content: RequestContent, folder: Path) -> None:
    """A table that came as a part without a file name becomes a file too."""
    wanted = parts_named(value for name, value in content.pairs if name.upper() == "UPLOAD") - set(content.files)
    for number, (name, value) in enumerate(content.pairs):
        if name in wanted and name.upper() not in (*_SINGLE, "UPLOAD"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            content.files[name] = folder / f"value{number}"
            content.files[name].write_text(value, encoding="utf-8")
    content.pairs[:] = [(name, value) for name, value in content.pairs if name not in wanted or name not in content.files]


class _Replay:
    """The body that was read, as an ASGI ``receive`` that gives it once more."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __call__(self) -> Message:
        return {"type": "http.request", "body": self._body, "more_body": False}


async def _read_body(content: _Body, limits: Limits, content_type: str) -> _Replay:
    """The whole body of a form, as long as it is not longer than the service reads; ParameterError for a body of another type."""
    body = bytearray()
    async for chunk in content.chunks():
        body += chunk
        if len(body) > limits.request_bytes:
            raise TooLargeError(f"The request's body is longer than {limits.request_bytes} bytes, the most that this service reads.")
    if body and content_type.partition(";")[0].strip().lower() != _FORM:
        raise ParameterError(
            f"A body of the type {content_type!r:.100} is not read; send the parameters as {_FORM}, or with tables as multipart/form-data."
        )
    return _Replay(bytes(body))
