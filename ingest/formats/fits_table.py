"""FITS binary tables (FITS standard 4.0, section 7.3): fixed and variable-length columns, nulls by TNULL and NaN."""

import os
import warnings
from collections.abc import Iterator, Mapping
from typing import IO

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from catalog.errors import DataError
from ingest.file_table import Field, FileTable, TypedColumn, fields_named
from ingest.formats.values import from_lists, from_numbers

_BLOCK_ROWS = 1000
_RECORD = 2880
"""Bytes of a FITS record: every HDU ends with one (FITS standard 4.0, section 3.1)."""


class FitsReader:
    """One FITS content; the headers have been read, and its length checked, when it is made."""

    format = "fits"

    def __init__(self, stream: IO[bytes]) -> None:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)  # about the style of headers; the length is checked here
            hdus = fits.open(stream, memmap=True, lazy_load_hdus=False)
            for number, hdu in enumerate(hdus):
                end = hdu.fileinfo()["datLoc"] + hdu.size
                if end > size:
                    raise DataError(f"HDU {number} should reach to byte {end}, the file ends at {size}: it is truncated; fetch it again")
            stream.seek(end := -(-end // _RECORD) * _RECORD)
            if stream.read(_RECORD).strip(b"\0 "):  # what astropy leaves unread without a word
                raise DataError(
                    f"no whole HDU follows byte {end}, but the file goes on to {size}: it is damaged or truncated; fetch it again"
                )
            self._tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
            self.tables: list[Mapping[str, str]] = [
                {column.name.strip().lower(): column.format for column in hdu.columns} for hdu in self._tables
            ]
            self.units: list[Mapping[str, str]] = [
                {column.name.strip().lower(): column.unit for column in hdu.columns if column.unit} for hdu in self._tables
            ]
            self.rows_stated: list[int | None] = [hdu.header["NAXIS2"] for hdu in self._tables]

    def blocks(self, table: int, fields: tuple[Field, ...]) -> Iterator[FileTable]:
        """The rows of one binary table, typed."""
        hdu = self._tables[table]
        columns = {column.name.strip().lower(): column for column in hdu.columns}
        wanted = fields_named(hdu.columns.names, fields)
        rows = hdu.header["NAXIS2"]
        for first in range(0, rows, _BLOCK_ROWS):
            block = hdu.data[first : first + _BLOCK_ROWS]
            typed = {field.name: _typed(block, columns[name], field) for field, name in wanted.items()}
            yield FileTable(np.arange(first + 1, first + 1 + len(block), dtype=np.int64), typed)


def _typed(block: fits.FITS_rec, column: fits.Column, field: Field) -> TypedColumn:
    """One column of a block of rows."""
    rows = len(block)
    nothing = np.zeros(rows, bool)
    if column.format.strip("0123456789").startswith("L"):
        raw = np.asarray(block)[column.name].reshape(rows, -1)[:, 0]  # 'T', 'F' or 0 for null, which astropy reads as False
        return from_numbers(raw == ord("T"), raw == 0, field)
    values = block[column.name]
    if values.dtype.kind == "O":  # variable-length arrays
        if not field.is_array:
            raise DataError(f"column {field.name} holds lists ({column.format}) where one value a row is expected")
        lengths = np.array([np.size(row) for row in values], np.int64)
        flat = np.concatenate([np.ravel(row) for row in values]) if lengths.sum() else np.empty(0)
        return from_lists(flat, lengths, nothing)
    values = np.asarray(values)
    if field.is_array and values.dtype.kind not in "SU":
        matrix = values.reshape(rows, -1)
        return from_lists(matrix.ravel(), np.full(rows, matrix.shape[1]), nothing)
    if values.ndim > 1:
        raise DataError(f"column {field.name} holds arrays ({column.format}) where one value a row is expected")
    if isinstance(column.null, int):
        nothing = values == column.null
    return from_numbers(values.astype(values.dtype.newbyteorder("=")), nothing, field)
