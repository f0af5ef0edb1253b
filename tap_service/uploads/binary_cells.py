"""Rows of a BINARY or BINARY2 stream (VOTable 1.5 sections 5.3 and 5.4) to the values that go into the database.

Where every cell has a fixed width, rows are a numpy array at once; else one pass over the rows finds where each cell begins.
"""

import binascii
from typing import Any

import numpy as np
from jaxtyping import Int64

from catalog.schema.column import ColumnType
from tap_service.errors import ParameterError
from tap_service.results.block_cells import windows
from tap_service.uploads.text_cells import PACKED, Cells, fault, timestamps
from tap_service.uploads.upload_column import UploadColumn

_TRUE, _FALSE, _UNKNOWN = b"TtYy1", b"FfNn0", b"?\0 "
_LETTERS = np.zeros(256, np.uint8)
"""The letter T, F or ? of every byte that a boolean may be; zero for the others."""
for _bytes, _letter in ((_TRUE, b"T"), (_FALSE, b"F"), (_UNKNOWN, b"?")):
    _LETTERS[list(_bytes)] = ord(_letter)

_BATCH_BYTES = 1 << 21
"""Bytes that are gone through at a time: whole rows are looked for once in each."""

Columns = tuple[dict[str, np.ndarray[Any, Any]], dict[str, np.ndarray[Any, Any]], int]


