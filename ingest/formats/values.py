"""Text and numbers of a file to typed columns: null spellings, integer ranges, lists of numbers.

A 64-bit integer never passes through a float. Numbers of 32 bits are read as 64 and rounded once.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.schema.column import ColumnType
from ingest.file_table import DTYPES, Field, Ragged, TypedColumn
from ingest.formats import number_lists
from ingest.formats.cell_text import NULLS, NUMBER, decoded, told
from ingest.formats.long_cells import Cells

TRUE, FALSE = ["true", "True", "TRUE", "t", "T", "1"], ["false", "False", "FALSE", "f", "F", "0"]
"""How booleans are spelled plainly."""
_TRUE, _FALSE = pa.array(["true", "t", "1", "1.0"]), pa.array(["false", "f", "0", "0.0"])
_INTEGER = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)
_INTEGERS = (ColumnType.SMALLINT, ColumnType.INTEGER, ColumnType.BIGINT)
PLAIN_TYPES = {
    ColumnType.SMALLINT: pa.int64(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.BIGINT: pa.int64(),
    ColumnType.REAL: pa.float64(),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
}
"""What Arrow may make of a column's plainly spelled cells before :func:`from_text` sees them; floats never infinite."""
_EXACT = 2**53
"""From here on a float is not the integer that it was made of."""
_LONGEST_INTEGER = 1000
"""Characters; Python refuses to turn thousands of digits into a number."""


def from_text(cells: Cells, field: Field) -> TypedColumn:
    """A column of text (Arrow strings or binary, or the bytes of each row; or what PLAIN_TYPES names) in the field's type."""
    if field.is_array:
        return number_lists.from_cells(cells if isinstance(cells, list) else cells.cast(pa.binary()).to_pylist())
    if isinstance(cells, list):
        cells = pa.array(map(bytes, cells), pa.binary())
    if cells.type == PLAIN_TYPES.get(field.type):
        return _plain(cells, field.type)
    text, undecodable = decoded(cells)
    text = pc.utf8_trim_whitespace(text)
    text = pc.if_else(pc.is_in(text, value_set=NULLS), pa.scalar(None, pa.string()), text)
    if field.type is ColumnType.TEXT:
        column = _texts(text)
    elif field.type is ColumnType.BOOLEAN:
        column = _booleans(text)
    elif field.type in _INTEGERS:
        column = _integers(text, field.type)
    else:
        column = _floats(text, field.type)
    return TypedColumn(column.values, column.null, {**column.unparsable, **undecodable})


def from_numbers(values: np.ndarray, null: np.ndarray, field: Field) -> TypedColumn:
    """A column that the file holds as numbers, booleans or text (n,), in the field's type."""
    if values.dtype.kind == "S":
        return from_text(pa.array(values.tolist(), pa.binary(), mask=null), field)
    if values.dtype.kind in "UO":
        cells = [None if missing else _as_text(value) for value, missing in zip(values.tolist(), null, strict=True)]
        return from_text(pa.array(cells, pa.binary()), field)
    if field.type is ColumnType.TEXT:
        return from_text(pa.array(values.astype(str).tolist(), pa.string(), mask=null), field)
    if field.type in (ColumnType.REAL, ColumnType.DOUBLE):
        return _in_float_range(values.astype(np.float64), null | np.isnan(values), field.type)
    if field.type is ColumnType.BOOLEAN:
        null = null | np.isnan(values)
        bad = {int(i): f"{values[i]} is no boolean" for i in np.flatnonzero(~null & (values != 0) & (values != 1))}
        return TypedColumn(np.where(null, 0, values).astype(bool), null, bad)
    if values.dtype.kind == "f":
        return _integers_stored_as_floats(values.astype(np.float64), null, field.type)
    if values.dtype.kind == "u" and values.dtype.itemsize == 8:
        too_large = (values > np.uint64(np.iinfo(np.int64).max)) & ~null
        column = _in_integer_range(np.where(too_large, np.uint64(0), values).astype(np.int64), null, field.type)
        return TypedColumn(column.values, column.null, {int(i): f"{values[i]} is out of range" for i in np.flatnonzero(too_large)})
    return _in_integer_range(values.astype(np.int64), null, field.type)


def from_lists(values: np.ndarray, lengths: np.ndarray, null: np.ndarray) -> TypedColumn:
    """Lists of numbers end to end; a list without a number (empty, or all NaN) is a null one."""
    ragged = Ragged.of_lengths(values, lengths)
    return TypedColumn(ragged, null | ragged.all_nan())


