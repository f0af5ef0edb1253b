"""Documents that the service makes once and sends often: compressed for who asks for it, not sent at all to who has it (RFC 9110 section 13).

The tag is weak because the compressed and the plain bytes share it.
"""

import gzip
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response

_COMPRESS_FROM = 1000


@dataclass(frozen=True)
class Document:
    """Bytes with their media type; ``modified`` is when what they say became true, None where it may change at any time."""

    body: bytes
    media_type: str = "text/xml"
    modified: datetime | None = None

    @cached_property
    def tag(self) -> str:
        """The entity tag."""
        return f'W/"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    @cached_property
    def compressed(self) -> bytes:
        """The same bytes for a client that takes gzip."""
        return gzip.compress(self.body, 6, mtime=0)

    def response(self, request: Request) -> Response:
        """The answer to a GET or HEAD: 304 without a body if the client's copy is this one."""
        headers = {"Vary": "Accept-Encoding"}
        if self.modified is not None:
            headers |= {
                "Last-Modified": format_datetime(self.modified.astimezone(UTC), usegmt=True),
                "ETag": self.tag,
                "Cache-Control": "no-cache",  # may be kept, but asked for: a publication changes it
            }
            if self._is_known(request):
                return Response(status_code=304, headers=headers)
        else:
            headers["Cache-Control"] = "no-store"
        body = self.body
        if len(body) >= _COMPRESS_FROM and takes_gzip(request):
            body = self.compressed
            headers["Content-Encoding"] = "gzip"
        return Response(body, media_type=self.media_type, headers=headers)

    def _is_known(self, request: Request) -> bool:
        """Whether the client has this very document; a tag counts before a date (RFC 9110 section 13.2.2)."""
        if tags := request.headers.get("if-none-match"):
            return tags.strip() == "*" or self.tag.removeprefix("W/") in (tag.strip().removeprefix("W/") for tag in tags.split(","))
        since = request.headers.get("if-modified-since")
        if since is None or self.modified is None:
            return False
        try:
            return self.modified.replace(microsecond=0) <= parsedate_to_datetime(since).replace(tzinfo=UTC)
        except ValueError:
            return False


def takes_gzip(request: Request) -> bool:
    """Whether the client asked for gzip and did not give it the weight 0."""
    for offered in request.headers.get("accept-encoding", "").split(","):
        coding, _, weight = offered.replace(" ", "").lower().partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" or weight == ""
    return False


class MadeOnce:
    """Documents of the newest publication, each made when it is first asked for; safe in several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._serial: int | None = None
        self._documents: dict[str, Document] = {}

    def document(self, name: str, serial: int, make: Callable[[], Document]) -> Document:
        """The document of that name at a publication."""
        with self._lock:
            if serial != self._serial:
                self._serial, self._documents = serial, {}
            if name not in self._documents:
                self._documents[name] = make()
            return self._documents[name]
