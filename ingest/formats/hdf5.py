"""HDF5: mirrors of the archive's tables, with a dataset for each column, arrays as rows of a second dimension; also structured datasets.

The datasets of a group (the file's root too) are the columns of a table, and a dataset of records is a table by itself. A group that is named
for one source, ``HD101452_5384905720847544320``, states its identifier. Mirrors write missing numbers as the smallest or the largest one of
their type and booleans as integers; columns of text may be missing (README of the DR3 mirror at Flatiron). A unit is an attribute ``unit`` or
``units``. Columns are read by blocks of rows, only those that are asked for. Where booleans ``NAME.mask`` stand beside NAME, as astropy writes
them, their true rows are null.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

import h5py
import numpy as np
from jaxtyping import Bool

from catalog.errors import DataError
from ingest.file_table import Field, FileTable, TypedColumn, fields_named
from ingest.formats.values import from_lists, from_numbers

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_BLOCK_BYTES = 8 << 20
_BLOCK_ROWS = (256, 65_536)
_CHUNK_CACHE = 16 << 20
"""Bytes of decompressed chunks that are kept of each dataset; a block may be smaller than a chunk."""
_OF_ONE_SOURCE = re.compile(r".*_([1-9]\d{5,18})")


@dataclass(frozen=True)
class _Column:
    """A dataset, or one part of the records of a dataset; ``shape`` is that of all rows."""

    dataset: h5py.Dataset
    part: str | None
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def read(self, first: int, end: int) -> np.ndarray:
        """The rows ``first`` to ``end``."""
        return np.asarray((self.dataset if self.part is None else self.dataset.fields(self.part))[first:end])

    @property
    def row_bytes(self) -> int:
        return self.dtype.itemsize * int(np.prod(self.shape[1:]))


@dataclass
class _Table:
    """The columns of a group or of a dataset of records, by their stored names."""

    columns: dict[str, _Column] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)


class Hdf5Reader:
    """One HDF5 content; its tables have been found when it is made."""

    format = "hdf5"

    def __init__(self, stream: IO[bytes]) -> None:
        self._file = h5py.File(stream, "r", rdcc_nbytes=_CHUNK_CACHE)
        self._tables = list(_tables(self._file))
        self.tables: list[Mapping[str, str]] = [
            {_shown(name): f"{column.dtype}{list(column.shape[1:]) or ''}" for name, column in table.columns.items()}
            for table in self._tables
        ]
        self.units: list[Mapping[str, str]] = [
            {_shown(name): unit for name, column in table.columns.items() if (unit := _unit(column))} for table in self._tables
        ]
        self.constants: list[Mapping[str, str]] = [table.constants for table in self._tables]
        lengths = [{column.shape[0] for column in table.columns.values()} for table in self._tables]
        self.rows_stated: list[int | None] = [length.pop() if len(length) == 1 else None for length in lengths]

    def blocks(self, table: int, fields: tuple[Field, ...]) -> Iterator[FileTable]:
        """The rows of one table, typed. DataError where the columns that are wanted are not of one length."""
        stored = self._tables[table].columns
        wanted = fields_named(list(stored), fields)
        columns = {field: stored[next(own for own in stored if own.strip().lower() == name)] for field, name in wanted.items()}
        there = {own.strip().lower(): column for own, column in stored.items() if column.dtype == np.bool_ and len(column.shape) == 1}
        masks = {field: there[f"{name}.mask"] for field, name in wanted.items() if f"{name}.mask" in there}
        lengths = {name: columns[field].shape[0] for field, name in wanted.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise DataError(f"its columns are not of one length ({told[:200]}): it is damaged; fetch it again")
        rows = max(lengths.values(), default=0)
        step = int(np.clip(_BLOCK_BYTES // max(1, sum(column.row_bytes for column in columns.values())), *_BLOCK_ROWS))
        for first in range(0, rows, step):
            end = min(first + step, rows)
            typed = {field.name: _typed(column.read(first, end), column, field) for field, column in columns.items()}
            typed |= {field.name: _masked(typed[field.name], mask.read(first, end)) for field, mask in masks.items()}
            yield FileTable(np.arange(first + 1, end + 1, dtype=np.int64), typed)


def _tables(group: h5py.Group) -> Iterator[_Table]:
    """The tables of a group and of the groups in it; links that leave the file are not followed."""
    own = _Table()
    if named := _OF_ONE_SOURCE.fullmatch((group.name or "").rpartition("/")[2]):
        own.constants["source_id"] = named[1]
    deeper: list[_Table] = []
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            deeper += _tables(item)
        elif isinstance(item, h5py.Dataset) and len(item.shape or ()) >= 1:
            if item.dtype.names:
                parts = {part: item.dtype[part] for part in item.dtype.names}
                deeper.append(_Table({part: _Column(item, part, kind.base, (*item.shape, *kind.shape)) for part, kind in parts.items()}))
            else:
                own.columns[name] = _Column(item, None, item.dtype, item.shape)
    if own.columns:
        yield own
    yield from deeper


def _shown(name: str) -> str:
    return name.strip().lower().replace("\0", "\ufffd")  # PostgreSQL holds no character with code 0


def _unit(column: _Column) -> str | None:
    """The unit that a dataset's attributes state."""
    for name in ("unit", "units", "UNIT", "UNITS"):
        stated = column.dataset.attrs.get(name) if column.part is None else None
        if isinstance(stated, bytes):
            stated = stated.decode(errors="replace")
        if isinstance(stated, str) and stated.strip():
            return stated.strip()
    return None


