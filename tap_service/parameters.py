"""What a request for a query says (TAP 1.1 section 2.7, DALI 1.1 section 3): read once, checked, and from then on typed.

Names are case-insensitive, unknown ones are ignored, a single-valued one that stands twice is an error.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from tap_service.errors import ParameterError, TooLargeError
from tap_service.limits import Limits
from tap_service.results.formats import BINARY2, ResultFormat, format_named

LANGUAGES = {"ADQL": "2.1", "ADQL-2.0": "2.0", "ADQL-2.1": "2.1"}
"""Values of LANG and the version of ADQL that each means."""

_SINGLE = ("QUERY", "LANG", "MAXREC", "RESPONSEFORMAT", "FORMAT", "RUNID", "REQUEST")


@dataclass(frozen=True)
class QueryParameters:
    """A request for a query. ``maxrec`` is None where the request left it to the service."""

    query: str
    version: str = "2.1"
    format: ResultFormat = BINARY2
    maxrec: int | None = None
    run_id: str | None = None


def read_parameters(pairs: Iterable[tuple[str, str]], limits: Limits) -> QueryParameters:
    """The parameters of a request from its (name, value) pairs in the order they came; ParameterError says which one is wrong."""
    values: dict[str, str] = {}
    for name, value in pairs:
        name = name.upper()
        if name in _SINGLE and name in values:
            raise ParameterError(f"{name} stands more than once in the request; give it one value.")
        values[name] = value
    if "UPLOAD" in values:
        raise ParameterError(
            "UPLOAD is not offered by this service; join with the tables that /tables lists, or use a list of values in IN (...)."
        )
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
    )


def maxrec_of(value: str | None) -> int | None:
    """MAXREC as a number, of whatever length it was written; None where it says nothing."""
    if value is None or not value.strip():
        return None
    if not (value.strip().isascii() and value.strip().isdigit()):
        raise ParameterError(f"MAXREC={value} is not a whole number from 0 on.")
    digits = value.strip().lstrip("0")
    return int(digits or 0) if len(digits) < len(str(sys.maxsize)) else sys.maxsize


async def request_pairs(request: Request, limits: Limits) -> list[tuple[str, str]]:
    """The (name, value) pairs of the URL and of an urlencoded or multipart body; TooLargeError, ParameterError for a bad body."""
    pairs = list(request.query_params.multi_items())
    if request.method == "POST":
        form = Request(request.scope, await _read_body(request, limits))
        try:
            async with form.form(max_part_size=limits.request_bytes, max_fields=limits.datalink_ids + 100) as fields:
                pairs += [(name, "" if isinstance(value, UploadFile) else value) for name, value in fields.multi_items()]
        except HTTPException as error:
            raise ParameterError(f"The body of the request cannot be read: {error.detail}") from error
        except UnicodeError as error:
            raise ParameterError("The body of the request cannot be read in the character set that it names; send UTF-8.") from error
    return pairs


class _Replay:
    """The body that was read, as an ASGI ``receive`` that gives it once more."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __call__(self) -> Message:
        return {"type": "http.request", "body": self._body, "more_body": False}


async def _read_body(request: Request, limits: Limits) -> _Replay:
    """The whole body, as long as it is not longer than the service reads."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limits.request_bytes:
            raise TooLargeError(f"The request's body is longer than {limits.request_bytes} bytes, the most that this service reads.")
    return _Replay(bytes(body))
