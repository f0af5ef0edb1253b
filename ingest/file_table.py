"""What every reader gives: a block of rows as typed columns with null masks, whatever the format.

Types come from the product's fields and are never inferred. A value that is not of its type marks its row unparsable and
costs no other row.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64

from catalog.errors import DataError
from catalog.schema.column import ColumnType

DTYPES: dict[ColumnType, np.dtype] = {
    ColumnType.SMALLINT: np.dtype(np.int16),
    ColumnType.INTEGER: np.dtype(np.int32),
    ColumnType.BIGINT: np.dtype(np.int64),
    ColumnType.REAL: np.dtype(np.float32),
    ColumnType.DOUBLE: np.dtype(np.float64),
    ColumnType.BOOLEAN: np.dtype(bool),
    ColumnType.TEXT: np.dtype(object),
}


@dataclass(frozen=True)
class Field:
    """A column that a product reads from its files; ``is_array`` marks one list of numbers a row.

    ``synonyms`` are other names (lower case) under which files have it, best first. ``nulls`` are numbers that mean "not measured", such as
    -9999. ``unit`` is what the values must be in where the file states a unit (VOUnits, None: not asked).
    """

    name: str
    type: ColumnType
    is_array: bool = False
    synonyms: tuple[str, ...] = ()
    nulls: tuple[float, ...] = ()
    unit: str | None = None

    def column_in(self, names: Collection[str]) -> str | None:
        """The lower-case column name under which a header of these names has the field; None where it has not."""
        return next((name for name in (self.name, *self.synonyms) if name in names), None)


def fields_named(names: Sequence[str], fields: Iterable[Field]) -> dict[Field, str]:
    """The fields that a header of these names (in either case) has, each with its lower-case name there.

    DataError where it has one of them more than once: which one is meant?
    """
    lower = [name.strip().lower() for name in names]
    there = {field: name for field in fields if (name := field.column_in(lower)) is not None}
    twice = [name for name in there.values() if lower.count(name) > 1]
    if twice:
        raise DataError(f"the header names {', '.join(twice)} more than once; leave one of the columns and add the file again")
    return there


@dataclass(frozen=True)
class Ragged:
    """One list of numbers a row, end to end: row i is ``values[offsets[i]:offsets[i + 1]]``."""

    values: Float64[np.ndarray, " total"]
    offsets: Int64[np.ndarray, " rows_and_one"]

    @classmethod
    def empty(cls, rows: int) -> "Ragged":
        """No numbers in any row."""
        return cls(np.empty(0), np.zeros(rows + 1, np.int64))

    @classmethod
    def of_lengths(cls, values: np.ndarray, lengths: np.ndarray) -> "Ragged":
        """The rows of these lengths."""
        return cls(np.asarray(values, np.float64), np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64))

    @property
    def lengths(self) -> Int64[np.ndarray, " rows"]:
        """How many numbers each row has."""
        return np.diff(self.offsets)

    def matrix(self, length: int) -> Float64[np.ndarray, "rows length"]:
        """The rows side by side; a row of any other length is all NaN."""
        lengths = self.lengths
        fits = lengths == length
        if fits.all():
            return self.values.reshape(len(fits), length)
        out = np.full((len(fits), length), np.nan)
        if fits.any():
            of_others = bool((lengths[~fits] > 0).any())
            out[fits] = (self.values[np.repeat(fits, lengths)] if of_others else self.values).reshape(int(fits.sum()), length)
        return out

    def all_nan(self) -> Bool[np.ndarray, " rows"]:
        """Rows in which no element is a number; rows without elements too."""
        nan = np.isnan(self.values)
        if not nan.any():
            return self.lengths == 0
        numbers = np.concatenate([[0], np.cumsum(~nan)])
        return np.asarray(numbers[self.offsets[1:]] == numbers[self.offsets[:-1]])


@dataclass(frozen=True)
class TypedColumn:
    """A column's values in their type, where they are null, and the rows whose text is not of the type (index -> what was seen)."""

    values: np.ndarray | Ragged
    null: Bool[np.ndarray, " rows"]
    unparsable: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FileTable:
    """A block of rows. ``row_number`` counts from 1 without header lines, over all tables of the file.

    ``malformed`` holds rows whose fields could not be told apart (row number -> what was seen): they are in no column.
    """

    row_number: Int64[np.ndarray, " rows"]
    columns: Mapping[str, TypedColumn]
    malformed: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.row_number)

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def values(self, wanted: Field) -> np.ndarray:
        """A scalar field's values (n,); zeros, with everything null, where the file lacks the column."""
        column = self.columns.get(wanted.name)
        if column is None:
            return np.zeros(len(self), DTYPES[wanted.type])
        assert isinstance(column.values, np.ndarray)
        return column.values

    def ragged(self, name: str) -> Ragged:
        """An array field's lists; empty, with everything null, where the file lacks the column."""
        column = self.columns.get(name)
        if column is None:
            return Ragged.empty(len(self))
        assert isinstance(column.values, Ragged)
        return column.values

    def null(self, name: str) -> Bool[np.ndarray, " rows"]:
        """Where the field is null."""
        column = self.columns.get(name)
        return np.ones(len(self), bool) if column is None else column.null

    def with_nulls(self, fields: Iterable[Field]) -> "FileTable":
        """The same rows, where a scalar field's ``nulls`` are null."""
        columns = dict(self.columns)
        for wanted in fields:
            column = columns.get(wanted.name)
            if wanted.nulls and column is not None and isinstance(column.values, np.ndarray):
                told = np.isin(column.values, np.array(wanted.nulls, column.values.dtype))
                columns[wanted.name] = TypedColumn(column.values, column.null | told, column.unparsable)
        return FileTable(self.row_number, columns, self.malformed)

    def unparsable(self) -> dict[int, str]:
        """Rows with a value that is not of its type: index in the block -> column and what was seen, first column first."""
        found: dict[int, str] = {}
        for name, column in self.columns.items():
            for index, seen in column.unparsable.items():
                found.setdefault(index, f"{name}: {seen}")
        return found
