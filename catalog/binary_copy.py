"""PostgreSQL's binary COPY format <-> numpy columns, a whole block of rows at a time.

Format (PostgreSQL manual, COPY, "Binary Format"): a signature, flags and header extension; then each row as an int16 count of
cells and each cell as an int32 length (-1 for null) with that many bytes; a trailer of int16 -1. All numbers are big-endian.
A block's cells are found by walking all its rows at once, column after column; where all rows share one layout (no nulls, or nulls
everywhere), a comparison of the length words proves it and the walk is left out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from jaxtyping import Int64, UInt8
from psycopg import sql
from psycopg.abc import Buffer

from catalog.errors import DataError
from catalog.rows import Array, CopyField, Rows, copy_fields
from catalog.schema.column import ColumnType

__all__ = [
    "CopyField", "RawBlock", "Rows", "copy_fields", "decode", "decode_block", "decode_cells", "encode", "encode_rows", "raw_blocks",
    "read_rows", "write_rows",
]  # fmt: skip

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
HEADER = SIGNATURE + bytes(8)
TRAILER = b"\xff\xff"
JSONB_VERSION = b"\x01"
EPOCH = 946_684_800_000_000
"""2000-01-01 UTC, where PostgreSQL's timestamps start, in microseconds since 1970."""
WRITE_BYTES = 1 << 21
"""Bytes of rows that are encoded and sent at a time: enough that the calls for each column count for little, and the server works while the next
block is made."""
_FLOAT8 = 701
"""PostgreSQL's number for double precision, which every array of them names."""
_ELEMENT = np.dtype([("length", ">i4"), ("value", "V8")])
_LONG_CELL = 64
"""Bytes from which a copy a cell is cheaper than an index a byte."""
_LONG_ROW = 1 << 10
"""Bytes from which a copy a row is dearer than a buffer object a row."""
_INT64 = np.iinfo(np.int64)


# --- rows to bytes ----------------------------------------------------------------------------------------------------------


def encode(rows: Rows) -> bytes:
    """The rows as a whole COPY stream, signature to trailer."""
    return HEADER + encode_rows(rows) + TRAILER


def encode_rows(rows: Rows) -> bytes:
    """The rows alone, without signature and trailer. DataError names the column and row of a value that PostgreSQL cannot hold."""
    return _encoded(rows).tobytes()


def _encoded(rows: Rows) -> UInt8[np.ndarray, " bytes"]:
    n, k = len(rows), len(rows.fields)
    if n == 0:
        return np.empty(0, np.uint8)
    columns: list[tuple[Array | list[bytes], Array | None, Array | int]] = []  # cells, which are null, bytes without the length word
    row_sizes = np.full(n, 2 + 4 * k, np.int64)
    for field in rows.fields:
        null = rows.null(field.name)
        cells: Array | list[bytes]
        sizes: Array | int
        if field.width is None:
            cells = _varying_payload(field, rows[field.name], null)
            sizes = np.fromiter(map(len, cells), np.int64, n)
        else:
            cells = _fixed_cells(field, rows[field.name], null)
            sizes = np.where(null, 0, field.width) if null.any() else field.width
        row_sizes += sizes
        columns.append((cells, null if null.any() else None, sizes))
    stream = np.empty(int(row_sizes.sum()), np.uint8)
    at = np.cumsum(row_sizes) - row_sizes
    _put(stream, at, np.full(n, k, ">i2"))
    at += 2
    for cells, absent, sizes in columns:
        if isinstance(cells, list):
            lengths = np.asarray(sizes)
            _put(stream, at, (lengths if absent is None else np.where(absent, -1, lengths)).astype(">i4"))
            _put_varying(stream, at + 4, cells, lengths)
        elif absent is None:
            _put(stream, at, cells)
        else:
            filled = np.flatnonzero(~absent)
            _put(stream, at[filled], cells[filled])
            _put(stream, at[absent], np.full(n - len(filled), -1, ">i4"))
        at += 4 + sizes
    return stream


def _put(stream: UInt8[np.ndarray, " bytes"], at: Int64[np.ndarray, " rows"], cells: Array) -> None:
    """Write each of the cells (rows,) at its own offset."""
    if len(cells) == 0:
        return
    width = cells.dtype.itemsize
    np.ndarray((len(stream) - width + 1,), f"V{width}", stream, 0, (1,))[at] = cells.view(f"V{width}")


