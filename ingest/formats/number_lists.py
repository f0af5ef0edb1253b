"""Cells that hold a list of numbers, ``(a, b)``, ``[a,b]`` or ``a,b``, to rows of float64.

A cell that is a JSON list of plain numbers is read by simdjson, ten times as fast as by Arrow, and to the same bits: both round the decimal
number once to the nearest double. Every other cell goes to Arrow one element at a time, which knows the spellings of nulls and names what is
no number. Which way a cell went cannot be told from its numbers.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import simdjson

from ingest.file_table import Ragged, TypedColumn
from ingest.formats.cell_text import NULLS, NUMBER, decoded, told
from ingest.formats.long_cells import LongCell

Buffer = Any
"""Bytes, or what simdjson gives in their place."""

_LIST_BRACKETS = " \t\r\n()[]"
_MINUS_ZERO = re.compile(rb"-0(?![.\deE])")
"""JSON's integer -0, which simdjson reads as 0."""


def from_cells(cells: Sequence[bytes | LongCell | None]) -> TypedColumn:
    """A column of cells as lists; a cell without a number is null, one with something else than numbers is unparsable."""
    parser = simdjson.Parser()
    plain = [_plain(parser, cell) for cell in cells]
    lists = _end_to_end(plain)
    for row in _rows_with_zero(lists):
        if _MINUS_ZERO.search(bytes(cells[row] or b"")):
            plain[row] = None
    others = [row for row, found in enumerate(plain) if found is None]
    if not others:
        return TypedColumn(lists, lists.all_nan())
    column = _of_any_form(pa.array([None if (cell := cells[row]) is None else bytes(cell) for row in others], pa.binary()))
    found_by_arrow = column.values
    assert isinstance(found_by_arrow, Ragged)
    for index, row in enumerate(others):
        plain[row] = found_by_arrow.values[found_by_arrow.offsets[index] : found_by_arrow.offsets[index + 1]].tobytes()
    lists = _end_to_end(plain)
    return TypedColumn(lists, lists.all_nan(), {others[index]: seen for index, seen in column.unparsable.items()})


def _plain(parser: simdjson.Parser, cell: bytes | LongCell | None) -> Buffer | None:
    """The numbers of a flat JSON list, float64; None where the cell is anything else."""
    if cell is None:
        return None
    text, start, end = cell if isinstance(cell, LongCell) else (cell, 0, len(cell))
    if text[start : start + 1] == b"(" and text[end - 1 : end] == b")":
        text = b"[" + text[start + 1 : end - 1] + b"]"
        start, end = 0, len(text)
    if (
        text[start : start + 1] != b"[" or text.find(b"[", start + 1, end) >= 0
    ):  # no list, or lists within the list: as_buffer flattens them
        return None
    try:
        found = parser.parse(memoryview(text)[start:end])
        return found.as_buffer(of_type="d") if isinstance(found, simdjson.Array) else None
    except (ValueError, TypeError, RuntimeError):
        return None


def _end_to_end(rows: Sequence[Buffer | None]) -> Ragged:
    buffers = [b"" if row is None else row for row in rows]
    lengths = np.fromiter((memoryview(buffer).nbytes // 8 for buffer in buffers), np.int64, len(buffers))
    return Ragged.of_lengths(np.frombuffer(b"".join(buffers), np.float64), lengths)


def _rows_with_zero(lists: Ragged) -> list[int]:
    zeros = np.flatnonzero(lists.values == 0)
    return np.unique(np.searchsorted(lists.offsets, zeros, side="right") - 1).tolist()


def _of_any_form(cells: pa.Array) -> TypedColumn:
    """``(a, b)``, ``[a,b]`` or ``a,b`` in each cell (Arrow strings or binary). A null spelling inside a list is NaN."""
    text, undecodable = decoded(cells)
    inside = pc.utf8_trim(pc.utf8_trim_whitespace(text), characters=_LIST_BRACKETS)
    inside = pc.if_else(pc.is_in(inside, value_set=NULLS), pa.scalar(None, pa.string()), inside)
    lists = pc.split_pattern(inside, ",")
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    elements = pc.utf8_trim_whitespace(lists.flatten())
    try:
        return _column(_numbers(elements), lengths, undecodable)
    except pa.ArrowInvalid:
        pass
    elements = pc.if_else(pc.is_in(elements, value_set=NULLS), pa.scalar("nan"), elements)
    try:
        return _column(_numbers(elements), lengths, undecodable)
    except pa.ArrowInvalid:
        cells = elements.to_pylist()
    bad: dict[int, str] = {}
    values = np.full(len(cells), np.nan)
    row_of = np.repeat(np.arange(len(lengths)), lengths)
    for index, cell in enumerate(cells):
        if NUMBER.fullmatch(cell):
            values[index] = float(cell)
        else:
            bad.setdefault(int(row_of[index]), f"{told(cell)} is no number")
    return _column(values, lengths, {**bad, **undecodable})


def _numbers(elements: pa.Array) -> np.ndarray:
    return np.asarray(elements.cast(pa.float64()).to_numpy(zero_copy_only=False))


def _column(values: np.ndarray, lengths: np.ndarray, unparsable: dict[int, str]) -> TypedColumn:
    lists = Ragged.of_lengths(values, lengths)
    return TypedColumn(lists, lists.all_nan(), unparsable)