def _typed(values: np.ndarray, column: _Column, field: Field) -> TypedColumn:
    """One column of a block of rows."""
    rows = len(values)
    nothing = np.zeros(rows, bool)
    if h5py.check_vlen_dtype(column.dtype) is not None and h5py.check_string_dtype(column.dtype) is None:
        if not field.is_array:
            raise DataError(f"column {field.name} holds lists where one value a row is expected")
        lengths = np.array([np.size(row) for row in values], np.int64)
        flat = np.concatenate([np.empty(0), *values])
        return from_lists(np.where(_missing(flat), np.nan, flat), lengths, nothing)
    if values.dtype.kind in "SO" and values.ndim == 1:
        return from_numbers(values, nothing, field)  # also of lists written as text
    if field.is_array:
        if values.dtype.kind not in "iufb" or values.ndim > 2:
            raise DataError(f"column {field.name} is {column.dtype}{list(column.shape[1:])} where a list of numbers is expected")
        matrix = values.reshape(rows, -1)
        return from_lists(np.where(_missing(matrix), np.nan, matrix).ravel(), np.full(rows, matrix.shape[1]), nothing)
    if values.size != rows or values.dtype.kind not in "iufb":
        raise DataError(f"column {field.name} is {column.dtype}{list(column.shape[1:])} where one value a row is expected")
    numbers = values.reshape(rows)
    missing = _missing(numbers)
    return from_numbers(np.where(missing, 0, numbers).astype(numbers.dtype.newbyteorder("=")), missing, field)


def _masked(column: TypedColumn, mask: np.ndarray) -> TypedColumn:
    """The column, null where the mask is true; what stands there is nobody's fault."""
    return replace(column, null=column.null | mask, unparsable={row: seen for row, seen in column.unparsable.items() if not mask[row]})


def _missing(values: np.ndarray) -> Bool[np.ndarray, "..."]:
    """Where numbers are the smallest or the largest one of their type; 0 is a number, also of a type without negative ones."""
    if values.dtype.kind == "f":
        limits: Any = np.finfo(values.dtype)
    elif values.dtype.kind in "iu":
        limits = np.iinfo(values.dtype)
    else:
        return np.zeros(values.shape, bool)
    return np.asarray((values == limits.max) | ((values == limits.min) & (values < 0)))
