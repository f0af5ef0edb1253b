"""Cells as TABLEDATA writes them (VOTable 1.5 section 6) to the values that go into the database, a column at a time.

The quick way takes a whole column at once; a cell that it cannot take is looked for one by one, so that the message can name it.
"""

import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Bool

from catalog.schema.column import ColumnType
from tap_service.errors import ParameterError
from tap_service.uploads.upload_column import UploadColumn

Array = np.ndarray[Any, np.dtype[Any]]
Cells = tuple[Array, Bool[np.ndarray, " rows"]]
"""Values in the form of :class:`catalog.rows.Rows`, and which are null."""

INTEGER_LIMITS = {
    "bit": (0, 1),
    "unsignedByte": (0, 255),
    "short": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
}
PACKED = {"unsignedByte": "u1", "bit": "u1", "short": ">i2", "int": ">i4", "long": ">i8", "float": ">f4", "double": ">f8"}
PACKED |= {"floatComplex": ">f4", "doubleComplex": ">f8"}
_TRUTH = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False, "?": None, "": None}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?:\.\d+)?)?Z?")


def text_cells(column: UploadColumn, cells: list[str], first_row: int) -> Cells:
    """The values of one column; ParameterError names the row (from 1) of a cell that is no value of the column's type."""
    if column.type is ColumnType.TEXT:
        return _texts(cells)
    if column.type is ColumnType.TIMESTAMP:
        return timestamps(column, cells, first_row)
    if column.type is ColumnType.BOOLEAN:
        return _each(column, cells, first_row, np.dtype(bool), _truth)
    if column.type.is_array:
        return _arrays(column, cells, first_row)
    if column.datatype in INTEGER_LIMITS:
        return _integers(column, cells, first_row)
    return _floats(column, cells, first_row)


def fault(column: UploadColumn, row: int, cell: object, why: str) -> NoReturn:
    """Refuse a cell; ``row`` counts from 1. A value that its xtype cannot be is told as DALI 1.2 section 3.3 wants it."""
    kind = f"{column.datatype}[{column.arraysize}]" if column.arraysize else column.datatype
    said = f"column {column.name:.100}, row {row}: {cell!r:.60} {why}"
    if column.xtype is not None and column.type is not ColumnType.TEXT:
        raise ParameterError(f"unsupported-xtype: {column.xtype:.50} ({said})")
    raise ParameterError(f"{said} (its FIELD says {kind}).")


def _texts(cells: list[str]) -> Cells:
    values = np.empty(len(cells), object)
    values[:] = cells
    return values, np.array([not cell for cell in cells], bool)


def _each(column: UploadColumn, cells: list[str], first_row: int, dtype: np.dtype[Any], convert: Callable[[str], Any]) -> Cells:
    """One cell after the other; ``convert`` gives None for null and raises ValueError or OverflowError with the reason."""
    values, null = np.zeros(len(cells), dtype), np.zeros(len(cells), bool)
    for row, cell in enumerate(cells):
        try:
            value = convert(cell)
            if value is None:
                null[row] = True
            else:
                values[row] = value
        except (ValueError, OverflowError) as error:
            fault(column, first_row + row, cell, str(error) if error.args and str(error).startswith("is ") else f"is no {column.datatype}")
    return values, null


def _truth(cell: str) -> bool | None:
    word = cell.strip().lower()
    if word not in _TRUTH:
        raise ValueError("is no boolean")
    return _TRUTH[word]


def _integers(column: UploadColumn, cells: list[str], first_row: int) -> Cells:
    low, high = INTEGER_LIMITS[column.datatype]
    dtype = np.dtype({"short": "i2", "int": "i4", "long": "i8"}.get(column.datatype, "i2"))
    try:
        values = np.fromiter(map(int, cells), np.int64, len(cells))
    except (ValueError, OverflowError):
        return _each(column, cells, first_row, dtype, lambda cell: _integer(cell, column))
    # int() takes 1_000 as well, which is no number of VOTable.
    if (len(values) and (values.min() < low or values.max() > high)) or any("_" in cell for cell in cells):
        return _each(column, cells, first_row, dtype, lambda cell: _integer(cell, column))
    null = values == column.null if column.null is not None else np.zeros(len(cells), bool)
    return values.astype(dtype), null


