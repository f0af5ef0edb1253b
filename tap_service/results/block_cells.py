"""The cells of a COPY block, one column at a time: gathered and checked, without a loop over rows."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from catalog.binary_copy import RawBlock
from tap_service.errors import InternalError
from tap_service.results.field_types import CellForm, Field

_POSTGRES_EPOCH = np.datetime64("2000-01-01T00:00:00", "us")
_FOREVER = np.iinfo(np.int64)
_ARRAY_HEADER = 20
"""Bytes before the first element of a one-dimensional array: dimensions, null flag, element type, length, lower bound."""


def wrong_size(field: Field, seen: int, expected: int) -> InternalError:
    """The statement delivered another type than the field says."""
    return InternalError(
        f"Column {field.name} came with {seen} bytes in a cell where {field.datatype}[{field.arraysize or ''}] has {expected}."
    )


@dataclass(frozen=True)
class RaggedBytes:
    """Byte strings of differing length, one a row, end to end in one array."""

    content: UInt8[np.ndarray, " total"]
    lengths: Int64[np.ndarray, " n"]

    @property
    def offsets(self) -> Int64[np.ndarray, " n+1"]:
        """Where each string begins, and the end of the last."""
        return np.concatenate((np.zeros(1, np.int64), np.cumsum(self.lengths)))

    def strings(self) -> list[bytes]:
        """The strings one by one."""
        content, offsets = self.content.tobytes(), self.offsets.tolist()
        return [content[first:last] for first, last in itertools.pairwise(offsets)]

    @classmethod
    def of(cls, strings: list[bytes]) -> "RaggedBytes":
        """The same from single strings."""
        return cls(np.frombuffer(b"".join(strings), np.uint8), np.fromiter(map(len, strings), np.int64, len(strings)))


def copy_pieces(
    target: UInt8[np.ndarray, " m"],
    target_starts: Int64[np.ndarray, " n"],
    source: UInt8[np.ndarray, " k"],
    source_starts: Int64[np.ndarray, " n"],
    lengths: Int64[np.ndarray, " n"],
) -> None:
    """Copies n pieces of differing length from ``source`` to ``target``."""
    if not len(lengths):
        return
    size = int(lengths[0])
    if (lengths == size).all():
        if size:
            windows(target, size)[target_starts] = windows(source, size)[source_starts]
        return
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    target[np.repeat(target_starts, lengths) + within] = source[np.repeat(source_starts, lengths) + within]


def windows(array: UInt8[np.ndarray, " m"], size: int) -> np.ndarray[Any, Any]:
    """A view of every run of ``size`` bytes as one opaque element, so that a fancy index moves whole cells."""
    if len(array) < size:
        return np.empty(0, f"V{size}")
    return np.ndarray((len(array) - size + 1,), np.dtype(f"V{size}"), array.data, strides=(1,))


class BlockCells:
    """A block seen as columns of the fields that it was asked for."""

    def __init__(self, fields: tuple[Field, ...], block: RawBlock) -> None:
        self._fields = fields
        self._buffer = np.frombuffer(block.buffer, np.uint8)
        self._starts, self._lengths = block.cells(len(fields))
        self.null: Bool[np.ndarray, "n columns"] = self._lengths < 0
        for column, field in enumerate(fields):
            if field.form is CellForm.TIMESTAMP:
                # PostgreSQL's infinite timestamps have no DALI form.
                micros = self._microseconds(column)
                self.null[:, column] |= (micros == _FOREVER.max) | (micros == _FOREVER.min)

    def __len__(self) -> int:
        return len(self._lengths)

    def fixed(self, column: int) -> np.ndarray[Any, Any]:
        """The bytes of a column of fixed width as n opaque elements; zeros where null."""
        field, starts, lengths = self._fields[column], self._starts[:, column], self._lengths[:, column]
        size, null = field.copy_bytes, self.null[:, column]
        assert size is not None
        wrong = ~null & (lengths != size)
        if wrong.any():
            raise wrong_size(field, int(lengths[wrong][0]), size)
        cells = np.zeros(len(self), f"V{size}")
        if null.any():
            cells[~null] = windows(self._buffer, size)[starts[~null]]
        else:
            cells[:] = windows(self._buffer, size)[starts]
        return cells

    def ragged(self, column: int, *, ascii_only: bool) -> RaggedBytes:
        """The bytes of a column of varying width as the client gets them; empty where null; text as UTF-8.

        ``ascii_only``: a ``char`` column of a VOTable is ASCII (VOTable 1.4 section 2.1; astropy fails on other bytes), so any other
        character leaves as its Python escape, such as ``\\xe9``: visible and reversible; in a column of fixed length as a question mark.
        ``unicodeChar`` columns are not touched.
        """
        field = self._fields[column]
        match field.form:
            case CellForm.TIMESTAMP:
                return self._timestamps(column)
            case CellForm.DOUBLE_ARRAY:
                return self._array_elements(column)
        lengths = np.maximum(self._lengths[:, column], 0)
        content = np.empty(int(lengths.sum()), np.uint8)
        copy_pieces(content, np.cumsum(lengths) - lengths, self._buffer, self._starts[:, column], lengths)
        cells = RaggedBytes(content, lengths)
        if ascii_only and field.datatype == "char" and (content >= 0x80).any():
            # An escape is longer than its character: where the length is fixed a question mark stands for it.
            instead = "backslashreplace" if field.length is None else "replace"
            return RaggedBytes.of([text.decode().encode("ascii", instead) for text in cells.strings()])
        return cells

    def _microseconds(self, column: int) -> Int64[np.ndarray, " n"]:
        return self.fixed(column).view(">i8").astype(np.int64)

    def _timestamps(self, column: int) -> RaggedBytes:
        """DALI timestamps (DALI 1.1 section 3.3.3), UTC, to the microsecond or as much of it as the arraysize holds."""
        micros = np.where(self.null[:, column], 0, self._microseconds(column))
        texts = np.datetime_as_string(_POSTGRES_EPOCH + micros.astype("timedelta64[us]"))
        texts[self.null[:, column]] = ""
        size = (self._fields[column].arraysize or "*").rstrip("*")
        longest = max(10, int(size)) if size.isdigit() else 26
        longest = longest if longest >= 19 else 10  # a date alone: DALI has no half a time
        return RaggedBytes.of([text[:longest].rstrip(".").encode() for text in texts.tolist()])

    def _array_elements(self, column: int) -> RaggedBytes:
        """Elements of double precision[] end to end, NaN for elements that are null."""
        lengths = self._lengths[:, column]
        elements = (np.maximum(lengths, _ARRAY_HEADER) - _ARRAY_HEADER) // 12
        uniform = (lengths < 0) | (lengths == _ARRAY_HEADER + 12 * elements) | (lengths == 12)
        values = [self._array(column, row) for row in range(len(self))] if not uniform.all() or self._has_null_elements(column) else None
        if values is not None:
            return RaggedBytes.of(values)
        counts = np.where(lengths > 12, elements, 0)
        # Each element is a length and eight bytes: gather twelve, keep eight.
        framed = np.empty(int(counts.sum()) * 12, np.uint8)
        copy_pieces(framed, 12 * (np.cumsum(counts) - counts), self._buffer, self._starts[:, column] + _ARRAY_HEADER, 12 * counts)
        return RaggedBytes(np.ascontiguousarray(framed.reshape(-1, 12)[:, 4:]).reshape(-1), 8 * counts)

    def _has_null_elements(self, column: int) -> bool:
        """Whether the null flag is set in the header of any array."""
        starts = self._starts[self._lengths[:, column] >= 12, column]
        return bool(self._buffer[starts + 7].any()) if len(starts) else False

    def _array(self, column: int, row: int) -> bytes:
        """One array element by element, for those with nulls inside."""
        length = int(self._lengths[row, column])
        if length <= 12:
            return b""
        at = int(self._starts[row, column])
        end, at, values = at + length, at + _ARRAY_HEADER, []
        while at < end:
            size = int.from_bytes(self._buffer[at : at + 4].tobytes(), "big", signed=True)
            values.append(self._buffer[at + 4 : at + 12].tobytes() if size == 8 else b"\x7f\xf8" + bytes(6))
            at += 4 + max(size, 0)
        return b"".join(values)
