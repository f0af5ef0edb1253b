"""Rows of a FITS stream inside a VOTable (VOTable 1.5 section 5.2) to the values that go into the database, read by astropy.

Rare: it is what TOPCAT's "fits-inline" writes. The FIELDs say what the columns are, the binary table only holds them, in the same order.
"""

import io
import warnings
from typing import Any

import numpy as np
from astropy.io import fits

from catalog.schema.column import ColumnType
from tap_service.errors import ParameterError
from tap_service.uploads.binary_cells import Columns
from tap_service.uploads.text_cells import INTEGER_LIMITS, PACKED, Cells, fault, text_cells
from tap_service.uploads.upload_column import UploadColumn


def fits_cells(columns: tuple[UploadColumn, ...], content: bytes, extension: int | None) -> Columns:
    """Values and nulls of all rows, and how many; ParameterError where the content is no such table. ``extension``: None for the first table."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # departures from the standard that astropy can live with
            with fits.open(io.BytesIO(content), memmap=False, lazy_load_hdus=False) as hdus:
                tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)] if extension is None else [hdus[extension]]
                table = tables[0]
                found = [np.asarray(table.data.field(number)) for number in range(len(table.columns))]
                nulls = [column.null for column in table.columns]
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, fits.VerifyError) as error:
        raise ParameterError(f"its FITS stream holds no table that can be read: {' '.join(str(error).split())[:200]}.") from error
    if len(found) != len(columns):
        raise ParameterError(f"its FITS table has {len(found)} columns, but there are {len(columns)} FIELDs.")
    values, masks = {}, {}
    for column, cells, null in zip(columns, found, nulls, strict=True):
        values[column.stored_name], masks[column.stored_name] = _cells(column, cells, null)
    return values, masks, len(found[0])


def _cells(column: UploadColumn, cells: np.ndarray[Any, Any], null: int | None) -> Cells:
    if column.is_text:
        if cells.dtype.kind not in "SU":
            fault(column, 1, str(cells.dtype), "is no text in its FITS table")
        texts = ["".join(row) if isinstance(row, list) else row for row in cells.astype(str).tolist()]
        return text_cells(column, texts, 1)
    if column.type.is_array:
        return _arrays(column, cells)
    if cells.ndim > 1:
        cells = cells.reshape(len(cells), -1)[:, 0]
    if column.type is ColumnType.BOOLEAN:
        return cells.astype(bool), np.zeros(len(cells), bool)
    if column.datatype in INTEGER_LIMITS:
        low, high = INTEGER_LIMITS[column.datatype]
        absent = np.zeros(len(cells), bool)
        for number in (null, column.null):
            if number is not None:
                absent |= cells == number
        wrong = ~absent & ((cells < low) | (cells > high)) if cells.dtype.kind in "iub" else np.ones(len(cells), bool)
        if wrong.any():
            row = int(np.argmax(wrong))
            fault(column, row + 1, cells[row].item(), "is not of its type in its FITS table")
        small = column.datatype in ("bit", "unsignedByte")
        return np.where(absent, 0, cells).astype("i2" if small else np.dtype(PACKED[column.datatype]).newbyteorder("=")), absent
    if cells.dtype.kind not in "fiu":
        fault(column, 1, str(cells.dtype), "is no number in its FITS table")
    numbers = cells.astype(np.float32 if column.datatype == "float" else np.float64)
    return numbers, np.isnan(numbers)


def _arrays(column: UploadColumn, cells: np.ndarray[Any, Any]) -> Cells:
    """Arrays packed as BINARY2 has them; one of no elements is null."""
    complex_type = {"floatComplex": ">c8", "doubleComplex": ">c16"}.get(column.datatype)
    values = np.empty(len(cells), object)
    for row, cell in enumerate(cells):
        elements = np.asarray(cell).ravel()
        if column.length is not None and len(elements) != column.length:
            fault(column, row + 1, f"{len(elements)} values", f"are not the {column.length} of its arraysize")
        if column.datatype == "boolean":
            values[row] = np.where(elements.astype(bool), b"T", b"F").tobytes()
        else:
            values[row] = elements.astype(complex_type or PACKED[column.datatype]).tobytes()
    return values, np.array([not cell for cell in values], bool)
