"""A query through the service's own way of running it, its rows as Python values, and whether they are those of the evaluator."""

import math
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from catalog.binary_copy import RawBlock, raw_blocks
from catalog.database import Database, Role
from catalog.publish import pinned_publication
from tap_service.adql import AdqlError, translate
from tap_service.connections import Connections
from tap_service.errors import TapError, as_tap_error
from tap_service.execute import RunningQuery
from tap_service.limits import Limits
from tap_service.publication_tables import TableCache
from tap_service.results.field_types import Field
from tests.tap_service.fuzz.evaluated_rows import Answer, Row, marked

TYPES = {
    ("short", None): "smallint", ("int", None): "integer", ("long", None): "bigint", ("float", None): "real", ("double", None): "double",
    ("boolean", None): "boolean", ("char", None): "text", ("char", "timestamp"): "timestamp",
}  # fmt: skip
"""Types of the evaluator by the datatype and xtype of a FIELD."""

_RELATIVE = {"double": 1e-9, "real": 1e-6}
_SMALLEST = 1e-11
"""Floats are equal within this relative difference, or this absolute one: sums and sines of zero are not exact."""
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rows:
    """What the service answered."""

    fields: tuple[Field, ...]
    rows: list[Row]


class Client:
    """Runs queries one after the other as the service does, without HTTP. Most of them may go a shorter way, ``ask_quickly``."""

    def __init__(self, database: Database, seconds: float = 2.0) -> None:
        self.seconds = seconds
        self._limits = Limits(seconds=seconds)
        self._connections = Connections(database, keep=2)
        self._cache = TableCache()
        dsn = database.dsn(Role.TAP_READER)
        options = f"{conninfo_to_dict(dsn)['options']} -c statement_timeout={seconds:g}s -c default_transaction_read_only=on"
        self._reader = psycopg.connect(make_conninfo(dsn, options=options), autocommit=True)
        with self._connections.take() as connection, pinned_publication(connection) as publication:
            self._table_set, _ = self._cache.table_set(connection, publication)

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()
        self._connections.close()

    def ask(self, text: str, version: str = "2.1") -> Rows | TapError:
        """The rows, or the error as a client is told it; AssertionError for one that is the service's own fault, or an unplaced one."""
        query = RunningQuery(self._connections, self._cache, self._limits)
        try:
            query.start(text, version, None)
            fields = query.fields
            return Rows(fields, [row for block in query.blocks() for row in _rows(block, fields)])
        except (AdqlError, TapError, psycopg.Error) as error:
            return self._told(error, text)
        finally:
            query.close()

    def ask_quickly(self, text: str, version: str = "2.1", maxrec: int | None = None) -> Rows | TapError:
        """The same with the tables of the first query, and each statement in a transaction of its own: a tenth of the journeys.

        One row more than ``maxrec`` is asked for, as the service does, and given: the rows behind are never computed.
        """
        try:
            translation = translate(text, self._table_set, version, self._limits.rows(maxrec) + 1)
            fields = tuple(Field(c.name, c.datatype, c.arraysize, c.xtype) for c in translation.columns)
            # Closed at once where a row cannot be read: the connection would wait for the rest of the rows for ever.
            with closing(raw_blocks(self._reader, translation.statement)) as blocks:
                return Rows(fields, [row for block in blocks for row in _rows(block, fields)])
        except (AdqlError, psycopg.Error) as error:
            return self._told(error, text)

    def _told(self, error: Exception, text: str) -> TapError:
        """The error as a client is told it: never as the service's fault, and with a place that is in the text."""
        told = as_tap_error(error, self._limits.seconds)
        assert told.status < HTTPStatus.INTERNAL_SERVER_ERROR, f"{told} for {error!r}\n{text}"
        if isinstance(error, AdqlError):
            check_place(error, text)
        return told


def check_place(error: AdqlError, text: str) -> None:
    """The place that an error points at lies in the text, or right behind it."""
    lines = text.split("\n")
    assert 1 <= error.line <= len(lines), f"line {error.line} of {len(lines)}: {error}"
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1, f"column {error.column}: {error}"


