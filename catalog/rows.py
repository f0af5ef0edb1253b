"""Rows as columns: a block of table rows as numpy arrays with null masks, the form that travels to and from PostgreSQL.

A value under a null mask is never looked at. A block that was read holds NaN, NaT, None, 0 or False there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool

from catalog.errors import DataError
from catalog.schema.column import Column, ColumnType

Array = np.ndarray[Any, np.dtype[Any]]

_DTYPES: dict[ColumnType, np.dtype[Any]] = {
    ColumnType.SMALLINT: np.dtype("int16"),
    ColumnType.INTEGER: np.dtype("int32"),
    ColumnType.BIGINT: np.dtype("int64"),
    ColumnType.REAL: np.dtype("float32"),
    ColumnType.DOUBLE: np.dtype("float64"),
    ColumnType.BOOLEAN: np.dtype("bool"),
    ColumnType.TIMESTAMP: np.dtype("datetime64[us]"),
    ColumnType.TEXT: np.dtype(object),
    ColumnType.JSON: np.dtype(object),
    ColumnType.BYTES: np.dtype(object),
    ColumnType.DOUBLE_ARRAY: np.dtype(object),
    ColumnType.POINT: np.dtype(object),
    ColumnType.CIRCLE: np.dtype(object),
    ColumnType.POLYGON: np.dtype(object),
    ColumnType.BIT: np.dtype("int16"),
    ColumnType.UNSIGNED_BYTE: np.dtype("int16"),
    ColumnType.BOOLEAN_ARRAY: np.dtype(object),
    ColumnType.BIT_ARRAY: np.dtype(object),
    ColumnType.SMALLINT_ARRAY: np.dtype(object),
    ColumnType.INTEGER_ARRAY: np.dtype(object),
    ColumnType.BIGINT_ARRAY: np.dtype(object),
    ColumnType.COMPLEX: np.dtype(object),
    ColumnType.DOUBLE_COMPLEX: np.dtype(object),
}


@dataclass(frozen=True)
class CopyField:
    """A column as COPY sees it: its name, its type, and for a VECTOR of fixed length the number of elements."""

    name: str
    type: ColumnType
    length: int | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type of the column's values; object for text, JSON, bytes and vectors of varying length."""
        if self.type is ColumnType.VECTOR:
            return np.dtype(object) if self.length is None else np.dtype("float32")
        return _DTYPES[self.type]

    @property
    def width(self) -> int | None:
        """Bytes of a cell in PostgreSQL's binary form, None where it varies from row to row."""
        if self.dtype == object:
            return None
        return self.dtype.itemsize * (self.length if self.type is ColumnType.VECTOR and self.length is not None else 1)

    def shape(self, n: int) -> tuple[int, ...]:
        """The shape of n values."""
        return (n, self.length) if self.type is ColumnType.VECTOR and self.length is not None else (n,)


def copy_fields(columns: Iterable[Column]) -> tuple[CopyField, ...]:
    """The fields of described columns, in their order."""
    return tuple(CopyField(column.name, column.type, column.length) for column in columns)