def _put_varying(stream: UInt8[np.ndarray, " bytes"], at: Int64[np.ndarray, " rows"], cells: list[bytes], lengths: Array) -> None:
    """Write cells of varying length, each at its own offset."""
    total = int(lengths.sum())
    if total > _LONG_CELL * len(cells):
        view = memoryview(stream.data)
        for start, cell in zip(at.tolist(), cells, strict=True):
            view[start : start + len(cell)] = cell
    elif total:
        behind = at - (np.cumsum(lengths) - lengths)  # from a byte's place among the joined cells to its place in the stream
        stream[np.repeat(behind, lengths) + np.arange(total)] = np.frombuffer(b"".join(cells), np.uint8)


def _get(stream: UInt8[np.ndarray, " bytes"], at: Int64[np.ndarray, " rows"], width: int) -> UInt8[np.ndarray, "rows width"]:
    """The ``width`` bytes that stand at each offset."""
    if len(at) == 0:
        return np.empty((0, width), np.uint8)
    return np.ndarray((len(stream) - width + 1,), f"V{width}", stream, 0, (1,))[at].view(np.uint8).reshape(-1, width)


def _fixed_cells(field: CopyField, values: Array, null: Array) -> Array:
    """The cells of a fixed-width column with their length words, (rows,); those of null rows hold anything."""
    if field.type is ColumnType.TIMESTAMP:
        microseconds = values.astype(np.int64)
        early = (microseconds < _INT64.min + EPOCH) & ~null
        if early.any():
            raise DataError(f"Column {field.name}, row {int(np.argmax(early))} of the block: a time before PostgreSQL's first one.")
        values = microseconds - EPOCH
    cells = np.empty(len(values), [("length", ">i4"), ("value", values.dtype.newbyteorder(">"), values.shape[1:])])
    cells["length"] = field.width
    cells["value"] = values
    return cells


def _varying_payload(field: CopyField, values: Array, null: Array) -> list[bytes]:
    """The cells of a column of varying width; those of null rows are empty."""
    text = field.type in (ColumnType.TEXT, ColumnType.JSON)
    prefix = JSONB_VERSION if field.type is ColumnType.JSON else b""
    given = values.tolist()
    if null.any():
        given = [("" if text else b"") if absent else value for value, absent in zip(given, null.tolist(), strict=True)]
    convert = str.encode if text else _bytes_like
    try:
        cells = list(map(convert, given))
    except (TypeError, UnicodeEncodeError):
        for row, value in enumerate(given):
            try:
                convert(value)
            except (TypeError, UnicodeEncodeError) as error:
                wanted = "text" if text else "bytes"
                raise DataError(f"Column {field.name}, row {row} of the block: {value!r:.60} is not {wanted}.") from error
        raise
    if text and b"\0" in b"".join(cells):
        row = next(row for row, cell in enumerate(cells) if b"\0" in cell)
        raise DataError(f"Column {field.name}, row {row} of the block: {given[row]!r:.60} holds a zero byte, which text cannot.")
    if field.type is ColumnType.VECTOR:
        for row, cell in enumerate(cells):
            if len(cell) % 4:
                raise DataError(f"Column {field.name}, row {row} of the block: {len(cell)} bytes are no packed float32 vector.")
    if field.type.postgres == ColumnType.DOUBLE_ARRAY.postgres:
        return [
            b"" if absent else _array_cell(field, cell, row) for row, (cell, absent) in enumerate(zip(cells, null.tolist(), strict=True))
        ]
    return [b"" if absent else prefix + cell for cell, absent in zip(cells, null.tolist(), strict=True)] if prefix else cells


def _array_cell(field: CopyField, elements: bytes, row: int) -> bytes:
    """Packed float64 elements as a one-dimensional array: dimensions, null flag, element type, length, lower bound, then each with its length."""
    count, rest = divmod(len(elements), 8)
    if rest:
        raise DataError(f"Column {field.name}, row {row} of the block: {len(elements)} bytes are no packed float64 elements.")
    if not count:
        return np.array([0, 0, _FLOAT8], ">i4").tobytes()
    framed = np.empty(count, _ELEMENT)
    framed["length"] = 8
    framed["value"] = np.frombuffer(elements, "V8")
    return np.array([1, 0, _FLOAT8, count, 1], ">i4").tobytes() + framed.tobytes()


