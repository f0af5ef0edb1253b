"""The cells of a block as text, a column at a time by Arrow, for CSV, TSV and VOTable's TABLEDATA.

Why from the same binary COPY and not PostgreSQL's own CSV: packed vectors would come out as hexadecimal, booleans as t and f, timestamps
with a zone and infinities in PostgreSQL's words; here every format shows the same values. It costs time: measured, CSV over HTTP has about
half the rate of psql's COPY CSV (benchmarks/tap_stream.py), most of it in numbers turned into their shortest text.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.binary_copy import RawBlock
from tap_service.results.block_cells import BlockCells, RaggedBytes
from tap_service.results.field_types import CellForm, Field

_NUMBERS = {"unsignedByte": "u1", "bit": "u1", "short": ">i2", "int": ">i4", "long": ">i8", "float": ">f4", "double": ">f8"}
_SINGLE = tuple(_NUMBERS)
_NUMBERS |= {"floatComplex": ">f4", "doubleComplex": ">f8"}


def columns(fields: tuple[Field, ...], block: RawBlock, *, ascii_only: bool) -> list[pa.Array]:
    """Each column as Arrow numbers, booleans or strings; arrays are strings of numbers with spaces between (VOTable 1.4 section 6)."""
    cells = BlockCells(fields, block)
    return [_column(field, cells, i, ascii_only) for i, field in enumerate(fields)]


def text(column: pa.Array) -> pa.StringArray:
    """A column as strings, empty where null."""
    strings = column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
    return pc.fill_null(strings, "")


def _column(field: Field, cells: BlockCells, i: int, ascii_only: bool) -> pa.Array:
    match field.form:
        case CellForm.BOOLEAN:
            return pa.array(np.ascontiguousarray(cells.fixed(i)).view("u1").astype(bool), mask=cells.null[:, i])
        case CellForm.SMALL:
            return _numbers(cells.fixed(i).view(">i2"), cells.null[:, i])
        case CellForm.FIXED if field.arraysize is None and field.datatype in _SINGLE:
            return _numbers(cells.fixed(i).view(_NUMBERS[field.datatype]), cells.null[:, i])
        case CellForm.FIXED:
            values = cells.fixed(i)
            assert field.copy_bytes is not None
            lengths = np.full(len(cells), field.copy_bytes, np.int64)
            return _number_lists(field, RaggedBytes(values.view("u1"), lengths), cells.null[:, i])
        case CellForm.PACKED | CellForm.DOUBLE_ARRAY | CellForm.BITS:
            return _number_lists(field, cells.ragged(i, ascii_only=ascii_only), cells.null[:, i])
        case _:
            return _strings(cells.ragged(i, ascii_only=ascii_only), cells.null[:, i])


def _numbers(values: np.ndarray[Any, Any], null: np.ndarray[Any, Any] | None) -> pa.Array:
    """Numbers in native order; floats that are not finite force the column to strings NaN, +Inf, -Inf (VOTable 1.4 section 2.1)."""
    native = values.astype(values.dtype.newbyteorder("="))
    array = pa.array(native, mask=null, from_pandas=False)
    if native.dtype.kind != "f" or np.isfinite(native).all():
        return array
    words = np.where(np.isnan(native), "NaN", np.where(native > 0, "+Inf", "-Inf")).astype(object)
    return pc.if_else(pa.array(np.isfinite(native)), pc.cast(array, pa.string()), pa.array(words, pa.string(), mask=null))


def _number_lists(field: Field, ragged: RaggedBytes, null: np.ndarray[Any, Any]) -> pa.StringArray:
    content = np.ascontiguousarray(ragged.content)
    if field.datatype == "boolean":
        elements, width = pa.array(content.view("S1").astype("U1")), 1
    else:
        dtype = np.dtype(_NUMBERS[field.datatype])
        elements, width = text(_numbers(content.view(dtype), None)), dtype.itemsize
    offsets = pa.array((ragged.offsets // width).astype(np.int32))
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, elements), " ")
    return pc.if_else(pa.array(null), pa.scalar(None, pa.string()), joined)


def _strings(ragged: RaggedBytes, null: np.ndarray[Any, Any]) -> pa.StringArray:
    valid = pa.py_buffer(np.packbits(~null, bitorder="little").tobytes()) if null.any() else None
    offsets = pa.py_buffer(ragged.offsets.astype(np.int32).tobytes())
    return pa.StringArray.from_buffers(len(null), offsets, pa.py_buffer(ragged.content.tobytes()), valid)