def _rows(block: RawBlock, fields: tuple[Field, ...]) -> Iterator[Row]:
    """The rows of a block of binary COPY, read one cell after the other."""
    readers = [
        _READERS[TYPES[field.datatype, field.xtype]] if field.arraysize is None or field.datatype == "char" else bytes for field in fields
    ]
    at, buffer = 0, block.buffer
    while at < len(buffer):
        assert int.from_bytes(buffer[at : at + 2], "big") == len(fields)
        at += 2
        cells: list[Any] = []
        for read in readers:
            size = int.from_bytes(buffer[at : at + 4], "big", signed=True)
            at += 4
            cells.append(None if size < 0 else read(buffer[at : at + size]))
            at += max(size, 0)
        yield tuple(cells)


def _number(form: str) -> Callable[[bytes], Any]:
    unpack = struct.Struct(form).unpack
    return lambda cell: unpack(cell)[0]


_READERS: dict[str, Callable[[bytes], Any]] = {
    "smallint": _number(">h"),
    "integer": _number(">i"),
    "bigint": _number(">q"),
    "real": _number(">f"),
    "double": _number(">d"),
    "boolean": _number(">?"),
    "text": bytes.decode,
    "timestamp": lambda cell: _EPOCH + timedelta(microseconds=int.from_bytes(cell, "big", signed=True)),
}


# -- comparison


def disagreement(found: Rows, expected: Answer) -> str | None:
    """What differs between the service's answer and the evaluator's; None if nothing does."""
    types = [TYPES[field.datatype, field.xtype] for field in found.fields]
    if types != [column.type for column in expected.columns]:
        return f"types {types}, expected {[column.type for column in expected.columns]}"
    if told := _names(found.fields, expected):
        return told
    first, last = expected.cut()
    if len(found.rows) != last - first:
        return f"{len(found.rows)} rows, expected {last - first}: {expected.rows[first:last][:20]}"
    start = 0
    for end in expected.ties:
        # Rows that tie may come in any order; of those that a limit cuts through, any may come.
        low, high = max(start, first), min(end, last)
        if low < high and (lacking := _lacking(found.rows[low - first : high - first], expected.rows[start:end], types)):
            return f"rows {low - first} to {high - first} are {found.rows[low - first : high - first][:20]}; {lacking[0]} is not among {expected.rows[start:end][:20]}"
        start = end
    return None


def _names(fields: tuple[Field, ...], expected: Answer) -> str | None:
    names = [field.name for field in fields]
    if len({name.casefold() for name in names}) != len(names):
        return f"names that are not unique: {names}"
    labels = Counter((column.label or "").casefold() for column in expected.columns)
    for name, column in zip(names, expected.columns, strict=True):
        if column.label is not None and labels[column.label.casefold()] == 1 and name != column.label:
            return f"a column is called {name}, expected {column.label}"
    return None


def _lacking(found: list[Row], expected: list[Row], types: list[str]) -> list[Row]:
    """The rows found that are not expected, each counted as often as it comes."""
    known = Counter(map(marked, expected))
    left = []
    for row in found:
        key = marked(row)
        if known[key]:
            known[key] -= 1
        else:
            left.append(row)
    if not left:
        return []
    rest = [row for row in expected if known[marked(row)] and not known.subtract((marked(row),))]
    lacking = []
    for row in left:
        near = next((number for number, other in enumerate(rest) if _like(row, other, types)), None)
        if near is None:
            lacking.append(row)
        else:
            del rest[near]
    return lacking


def _like(row: Row, other: Row, types: list[str]) -> bool:
    return all(a == b or (a is not None and b is not None and _near(a, b, type_)) for a, b, type_ in zip(row, other, types, strict=True))


def _near(a: Any, b: Any, type_: str) -> bool:
    if type_ == "text":  # of a number that was not exact
        try:
            a, b, type_ = float(a), float(b), "double"
        except ValueError:
            return False
    relative = _RELATIVE.get(type_)
    return relative is not None and (math.isclose(a, b, rel_tol=relative, abs_tol=_SMALLEST) or (a != a and b != b))