def _array_elements(field: CopyField, cell: bytes) -> bytes:
    """The packed elements of a one-dimensional array, NaN for those that are null."""
    dimensions, _, element_type = np.frombuffer(cell[:12], ">i4").tolist()
    if element_type != _FLOAT8 or dimensions > 1:
        raise DataError(f"Column {field.name} should be double precision[] of one dimension; cast it in the query.")
    if dimensions == 0:
        return b""
    if len(cell) == 20 + 12 * int.from_bytes(cell[12:16], "big"):
        return np.ascontiguousarray(np.frombuffer(cell[20:], _ELEMENT)["value"]).tobytes()
    at, elements = 20, []
    while at < len(cell):
        size = int.from_bytes(cell[at : at + 4], "big", signed=True)
        elements.append(cell[at + 4 : at + 12] if size == 8 else np.array(np.nan, ">f8").tobytes())
        at += 4 + max(size, 0)
    return b"".join(elements)


def _bytes_like(value: Any) -> bytes:
    return value if type(value) is bytes else bytes(memoryview(value))


# --- bytes to rows ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class RawBlock:
    """Rows as PostgreSQL sent them, without signature and trailer, and the number of bytes of each."""

    buffer: bytes
    row_lengths: Int64[np.ndarray, " rows"]

    def __len__(self) -> int:
        return len(self.row_lengths)

    @property
    def bytes(self) -> UInt8[np.ndarray, " bytes"]:
        """The buffer as numbers, without a copy."""
        return np.frombuffer(self.buffer, np.uint8)

    def uniform_cells(self, n_columns: int) -> tuple[Int64[np.ndarray, " columns"], Int64[np.ndarray, " columns"]] | None:
        """Offset in the row and length (-1: null) of each column's cell if all rows share them, else None."""
        n = len(self)
        if n == 0 or (self.row_lengths != self.row_lengths[0]).any():
            return None
        stride = int(self.row_lengths[0])
        first = RawBlock(self.buffer[:stride], self.row_lengths[:1])
        starts, lengths = (each[0] for each in first._walk(n_columns))
        matrix = self.bytes.reshape(n, stride)
        words = [(0, 2), *((int(start) - 4, 4) for start in starts)]
        if all((matrix[:, at : at + size] == matrix[0, at : at + size]).all() for at, size in words):
            return starts, lengths
        return None

    def cells(self, n_columns: int) -> tuple[Int64[np.ndarray, "rows columns"], Int64[np.ndarray, "rows columns"]]:
        """Offset in the buffer and length (-1: null) of every cell; DataError if the bytes are not rows of n_columns cells."""
        uniform = self.uniform_cells(n_columns)
        if uniform is None:
            return self._walk(n_columns)
        row_starts = np.arange(len(self), dtype=np.int64) * self.row_lengths[0]
        return row_starts[:, None] + uniform[0], np.broadcast_to(uniform[1], (len(self), n_columns))

    def _walk(self, n_columns: int) -> tuple[Int64[np.ndarray, "rows columns"], Int64[np.ndarray, "rows columns"]]:
        data = self.bytes
        row_ends = np.cumsum(self.row_lengths)
        if len(self) and (int(row_ends[-1]) != len(data) or int(self.row_lengths.min()) < 2 + 4 * n_columns):
            self._check_columns(n_columns, row_ends)
            raise DataError("The COPY stream is truncated: a row ends before its last cell.")
        self._check_columns(n_columns, row_ends)
        starts = np.empty((len(self), n_columns), np.int64)
        lengths = np.empty((len(self), n_columns), np.int64)
        at = row_ends - self.row_lengths + 2
        for j in range(n_columns):
            if (at + 4 > row_ends).any():
                raise DataError(f"The COPY stream is truncated: a row ends before its cell {j + 1} of {n_columns}.")
            length = _get(data, at, 4).view(">i4")[:, 0].astype(np.int64)
            starts[:, j], lengths[:, j] = at + 4, length
            at = at + 4 + np.maximum(length, 0)
            if (length < -1).any():
                raise DataError(f"The COPY stream is damaged: cell {j + 1} has the length {int(length.min())}.")
        if (at != row_ends).any():
            row = int(np.argmax(at != row_ends))
            raise DataError(f"The COPY stream is damaged: row {row} has {int(row_ends[row] - at[row])} bytes more than its cells.")
        return starts, lengths

    def _check_columns(self, n_columns: int, row_ends: Int64[np.ndarray, " rows"]) -> None:
        starts = row_ends - self.row_lengths
        whole = (self.row_lengths >= 2) & (row_ends <= len(self.buffer))
        counts = _get(self.bytes, starts[whole], 2).view(">i2")[:, 0]
        if (counts != n_columns).any():
            raise DataError(f"The query gives {int(counts[counts != n_columns][0])} columns where {n_columns} are expected.")