@dataclass(frozen=True, eq=False)
class Rows:
    """A block of rows: one array a field, all of one length, and a mask for the columns that hold nulls.

    Dtypes: int16, int32, int64, float32, float64, bool; datetime64[us] in UTC (TIMESTAMP); object arrays of str (TEXT, JSON) or of
    bytes (BYTES, packed arrays, VECTOR of varying length, and the big-endian float64 elements of a DOUBLE_ARRAY or place); float32 (n, length) for a VECTOR of fixed length. Other dtypes are converted where no
    value changes (float64 to REAL is rounded); DataError names the column otherwise. None and NaT count as null, NaN does not.
    """

    fields: tuple[CopyField, ...]
    values: Mapping[str, Array]
    nulls: Mapping[str, Bool[np.ndarray, " rows"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        names = [each.name for each in self.fields]
        if len(set(names)) < len(names) or set(names) != set(self.values):
            raise DataError(f"A block of rows needs one array for each of {names}; it has {list(self.values)}.")
        if unknown := set(self.nulls) - set(names):
            raise DataError(f"Null masks for columns that the block does not have: {sorted(unknown)}.")
        n = len(self.values[names[0]]) if names else 0
        masks = {name: np.asarray(mask, bool) for name, mask in self.nulls.items()}
        for name, mask in masks.items():
            if mask.shape != (n,):
                raise DataError(f"The null mask of column {name} has shape {mask.shape}; the block has {n} rows.")
        values = {each.name: _as_field(each, self.values[each.name], masks.get(each.name), n) for each in self.fields}
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "nulls", masks)

    @classmethod
    def empty(cls, fields: Iterable[CopyField]) -> "Rows":
        """A block without rows."""
        fields = tuple(fields)
        return cls(fields, {each.name: np.empty(each.shape(0), each.dtype) for each in fields})

    @classmethod
    def concatenate(cls, blocks: Sequence["Rows"]) -> "Rows":
        """One block of several with the same fields; DataError if there is none or the fields differ."""
        if not blocks or any(block.fields != blocks[0].fields for block in blocks):
            raise DataError("Blocks of rows are joined only when there is at least one and all have the same fields.")
        names = [each.name for each in blocks[0].fields]
        masked = {name for block in blocks for name in block.nulls}
        return cls(
            blocks[0].fields,
            {name: np.concatenate([block.values[name] for block in blocks]) for name in names},
            {name: np.concatenate([block.null(name) for block in blocks]) for name in names if name in masked},
        )

    def __len__(self) -> int:
        return len(self.values[self.fields[0].name]) if self.fields else 0

    def __getitem__(self, name: str) -> Array:
        return self.values[name]

    def null(self, name: str) -> Bool[np.ndarray, " rows"]:
        """Which rows are null in a column."""
        values = self.values[name]
        mask = self.nulls.get(name)
        if values.dtype.kind == "O":
            absent = np.array([value is None for value in values.tolist()], bool)
        elif values.dtype.kind == "M":
            absent = np.isnat(values)
        else:
            return mask if mask is not None else np.zeros(len(values), bool)
        return absent if mask is None else absent | mask

    def take(self, index: Any) -> "Rows":
        """The rows at an index array, a slice, or a boolean mask."""
        return Rows(
            self.fields,
            {name: values[index] for name, values in self.values.items()},
            {name: mask[index] for name, mask in self.nulls.items()},
        )


def _as_field(each: CopyField, given: Any, mask: Array | None, n: int) -> Array:
    """The values in the field's own dtype, checked; what stands under the mask may be anything."""
    values = given if isinstance(given, np.ndarray) else np.asarray(given, each.dtype if each.dtype == object else None)
    if values.shape != each.shape(n):
        raise DataError(f"Column {each.name} has shape {values.shape} where {each.shape(n)} is needed.")
    if values.dtype == each.dtype:
        return values
    wanted, kinds = each.dtype, {"i": "iu", "f": "fiu", "b": "b", "M": "M", "O": "OU"}[each.dtype.kind]
    if values.dtype.kind not in kinds:
        raise DataError(f"Column {each.name} ({each.type.postgres}) needs {wanted} values, not {values.dtype}.")
    seen = values if mask is None else values[~mask]
    if wanted.kind == "i" and seen.size and not (np.iinfo(wanted).min <= seen.min() and seen.max() <= np.iinfo(wanted).max):
        raise DataError(f"Column {each.name} ({each.type.postgres}) cannot hold the values {seen.min()} to {seen.max()}.")
    with np.errstate(over="ignore", invalid="ignore"):
        converted = values.astype(wanted)
        if wanted.kind == "f" and seen.size and bool((np.isinf(seen.astype(wanted)) & np.isfinite(seen)).any()):
            raise DataError(f"Column {each.name} ({each.type.postgres}) cannot hold {np.abs(seen[np.isfinite(seen)]).max()}.")
    return converted