class BinaryCells:
    """Takes the base64 text of a stream piece by piece and gives its rows. ``with_mask``: each row begins with null bits (BINARY2)."""

    def __init__(self, columns: tuple[UploadColumn, ...], *, with_mask: bool) -> None:
        self._columns = columns
        self._mask_bytes = (len(columns) + 7) // 8 if with_mask else 0
        self._waiting = ""
        self._pieces: list[bytes] = []
        self._size = 0
        self._enough = _BATCH_BYTES
        widths = [column.cell_bytes(column.length) if column.length is not None else None for column in columns]
        self._widths = widths
        self._stride = self._mask_bytes + sum(width for width in widths if width is not None) if None not in widths else None

    def decode(self, text: str, *, last: bool) -> None:
        """More base64 text; binascii.Error where it is none."""
        text = self._waiting + "".join(text.split())
        whole = len(text) if last else len(text) - len(text) % 4
        self._waiting = text[whole:]
        piece = binascii.a2b_base64(text[:whole].encode("ascii"), strict_mode=True) if whole else b""
        self._pieces.append(piece)
        self._size += len(piece)

    def take(self, most_rows: int, rows_before: int, *, last: bool) -> Columns | None:
        """Values and nulls of the next whole rows, and how many; None until enough has come. ParameterError where the last row is cut."""
        if not last and self._size < self._enough:
            return None
        data = b"".join(self._pieces)
        if self._stride is not None:
            if self._stride == 0 and data:
                raise ParameterError("its rows have no bytes, but its STREAM has.")
            count = min(len(data) // self._stride, most_rows) if self._stride else 0
            starts, sizes, end = self._regular(count)
        else:
            starts, sizes, end = self._walk(data, most_rows)
            count = len(starts)
        if count == 0:
            if last and data:
                raise ParameterError(f"its STREAM ends within row {rows_before + 1}: it is damaged or was cut.")
            self._pieces, self._enough = [data], 2 * len(data)  # a row longer than that
            return None
        self._pieces, self._size, self._enough = [data[end:]], len(data) - end, _BATCH_BYTES
        raw = np.frombuffer(data, np.uint8)
        values, nulls = {}, {}
        row_starts = starts[:, 0] - self._mask_bytes if self._mask_bytes else None
        # A row begins with its mask; the first cell follows, after its count where it has one.
        for number, column in enumerate(self._columns):
            cell_values, null = self._column(column, number, data, raw, starts[:, number], sizes[:, number], rows_before)
            if row_starts is not None:
                first = row_starts - (4 if self._widths[0] is None else 0)
                null = null | ((raw[first + number // 8] >> (7 - number % 8)) & 1).astype(bool)
            values[column.stored_name], nulls[column.stored_name] = cell_values, null
        return values, nulls, count

    def _regular(self, count: int) -> tuple[Int64[np.ndarray, "rows columns"], Int64[np.ndarray, "rows columns"], int]:
        assert self._stride is not None
        widths = np.array([width or 0 for width in self._widths], np.int64)
        offsets = self._mask_bytes + np.cumsum(widths) - widths
        rows = np.arange(count, dtype=np.int64) * self._stride
        return rows[:, None] + offsets, np.broadcast_to(widths, (count, len(widths))), count * self._stride

    def _walk(self, data: bytes, most_rows: int) -> tuple[Int64[np.ndarray, "rows columns"], Int64[np.ndarray, "rows columns"], int]:
        """Where each cell begins and its bytes, of the rows that are whole."""
        plan = [(column, width) for column, width in zip(self._columns, self._widths, strict=True)]
        starts: list[int] = []
        sizes: list[int] = []
        at = row_start = 0
        total = len(data)
        rows = 0
        while rows < most_rows and at < total:
            at += self._mask_bytes
            for column, width in plan:
                if width is None:
                    elements = int.from_bytes(data[at : at + 4], "big")
                    at += 4
                    size = column.cell_bytes(elements)
                else:
                    size = width
                starts.append(at)
                sizes.append(size)
                at += size
                if at > total:
                    break
            if at > total:
                break
            rows += 1
            row_start = at
        whole = rows * len(plan)
        shape = (rows, len(plan))
        return np.array(starts[:whole], np.int64).reshape(shape), np.array(sizes[:whole], np.int64).reshape(shape), row_start

    def _column(
        self, column: UploadColumn, number: int, data: bytes, raw: np.ndarray, starts: np.ndarray, sizes: np.ndarray, rows_before: int
    ) -> Cells:
        none = np.zeros(len(starts), bool)
        if column.is_text or column.type.is_array:
            cells = [data[start : start + size] for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)]
            if column.is_text:
                return self._texts(column, cells, rows_before)
            return self._arrays(column, cells, starts, data, rows_before)
        width = self._widths[number]
        assert width is not None
        gathered = np.ascontiguousarray(windows(raw, width)[starts])
        if column.datatype == "boolean":
            letters = _LETTERS[gathered.view(np.uint8)]
            if not letters.all():
                row = int(np.argmin(letters))
                fault(column, rows_before + row + 1, bytes(gathered.view(np.uint8)[row : row + 1]), "is no boolean")
            return letters == ord("T"), letters == ord("?")
        if column.datatype == "bit":
            return (gathered.view(np.uint8) != 0).astype(np.int16), none
        values = gathered.view(PACKED[column.datatype])
        if values.dtype.kind == "f":
            values = values.astype(values.dtype.newbyteorder("="))
            return values, np.isnan(values)
        values = values.astype(np.int16 if column.datatype == "unsignedByte" else values.dtype.newbyteorder("="))
        return values, (values == column.null if column.null is not None else none)

    def _texts(self, column: UploadColumn, cells: list[bytes], rows_before: int) -> Cells:
        """Characters up to the first zero, which pads a cell of fixed length. Without null bits an empty text is null, as in TABLEDATA."""
        texts: list[str] = []
        for row, cell in enumerate(cells):
            try:
                text = cell.decode("utf-16-be") if column.datatype == "unicodeChar" else _decoded(cell)
            except UnicodeDecodeError:
                fault(column, rows_before + row + 1, cell, "is no text")
            texts.append(text.partition("\0")[0])
        if column.type is ColumnType.TIMESTAMP:
            return timestamps(column, texts, rows_before + 1)
        values = np.empty(len(cells), object)
        values[:] = texts
        null = np.zeros(len(cells), bool) if self._mask_bytes else np.array([not text for text in texts], bool)
        return values, null

    def _arrays(self, column: UploadColumn, cells: list[bytes], starts: np.ndarray, data: bytes, rows_before: int) -> Cells:
        if column.datatype == "boolean":
            cells = [_LETTERS[np.frombuffer(cell, np.uint8)].tobytes() for cell in cells]
            for row, cell in enumerate(cells):
                if b"\0" in cell:
                    fault(column, rows_before + row + 1, cell, "has an element that is no boolean")
        elif column.datatype == "bit":
            counts = [
                column.length if column.length is not None else int.from_bytes(data[start - 4 : start], "big") for start in starts.tolist()
            ]
            cells = [np.unpackbits(np.frombuffer(cell, np.uint8), count=count).tobytes() for cell, count in zip(cells, counts, strict=True)]
        values = np.empty(len(cells), object)
        values[:] = cells
        empty = column.length is None and not self._mask_bytes
        return values, np.array([not cell for cell in cells], bool) if empty else np.zeros(len(cells), bool)


def _decoded(cell: bytes) -> str:
    """ASCII as VOTable has it; other bytes as UTF-8, or where they are none as Latin-1, which older tools wrote."""
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return cell.decode("latin-1")