def _as_text(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _null(text: pa.Array) -> np.ndarray:
    return np.asarray(text.is_null().to_numpy(zero_copy_only=False))


def _plain(cells: pa.Array, type_: ColumnType) -> TypedColumn:
    null = _null(cells)
    if type_ is ColumnType.BOOLEAN:
        return TypedColumn(cells.fill_null(False).to_numpy(zero_copy_only=False), null)
    values = cells.fill_null(0).to_numpy(zero_copy_only=False)
    return _in_integer_range(values, null, type_) if type_ in _INTEGERS else _in_float_range(values, null | np.isnan(values), type_)


def _texts(text: pa.Array) -> TypedColumn:
    values = np.array(text.fill_null("").to_pylist(), object)
    bad = {index: "a character with code 0" for index, value in enumerate(values) if "\0" in value}
    return TypedColumn(values, _null(text), bad)


def _booleans(text: pa.Array) -> TypedColumn:
    lower = pc.utf8_lower(pc.utf8_trim(text, characters="\"' "))
    true = pc.is_in(lower, value_set=_TRUE).to_numpy(zero_copy_only=False)
    known = true | pc.is_in(lower, value_set=_FALSE).to_numpy(zero_copy_only=False)
    null = _null(text)
    bad = {int(i): f"{told(text[int(i)].as_py())} is no boolean" for i in np.flatnonzero(~known & ~null)}
    return TypedColumn(true, null, bad)


def _integers(text: pa.Array, type_: ColumnType) -> TypedColumn:
    null = _null(text)
    try:
        if pc.any(pc.match_substring(text, "x", ignore_case=True)).as_py():  # Arrow reads 0x10 as sixteen
            raise pa.ArrowInvalid("hexadecimal")
        values = text.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        values, bad = np.zeros(len(text), np.int64), {}
        for index, cell in enumerate(text.to_pylist()):
            if cell is None:
                continue
            match = _INTEGER.fullmatch(cell)
            if match is None:
                bad[index] = f"{told(cell)} is no integer"
            elif match[2] is not None and abs(int(match[1][:_LONGEST_INTEGER])) >= _EXACT:
                bad[index] = f"{told(cell)} was a float, which is no exact integer"
            elif len(cell) > _LONGEST_INTEGER or not -(1 << 63) <= (number := int(match[1])) < 1 << 63:
                bad[index] = f"{told(cell)} does not fit 64 bits"
            else:
                values[index] = number
        column = _in_integer_range(values, null, type_)
        return TypedColumn(column.values, column.null, {**column.unparsable, **bad})
    return _in_integer_range(values, null, type_)


def _in_integer_range(values: np.ndarray, null: np.ndarray, type_: ColumnType) -> TypedColumn:
    limits = np.iinfo(DTYPES[type_])
    outside = ((values < limits.min) | (values > limits.max)) & ~null
    bad = {int(i): f"{values[i]} does not fit {type_.postgres}" for i in np.flatnonzero(outside)}
    return TypedColumn(np.where(outside | null, 0, values).astype(DTYPES[type_]), null, bad)


def _integers_stored_as_floats(values: np.ndarray, null: np.ndarray, type_: ColumnType) -> TypedColumn:
    """Integers that the file holds as floats: taken while exact, never for 64-bit identifiers beyond 2^53."""
    null = null | np.isnan(values)
    whole = np.where(null, 0.0, values)
    exact = (whole == np.rint(whole)) & (np.abs(whole) < _EXACT)
    column = _in_integer_range(np.where(exact, whole, 0.0).astype(np.int64), null, type_)
    bad = {int(i): f"{values[i]!r} stored as a float is no exact integer" for i in np.flatnonzero(~exact)}
    return TypedColumn(column.values, column.null, {**column.unparsable, **bad})


def _floats(text: pa.Array, type_: ColumnType) -> TypedColumn:
    null = _null(text)
    try:
        values = text.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        values, bad = np.zeros(len(text)), {}
        for index, cell in enumerate(text.to_pylist()):
            if cell is None:
                continue
            if NUMBER.fullmatch(cell):
                values[index] = float(cell)
            else:
                bad[index] = f"{told(cell)} is no number"
    else:
        bad = {}
    for index in np.flatnonzero(np.isinf(values)).tolist():
        if "inf" not in (cell := text[index].as_py().lower()):
            bad[index] = f"{told(cell)} does not fit double precision"
    column = _in_float_range(values, null | np.isnan(values), type_)
    return TypedColumn(column.values, column.null, {**column.unparsable, **bad})


def _in_float_range(values: np.ndarray, null: np.ndarray, type_: ColumnType) -> TypedColumn:
    """NaN is null; a finite number beyond float32 is told, not turned into infinity."""
    filled = np.where(null, 0.0, values)
    if type_ is ColumnType.DOUBLE:
        return TypedColumn(filled, null)
    with np.errstate(over="ignore"):
        single = filled.astype(np.float32)
    beyond = np.isinf(single) & np.isfinite(filled)
    return TypedColumn(single, null, {int(i): f"{values[i]!r} does not fit real" for i in np.flatnonzero(beyond)})
