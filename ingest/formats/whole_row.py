"""The whole of a row as JSON, for products that keep what they do not understand: every column that a reader can give, under its own name."""

import json
import re
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from catalog.schema.column import ColumnType
from ingest.file_table import Field, FileTable

_MARK = "native "
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?")
"""What JSON takes for a number (RFC 8259, section 6), its exponent one that PostgreSQL's numeric holds."""
_FITS = re.compile(r"(\d*)([PQ]?)([LBIJKEDA])(\(\d*\))?")
_FITS_LISTS_OF_TEXTS = re.compile(r"\d*A\(\d+(,\d+)+\)")
_LISTS_OF_NUMBERS = re.compile(r"(large_|fixed_size_)?list<\w+: (u?int|float|double|halffloat)\d*( not null)?>.*")
_NEITHER = re.compile(
    r"(large_|fixed_size_)?(list|map|struct|union|binary\[)|timestamp|date|time|duration|interval|floatComplex|doubleComplex|bit\b|\d*[PQ]?[XCM](\(\d*\))?$"
)
_VOTABLE = re.compile(r"(boolean|unsignedByte|short|int|long|float|double|char|unicodeChar)(\[([\d*x]*)\])?")


def whole_row_fields(columns: Mapping[str, str]) -> tuple[Field, ...]:
    """A field for each column, by its name and the type that its reader states; columns of types that no reader gives are left out."""
    kinds = {name: _is_array(kind) for name, kind in columns.items()}
    return tuple(
        Field(_MARK + name, ColumnType.DOUBLE if array else ColumnType.TEXT, array, (name,)) for name, array in kinds.items() if array is not None
    )  # fmt: skip


def _is_array(kind: str) -> bool | None:
    """Whether a column of this type holds a list of numbers, or one value; None where it is neither."""
    if fits := _FITS.fullmatch(kind):
        repeats, variable, letter, _ = fits.groups()
        if letter in "AL":
            return None if variable or (letter == "L" and repeats not in ("", "1")) else False
        return bool(variable) or repeats not in ("", "1")
    if votable := _VOTABLE.fullmatch(kind):
        size = votable[3]
        if votable[1] in ("char", "unicodeChar"):
            return None if size and "x" in size else False
        return None if size and votable[1] == "boolean" else bool(size) and size != "1"
    if _LISTS_OF_NUMBERS.fullmatch(kind):
        return True
    return None if _is_nested(kind) or _FITS_LISTS_OF_TEXTS.fullmatch(kind) else False


def _is_nested(kind: str) -> bool:
    """Whether a type is neither number nor text: complex numbers, bits, times, structures. The types that text files state count as text."""
    return bool(_NEITHER.match(kind))


def whole_rows(block: FileTable) -> np.ndarray:
    """Each row of the fields of ``whole_row_fields`` as a JSON object (n,); nulls are left out, texts that are numbers are numbers, digit by digit."""
    rows: list[list[str]] = [[] for _ in range(len(block))]
    for name, column in block.columns.items():
        if not name.startswith(_MARK):
            continue
        key = json.dumps(name.removeprefix(_MARK), ensure_ascii=False)
        if isinstance(column.values, np.ndarray):
            cells = [_cell(text) for text in column.values.tolist()]
        else:
            lists, ends = column.values.values.tolist(), column.values.offsets.tolist()
            cells = ["[" + ",".join(map(_number, lists[first:last])) + "]" for first, last in pairwise(ends)]
        for row, cell, null in zip(rows, cells, column.null.tolist(), strict=True):
            if not null:
                row.append(f"{key}:{cell}")
    made = np.empty(len(block), object)
    made[:] = ["{" + ",".join(row) + "}" for row in rows]
    return made


def _cell(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return text
    return text.lower() if text in ("True", "False") else json.dumps(text, ensure_ascii=False)


def _number(value: float) -> str:
    return repr(value) if np.isfinite(value) else "null"