def decode(stream: bytes, fields: Iterable[CopyField]) -> Rows:
    """The rows of a whole COPY stream, signature to trailer. DataError if it is truncated or does not fit the fields."""
    fields = tuple(fields)
    at, row_lengths = _header_length(stream), []
    body = at
    while stream[at : at + 2] != TRAILER:
        length = _row_length(stream, at)
        row_lengths.append(length)
        at += length
    if at + 2 != len(stream):
        raise DataError(f"The COPY stream goes on for {len(stream) - at - 2} bytes after its trailer.")
    return decode_block(RawBlock(stream[body:at], np.array(row_lengths, np.int64)), fields)


def _header_length(message: bytes) -> int:
    """How many bytes stand before the first row."""
    if len(message) < len(HEADER) or not message.startswith(SIGNATURE):
        raise DataError(f"This is not a binary COPY stream: it begins with {message[:11]!r}.")
    if int.from_bytes(message[11:15], "big") >> 16:
        raise DataError("The COPY stream has critical flags that this reader does not know.")
    return len(HEADER) + int.from_bytes(message[15:19], "big")


def _row_length(stream: bytes, start: int) -> int:
    """The length of the row at an offset; one cell after the other, since only they tell where the next row begins."""
    at = start + 2
    for _ in range(int.from_bytes(stream[start:at], "big")):
        at += 4 + max(int.from_bytes(stream[at : at + 4], "big", signed=True), 0)
        if at > len(stream):
            break
    if at > len(stream) or start + 2 > len(stream):
        raise DataError(f"The COPY stream is truncated: its last row begins at byte {start} and there is no trailer.")
    return at - start


def decode_block(block: RawBlock, fields: Iterable[CopyField]) -> Rows:
    """A raw block as columns. DataError names the column whose cells do not have the field's width."""
    fields = tuple(fields)
    return decode_cells(block, fields, *block.cells(len(fields)))


def decode_cells(
    block: RawBlock, fields: Iterable[CopyField], starts: Int64[np.ndarray, "rows fields"], lengths: Int64[np.ndarray, "rows fields"]
) -> Rows:
    """Some columns of a raw block: those whose cells (see :meth:`RawBlock.cells`) are given, one column of them for each field."""
    fields = tuple(fields)
    if len(block) == 0:
        return Rows.empty(fields)
    data = block.bytes
    values: dict[str, Array] = {}
    nulls: dict[str, Array] = {}
    for j, field in enumerate(fields):
        null = lengths[:, j] < 0
        if null.any():
            nulls[field.name] = null
        if field.width is None:
            values[field.name] = _varying_values(field, block.buffer, starts[:, j], lengths[:, j])
        else:
            values[field.name] = _fixed_values(field, data, starts[:, j], lengths[:, j], null)
    return Rows(fields, values, nulls)


def _fixed_values(field: CopyField, data: Array, starts: Array, lengths: Array, null: Array) -> Array:
    width = field.width
    assert width is not None
    wrong = (lengths != width) & ~null
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"Column {field.name} should be {field.type.postgres} of {width} bytes, but row {row} of the block has {int(lengths[row])}: "
            "the query's column is of another type or length."
        )
    n, dtype = len(starts), field.dtype
    stored = np.dtype(np.int64) if dtype.kind == "M" else dtype
    filled = ~null
    cells = _get(data, starts[filled], width).view(stored.newbyteorder(">")).astype(stored)
    if dtype.kind == "M":
        if (cells > _INT64.max - EPOCH).any() or (cells == _INT64.min).any():
            raise DataError(f"Column {field.name} holds a time that is infinite or beyond the year 294,000.")
        cells = (cells + EPOCH).view(dtype)
    cells = cells.reshape(field.shape(len(cells)))
    if filled.all():
        return cells
    values = np.full(field.shape(n), {"f": np.nan, "M": np.datetime64("NaT")}.get(dtype.kind, 0), dtype)
    values[filled] = cells
    return values


