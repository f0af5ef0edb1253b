"""VOTable (IVOA VOTable 1.4): TABLEDATA, BINARY and BINARY2; several TABLE elements are several tables.

Columns are known by the name of their FIELD, in either case; the ID may differ. The document is held in memory as a whole.
"""

import warnings
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import numpy as np
from astropy.io import votable

from catalog.errors import DataError
from ingest.file_table import Field, FileTable, TypedColumn
from ingest.formats.values import from_lists, from_numbers

_BLOCK_ROWS = 1000


class VotableReader:
    """One VOTable content, parsed when it is made."""

    format = "votable"

    def __init__(self, stream: BinaryIO) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the archive's own files depart from the standard in units and versions
            document = votable.parse(stream, verify="ignore")
        self._tables = list(document.iter_tables())
        self.tables: list[Mapping[str, str]] = [
            {field.name.strip().lower(): field.datatype + (f"[{field.arraysize}]" if field.arraysize else "") for field in table.fields}
            for table in self._tables
        ]

    def blocks(self, table: int, fields: tuple[Field, ...]) -> Iterator[FileTable]:
        """The rows of one TABLE, typed."""
        columns = {field.name.strip().lower(): field for field in self._tables[table].fields}
        rows = self._tables[table].array
        wanted = [field for field in fields if field.name in columns]
        for first in range(0, len(rows), _BLOCK_ROWS):
            block = rows[first : first + _BLOCK_ROWS]
            typed = {field.name: _typed(block[columns[field.name].ID], field) for field in wanted}
            yield FileTable(np.arange(first + 1, first + 1 + len(block), dtype=np.int64), typed)


def _typed(cells: np.ma.MaskedArray, field: Field) -> TypedColumn:
    """One column of a block of rows; astropy gives variable-length arrays as objects."""
    rows = len(cells)
    mask = np.ma.getmaskarray(cells)
    if field.is_array:
        if cells.dtype.kind == "O":
            lists = [_numbers(cell) for cell in cells.data]
            lengths = np.array([len(row) for row in lists], np.int64)
            return from_lists(np.concatenate([np.empty(0), *lists]), lengths, mask.reshape(rows, -1).all(axis=1) & (lengths == 0))
        matrix = np.ma.filled(cells.astype(np.float64), np.nan).reshape(rows, -1)
        return from_lists(matrix.ravel(), np.full(rows, matrix.shape[1]), np.zeros(rows, bool))
    if cells.ndim > 1:
        raise DataError(f"column {field.name} holds arrays where one value a row is expected")
    return from_numbers(np.asarray(cells.data), mask, field)


def _numbers(cell: object) -> np.ndarray:
    """The numbers of one variable-length cell, its null elements as NaN."""
    return np.empty(0) if cell is None else np.ma.filled(np.ma.asarray(cell, np.float64), np.nan).ravel()
