"""A multipart/form-data body (RFC 7578) as (name, value) pairs and files, read as it arrives.

A part with a file name goes to disk, whatever its Content-Type says or does not say; any other part is a value.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tap_service.errors import ParameterError, TooLargeError
from tap_service.limits import Limits

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MOST_PARTS = 1000


class MultipartBody:
    """Takes a body chunk by chunk; afterwards ``pairs`` and ``files`` say what was in it.

    Args:
        content_type: the request's Content-Type, which holds the boundary.
        folder: where files go, made when the first one comes; None to ignore them.
        limits: ``request_bytes`` for the values together, ``upload_bytes`` for the files together.
    """

    def __init__(self, content_type: str, folder: Path | None, limits: Limits) -> None:
        self.pairs: list[tuple[str, str]] = []
        self.files: dict[str, Path] = {}
        self._folder = folder
        self._limits = limits
        self._value_bytes = self._file_bytes = self._parts = 0
        self._headers: dict[bytes, bytes] = {}
        self._header_name = self._header_value = b""
        self._name: str | None = None
        self._value = bytearray()
        self._file: BinaryIO | None = None
        self._is_file = False
        self._charset = "utf-8"
        self._ended = False
        _, options = parse_options_header(content_type)
        self._body_charset = options.get(b"charset", b"utf-8").decode("latin-1")
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_text,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(options.get(b"boundary", b""), callbacks)
        except FormParserError as error:
            raise ParameterError(f"The body of the request cannot be read: {error}.") from error
        if not options.get(b"boundary"):
            raise ParameterError("The body of the request cannot be read: its Content-Type multipart/form-data names no boundary.")

    def write(self, chunk: bytes) -> None:
        """The next bytes of the body; ParameterError where they are no multipart body, TooLargeError beyond a limit."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise ParameterError(f"The body of the request is no multipart/form-data: {error}.") from error

    def finish(self) -> None:
        """The body has ended; ParameterError if its last boundary did not come."""
        if not self._ended:
            raise ParameterError("The body of the request ends before its last boundary; send it whole.")

    def close(self) -> None:
        """Let go of a file that was being written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # -- what the parser finds

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise TooLargeError(f"The request has more than {_MOST_PARTS} parts.")
        self._headers.clear()
        self._value.clear()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_text(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        _, disposition = parse_options_header(self._headers.get(b"content-disposition"))
        name = disposition.get(b"name")
        self._name = None if name is None else name.decode("utf-8", "replace")
        _, options = parse_options_header(self._headers.get(b"content-type"))
        self._charset = options.get(b"charset", b"").decode("latin-1") or self._body_charset
        self._is_file = b"filename" in disposition
        if self._is_file and self._name is not None and self._folder is not None:
            if self._name in self.files:
                raise ParameterError(f"Two files of the request are called {self._name!r:.100}; give each its own name.")
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"part{self._parts}"
            self._file = path.open("wb")
            self.files[self._name] = path

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._file_bytes += end - start
            if self._file_bytes > self._limits.upload_bytes:
                raise TooLargeError(
                    f"The uploaded files have more than {self._limits.upload_bytes} bytes, the most that this service takes."
                )
            if self._file is not None:
                self._file.write(memoryview(data)[start:end])
            return
        self._value_bytes += end - start
        if self._value_bytes > self._limits.request_bytes:
            raise TooLargeError(
                f"The request's parameters have more than {self._limits.request_bytes} bytes, the most that this service reads; "
                "send a table as a file (a part with a filename)."
            )
        self._value += data[start:end]

    def _part_end(self) -> None:
        if self._is_file:
            self.close()
        elif self._name is not None:
            try:
                text = bytes(self._value).decode(self._charset)
                text.encode()  # some codecs give halves of characters
            except (LookupError, ValueError) as error:
                raise ParameterError(
                    f"A part of the request cannot be read in the character set {self._charset!r:.50}; send UTF-8."
                ) from error
            self.pairs.append((self._name, text))

    def _end(self) -> None:
        self._ended = True