def _varying_values(field: CopyField, buffer: bytes, starts: Array, lengths: Array) -> Array:
    values = np.empty(len(starts), object)
    cells = [None if size < 0 else buffer[start : start + size] for start, size in zip(starts.tolist(), lengths.tolist(), strict=True)]
    if field.type is ColumnType.VECTOR and any(cell is not None and len(cell) % 4 for cell in cells):
        raise DataError(f"Column {field.name} holds a bytea that is no packed float32 vector.")
    if field.type is ColumnType.JSON and any(cell is not None and cell[:1] != JSONB_VERSION for cell in cells):
        raise DataError(f"Column {field.name} should be jsonb of version 1; cast it in the query.")
    if field.type in (ColumnType.TEXT, ColumnType.JSON):
        skip = 1 if field.type is ColumnType.JSON else 0
        try:
            values[:] = [None if cell is None else str(memoryview(cell)[skip:], "utf-8") for cell in cells]
        except UnicodeDecodeError as error:
            raise DataError(f"Column {field.name} should be text, but holds bytes that are not UTF-8: the query's type differs.") from error
    elif field.type.postgres == ColumnType.DOUBLE_ARRAY.postgres:
        values[:] = [None if cell is None else _array_elements(field, cell) for cell in cells]
    else:
        values[:] = cells
    return values


# --- through a connection ---------------------------------------------------------------------------------------------------


def write_rows(connection: psycopg.Connection[Any], table: sql.Identifier, rows: Rows) -> int:
    """COPY the rows into a table, in the connection's transaction; returns their number. psycopg's errors pass through."""
    if len(rows) == 0:
        return 0
    columns = sql.SQL(", ").join(sql.Identifier(field.name) for field in rows.fields)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(table, columns)
    block = max(1, WRITE_BYTES // _mean_row_bytes(rows))
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            copy.write(HEADER)
            for first in range(0, len(rows), block):
                copy.write(_encoded(rows.take(slice(first, first + block))).data)
            copy.write(TRAILER)
        return cursor.rowcount


def _mean_row_bytes(rows: Rows) -> int:
    """About how many bytes a row takes in the stream."""
    size = 2.0
    for field in rows.fields:
        varying = rows[field.name][~rows.null(field.name)] if field.width is None else ()
        size += 4 + (field.width or sum(map(len, varying)) / len(rows))
    return int(size)


def raw_blocks(
    connection: psycopg.Connection[Any],
    query: sql.Composable,
    parameters: Mapping[str, Any] | None = None,
    *,
    block_rows: int = 10_000,
    block_bytes: int | None = None,
) -> Iterator[RawBlock]:
    """The result of a query as raw blocks; one block is in memory at a time.

    A block has at most ``block_rows`` rows, and ends with the row that fills ``block_bytes`` where that is given.

    ``parameters`` fill the query's %(name)s on the client, since COPY takes none. Closing the iterator early cancels the query and
    leaves the connection usable outside its transaction. DataError where the server's stream ends before its trailer.
    """
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(query), parameters) as copy:
        messages: list[Buffer] = []
        size, ended = 0, False
        for number, row in enumerate(copy):
            if number == 0:
                # Depending on its version the server sends signature and first row, or trailer, in one message.
                row = row[_header_length(bytes(row)) :]
            length = len(row)
            if length == len(TRAILER) and row == TRAILER:
                ended = True
            elif length:
                # A long row stays in libpq's buffer until the block is joined; short ones cost less as bytes, which are not garbage-collected.
                messages.append(row if length >= _LONG_ROW else bytes(row))
                size += length
            if len(messages) == block_rows or (block_bytes is not None and size >= block_bytes):
                yield _joined(messages)
                messages, size = [], 0
        if not ended:
            raise DataError("The server's COPY stream ended without its trailer.")
        if messages:
            yield _joined(messages)


def _joined(messages: list[Buffer]) -> RawBlock:
    return RawBlock(b"".join(messages), np.fromiter(map(len, messages), np.int64, len(messages)))


def read_rows(
    connection: psycopg.Connection[Any],
    query: sql.Composable,
    fields: Iterable[CopyField],
    parameters: Mapping[str, Any] | None = None,
    *,
    block_rows: int = 10_000,
) -> Iterator[Rows]:
    """The result of a query as blocks of at most block_rows rows; its columns are the fields, in their order, whatever their names.

    DataError names the column whose type is not the field's. Otherwise as :func:`raw_blocks`.
    """
    fields = tuple(fields)
    for block in raw_blocks(connection, query, parameters, block_rows=block_rows):
        yield decode_block(block, fields)
