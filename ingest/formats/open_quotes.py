"""Rows of delimited text whose quotes do not close, told apart so that they swallow none of the rows after them.

A cell within quotes may hold line ends, so a parser that meets one stray quote takes line after line for text of that cell. A line that opens a
quote is taken together with the next ones where they close it at the end of a cell, make a row of as many fields as the header has names, and no line
without quotes between them is such a row by itself; else it is a malformed row of its own.
"""

import io
import re
from typing import Protocol

_CELL = re.compile(rb'"(?:[^"]+|"")*+"')
_MARK = "\0"
"""Begins the one cell that a malformed line is made."""
_MOST_LINES = 1000
_MOST_BYTES = 16 << 20
"""Of one row; the parser tells of a longer one."""


class Readable(Protocol):
    """A stream of bytes, of which no more is asked than this."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


class ClosedRows(io.RawIOBase):
    """A stream of rows, each line that leaves a quote open as one cell (:func:`unmarked`), all others as they are."""

    def __init__(self, stream: Readable, delimiter: bytes, fields: int, block: int) -> None:
        self._stream, self._delimiter, self._fields, self._block = stream, delimiter, fields, block
        self._rest = b""
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; none at the end."""
        while not self._ready and not self._ended:
            more = self._stream.read(self._block)
            self._ended = not more
            self._ready = self._closed(self._rest + more)
        given, self._ready = (self._ready[:size], self._ready[size:]) if size >= 0 else (self._ready, b"")
        return given

    def _closed(self, text: bytes) -> bytes:
        """The rows that are whole; what may go on stays in ``rest``."""
        no_rows = len(text) > _MOST_BYTES and b"\n" not in text
        end = len(text) if self._ended or no_rows else text.rfind(b"\n") + 1
        whole, self._rest = text[:end], text[end:]
        if b'"' not in whole or no_rows:
            return whole
        lines = io.BytesIO(whole).readlines()
        closed: list[bytes] = []
        at = 0
        while at < len(lines):
            if b'"' not in lines[at] or _fields(lines[at], self._delimiter) is not None:
                closed.append(lines[at])
                at += 1
                continue
            row, behind = self._row(lines, at)
            if row is None and behind == len(lines) and not self._ended and behind - at < _MOST_LINES:
                self._rest = b"".join((*lines[at:], self._rest))
                break
            closed.append(row if row is not None else _as_one_cell(lines[at]))
            at = behind if row is not None else at + 1
        return b"".join(closed)

    def _row(self, lines: list[bytes], first: int) -> tuple[bytes | None, int]:
        """The row that begins with a line and goes on in the next ones, None where it is none; and the line behind what was looked at."""
        behind = first + 1
        for behind in range(first + 2, min(len(lines), first + _MOST_LINES) + 1):
            if b'"' not in lines[behind - 1]:
                if lines[behind - 1].count(self._delimiter) == self._fields - 1:
                    return None, behind
                continue
            row = b"".join(lines[first:behind])
            fields = _fields(row, self._delimiter, strict=True)
            if fields is not None:
                return (row if fields == self._fields else None), behind
        return None, behind


def unmarked(row: str) -> str | None:
    """The line that was made one cell, as it stood in the file; None of any other row."""
    return row[2:-1].replace('""', '"') if row.startswith(f'"{_MARK}') else None


def _fields(row: bytes, delimiter: bytes, *, strict: bool = False) -> int | None:
    """How many fields a row has, None where a quote is left open; ``strict``: 0 where anything stands behind a cell within quotes."""
    fields, at = 1, 0
    while True:
        if row[at : at + 1] == b'"':
            cell = _CELL.match(row, at)
            if cell is None:
                return None
            at = cell.end()
            if strict and row[at : at + 1] not in (b"", b"\r", b"\n", delimiter):
                return 0
        at = row.find(delimiter, at) + 1
        if at == 0:
            return fields
        fields += 1


def _as_one_cell(line: bytes) -> bytes:
    text = line.rstrip(b"\r\n")
    return b"".join((b'"', _MARK.encode(), text.replace(b'"', b'""'), b'"', line[len(text) :]))
