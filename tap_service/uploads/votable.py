"""A VOTable document (VOTable 1.1 to 1.5) as columns and blocks of rows, read as a stream.

Why not astropy: it holds the whole document in memory, takes three to six times as long for binary rows (and a third longer for TABLEDATA),
and what it makes of a damaged document differs from case to case. expat calls two functions a cell here, and columns are converted as a whole.

A document is hostile until read: entities are refused, nothing is fetched (no DTD, no STREAM href), and nothing is allocated by what
the document only says of itself (nrows, arraysize, counts). The first TABLE is the upload.
"""

import binascii
import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO
from xml.parsers import expat

import numpy as np

from catalog.rows import Rows
from tap_service.errors import ParameterError, TooLargeError
from tap_service.limits import Limits
from tap_service.uploads.binary_cells import BinaryCells
from tap_service.uploads.text_cells import text_cells
from tap_service.uploads.upload_column import MOST_COLUMNS, UploadColumn, upload_column

_CHUNK = 1 << 16
_BLOCK_ROWS = 10_000
_BLOCK_CELLS = 200_000
_DEEPEST = 100
_LONGEST_DESCRIPTION = 10_000


class VOTableReader:
    """Reads one document. After the last block ``columns`` is complete, ``bytes`` are those of the document and ``bytes_before``, and ``beyond_ascii`` and ``too_long`` name those whose texts are more than their FIELD says.

    Args:
        stream: the document, plain or gzipped.
        limits: ``upload_rows`` and ``upload_bytes``, the latter after decompression.
        bytes_before: how many bytes the request's tables before this one have had, of which there is one limit for all.
    """

    def __init__(self, stream: BinaryIO, limits: Limits, bytes_before: int = 0) -> None:
        self.columns: tuple[UploadColumn, ...] = ()
        self.beyond_ascii: set[str] = set()
        self.too_long: set[str] = set()
        self.rows = 0
        self.bytes = bytes_before
        self._stream = stream
        self._limits = limits
        self._path: list[str] = []
        self._given = 0  # rows that have been given out as blocks
        self._found = self._ended = False
        self._fields: list[UploadColumn] = []
        self._attributes: dict[str, str] = {}
        self._description: list[str] | None = None
        self._null: str | None = None
        self._text: list[str] = []
        self._cells: list[str] = []
        self._binary: BinaryCells | None = None
        self._fits = False
        self._extension: int | None = None
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = _CHUNK
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = _refuse_entity

    def blocks(self) -> Iterator[Rows]:
        """The rows in their order; ParameterError or TooLargeError for what is no such document."""
        before = "with the tables before it, " if self.bytes else ""
        for chunk in _chunks(self._stream):
            self.bytes += len(chunk)
            if self.bytes > self._limits.upload_bytes:
                raise TooLargeError(f"{before}it has more than {self._limits.upload_bytes} bytes, the most that this service takes.")
            self._parse(chunk, last=False)
            if len(self._cells) >= min(_BLOCK_ROWS * len(self.columns), _BLOCK_CELLS) > 0:
                yield self._text_rows()
            elif self._binary is not None and self._text:
                yield from self._binary_rows(last=False)
        self._parse(b"", last=True)
        if not self._found:
            raise ParameterError("it holds no TABLE.")
        yield from self._finished()

    # -- XML

    def _parse(self, chunk: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise ParameterError(f"it is no VOTable: line {error.lineno}, column {error.offset + 1}: {reason}.") from error
        except (LookupError, ValueError) as error:  # of its character set
            raise ParameterError(f"it is no VOTable: {error}.") from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        prefix, colon, local = name.rpartition(":")
        if not self._path and local != "VOTABLE":
            raise ParameterError(f"it is no VOTable: its first element is {name:.50}.")
        self._path.append(local)
        if len(self._path) > _DEEPEST:
            raise ParameterError(f"its elements lie more than {_DEEPEST} deep.")
        if local == "TABLE" and not self._found:
            self._found = True
        elif not self._found or self._ended:
            return
        elif local == "FIELD":
            self._attributes, self._description, self._null = attributes, None, None
        elif local == "DESCRIPTION" and self._path[-2] == "FIELD":
            self._description = []
            self._parser.CharacterDataHandler = self._description.append
        elif local == "VALUES" and self._path[-2] == "FIELD":
            self._null = attributes.get("null", self._null)
        elif local == "DATA":
            if self.columns:
                raise ParameterError("its TABLE has more than one DATA.")
            self._begin_data()
        elif local == "TABLEDATA" and self._path[-2] == "DATA":
            self._parser.StartElementHandler, self._parser.EndElementHandler = self._cell_handlers(prefix + colon)
            self._parser.CharacterDataHandler = self._text.append
        elif local in ("BINARY", "BINARY2") and self._path[-2] == "DATA":
            self._binary = BinaryCells(self.columns, with_mask=local == "BINARY2")
        elif local == "FITS" and self._path[-2] == "DATA":
            number = attributes.get("extnum", "").strip()
            self._fits, self._extension = True, int(number) if number.isdecimal() and len(number) < 9 else None
        elif local == "STREAM" and (self._fits or self._binary is not None):
            self._begin_stream(attributes)

    def _end(self, name: str) -> None:
        local = self._path.pop()
        if not self._found or self._ended:
            return
        if local == "FIELD" and self._path[-1] == "TABLE":
            description = "".join(self._description)[:_LONGEST_DESCRIPTION].strip() if self._description else None
            self._fields.append(upload_column(self._attributes, description, self._null, self._fields))
            if len(self._fields) > MOST_COLUMNS:
                raise TooLargeError(f"it has more than {MOST_COLUMNS} columns, the most that this service takes.")
        elif local in ("DESCRIPTION", "STREAM"):
            self._parser.CharacterDataHandler = None
        elif local == "TABLE":
            self._begin_data()
            self._ended = True

    def _begin_data(self) -> None:
        """All FIELDs have been read."""
        if not self._fields:
            raise ParameterError("its first TABLE has no FIELD.")
        self.columns = tuple(self._fields)

    def _begin_stream(self, attributes: dict[str, str]) -> None:
        if "href" in attributes:
            raise ParameterError("its rows lie elsewhere (STREAM href), which is not fetched; send them inside the document.")
        if attributes.get("encoding", "").strip() != "base64":
            raise ParameterError(f"its STREAM has the encoding {attributes.get('encoding', 'none')!r:.50}; within a document it is base64.")
        self._parser.CharacterDataHandler = self._text.append

    # -- TABLEDATA

    def _cell_handlers(self, prefix: str) -> tuple[Callable[[str, dict[str, str]], None], Callable[[str], None]]:
        """What happens at the tags within TABLEDATA: everything at hand, since they are most of the document."""
        td, tr, text, cells, append = f"{prefix}TD", f"{prefix}TR", self._text, self._cells, self._cells.append

        def start(name: str, attributes: dict[str, str]) -> None:
            if name == td:
                text.clear()
                if attributes and attributes.get("encoding"):
                    raise ParameterError(f"row {self.rows + 1} has a TD with an encoding, which is not read; write the value as text.")
            elif name != tr:
                raise ParameterError(f"its TABLEDATA has an element {name:.50}; there are TR and TD only.")

        def end(name: str) -> None:
            if name == td:
                append("".join(text))
                text.clear()
            elif name == tr:
                self.rows += 1
                missing = (self.rows - self._given) * len(self.columns) - len(cells)
                if missing:
                    wanted = len(self.columns)
                    raise ParameterError(f"row {self.rows} has {wanted - missing} cells, but the table has {wanted} FIELDs.")
                self._check_rows(self.rows)
            else:
                self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end
                self._parser.CharacterDataHandler = None
                text.clear()
                self._path.pop()

        return start, end

    def _text_rows(self) -> Rows:
        """The whole rows that have been read; the cells of a row that has only begun stay."""
        width = len(self.columns)
        whole = (self.rows - self._given) * width
        cells, self._cells[:whole] = self._cells[:whole], []
        first = self._given + 1
        self._given = self.rows
        values, nulls = {}, {}
        for number, column in enumerate(self.columns):
            texts = cells[number::width]
            if column.is_text:
                self._look_at_texts(column, texts)
            values[column.stored_name], nulls[column.stored_name] = text_cells(column, texts, first)
        return self._rows_of(values, nulls)

    # -- BINARY and BINARY2

    def _binary_rows(self, *, last: bool) -> Iterator[Rows]:
        assert self._binary is not None
        text, self._text[:] = "".join(self._text), []
        try:
            self._binary.decode(text, last=last)
        except (binascii.Error, ValueError) as error:
            raise ParameterError(f"its STREAM is no base64 text: {error}.") from error
        while (found := self._binary.take(_BLOCK_ROWS, self.rows, last=last)) is not None:
            values, nulls, count = found
            self.rows += count
            self._check_rows(self.rows)
            for column in self.columns:
                if column.is_text:
                    self._look_at_texts(column, [text for text in values[column.stored_name].tolist() if isinstance(text, str)])
            yield self._rows_of(values, nulls)

    def _finished(self) -> Iterator[Rows]:
        if self._fits:
            yield from self._fits_rows()
        elif self._binary is not None:
            yield from self._binary_rows(last=True)
        elif self._cells:
            yield self._text_rows()

    # -- FITS

    def _fits_rows(self) -> Iterator[Rows]:
        try:
            content = binascii.a2b_base64("".join("".join(self._text).split()).encode("ascii"), strict_mode=True)
        except (binascii.Error, ValueError) as error:
            raise ParameterError(f"its STREAM is no base64 text: {error}.") from error
        from tap_service.uploads.fits_cells import fits_cells  # astropy is slow to load, and hardly any upload needs it

        values, nulls, self.rows = fits_cells(self.columns, content, self._extension)
        self._check_rows(self.rows)
        for column in self.columns:
            if column.is_text:
                self._look_at_texts(column, [text for text in values[column.stored_name].tolist() if isinstance(text, str)])
        yield self._rows_of(values, nulls)

    # -- all

    def _look_at_texts(self, column: UploadColumn, texts: list[str]) -> None:
        ascii_only = all(map(str.isascii, texts))
        if column.datatype == "char" and not ascii_only:
            self.beyond_ascii.add(column.stored_name)
        if (longest := column.longest) is not None:
            lengths = map(len, texts) if ascii_only else (len(text.encode("utf-16-be", "replace")) // 2 for text in texts)
            if max(lengths, default=0) > longest:
                self.too_long.add(column.stored_name)

    def _check_rows(self, rows: int) -> None:
        if rows > self._limits.upload_rows:
            raise TooLargeError(f"it has more than {self._limits.upload_rows} rows, the most that this service takes.")

    def _rows_of(self, values: dict[str, Any], nulls: dict[str, np.ndarray]) -> Rows:
        fields = tuple(column.copy_field for column in self.columns)
        return Rows(fields, values, {name: null for name, null in nulls.items() if null.any()})


def _refuse_entity(name: str, *declaration: object) -> None:
    raise ParameterError(f"it declares the entity {name:.50}, which VOTable does not need.")


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The document's bytes, decompressed where it is gzipped."""
    if stream.read(2) == b"\x1f\x8b":
        stream.seek(0)
        stream = gzip.GzipFile(fileobj=stream)  # type: ignore[assignment]
    else:
        stream.seek(0)
    try:
        while chunk := stream.read(_CHUNK):
            yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ParameterError(f"it is gzipped, but damaged: {error}.") from error