def _integer(cell: str, column: UploadColumn) -> int | None:
    text = cell.strip()
    if not text:
        return None
    if "_" in text:
        raise ValueError("is no whole number")
    value = int(text, 16) if text.lower().startswith("0x") else int(text)
    if value == column.null:
        return None
    low, high = INTEGER_LIMITS[column.datatype]
    if not low <= value <= high:
        raise ValueError(f"is not between {low} and {high}")
    return value


def _floats(column: UploadColumn, cells: list[str], first_row: int) -> Cells:
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        values, null = _each(column, cells, first_row, np.dtype("f8"), _float)
        values[null] = np.nan
    else:
        if any("_" in cell for cell in cells):
            _each(column, cells, first_row, np.dtype("f8"), _float)
    result: Array = values
    if column.datatype == "float":
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float32)
        beyond = np.isinf(narrow) & np.isfinite(values)
        if beyond.any():
            row = int(np.argmax(beyond))
            fault(column, first_row + row, cells[row], "is beyond what a float holds")
        result = narrow
    return result, np.isnan(result)


def _float(cell: str) -> float | None:
    text = cell.strip()
    if not text:
        return None
    if "_" in text:
        raise ValueError("is no number")
    return float(text)


def timestamps(column: UploadColumn, cells: list[str], first_row: int) -> Cells:
    """DALI timestamps (DALI 1.1 section 3.3.3), UTC, to the microsecond; one that is no such time is refused, not kept as text."""
    texts = [cell.strip() for cell in cells]
    null = np.array([not text for text in texts], bool)
    plain: list[str] = []
    for row, text in enumerate(texts):
        if not text:
            plain.append("NaT")
            continue
        moment, _, fraction = text.rstrip("Z").partition(".")
        if not _TIMESTAMP.fullmatch(text):
            fault(column, first_row + row, text, "is not written YYYY-MM-DDThh:mm:ss.f")
        if fraction[6:].strip("0"):
            fault(column, first_row + row, text, "is finer than a microsecond")
        plain.append(f"{moment}.{fraction[:6]}" if fraction else moment)
    try:
        return np.array(plain, "datetime64[us]"), null
    except ValueError:
        for row, text in enumerate(plain):
            try:
                np.datetime64(text, "us")
            except ValueError:
                fault(column, first_row + row, cells[row], "is no time of the calendar")
        raise


def _arrays(column: UploadColumn, cells: list[str], first_row: int) -> Cells:
    """Arrays packed as BINARY2 has them; an empty cell is null."""
    values = np.empty(len(cells), object)
    null = np.zeros(len(cells), bool)
    for row, cell in enumerate(cells):
        words = list(cell.replace(" ", "")) if column.datatype == "bit" else cell.split()
        if not words:
            null[row] = True
            values[row] = b""
            continue
        check_length(column, len(words), first_row + row)
        try:
            values[row] = _packed(column, words)
        except (ValueError, OverflowError):
            for word in words:
                try:
                    _packed(column, [word])
                except (ValueError, OverflowError):
                    fault(column, first_row + row, word, f"is no {column.datatype}")
            raise
    return values, null


def check_length(column: UploadColumn, elements: int, row: int) -> None:
    """Refuse a cell that has not the number of elements that its arraysize says; numbers of a complex count one by one here."""
    each = 2 if column.datatype in ("floatComplex", "doubleComplex") else 1
    if column.length is not None and elements != each * column.length:
        fault(column, row, f"{elements} values", f"are not the {each * column.length} of its arraysize")
    if elements % each:
        fault(column, row, f"{elements} values", "are no whole number of complex ones")


def _packed(column: UploadColumn, words: list[str]) -> bytes:
    if column.datatype == "boolean":
        return bytes({True: ord("T"), False: ord("F"), None: ord("?")}[_truth(word)] for word in words)
    dtype = np.dtype(PACKED[column.datatype])
    if "_" in "".join(words):
        raise ValueError("is no number")
    if dtype.kind == "f":
        with np.errstate(over="raise"):
            try:
                return np.array([float(word) for word in words]).astype(dtype).tobytes()
            except FloatingPointError as error:
                raise OverflowError from error
    numbers = [int(word, 16) if word.lower().startswith("0x") else int(word) for word in words]
    low, high = INTEGER_LIMITS[column.datatype]
    if min(numbers) < low or max(numbers) > high:
        raise OverflowError
    return np.array(numbers, np.int64).astype(dtype).tobytes()
