"""FITS binary tables (FITS standard 4.0, section 7.3): fixed and variable-length columns, nulls by TNULL (a stored number, before scaling) and NaN.

Only the columns that are asked for are read: the rest of a row of 10 kB costs nothing but its place on disk. A file whose images are a spectrum of
APOGEE counts as a table of one row (ingest.formats.apogee_star).
"""

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import IO

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from catalog.errors import DataError
from ingest.file_table import Field, FileTable, TypedColumn, fields_named
from ingest.formats.apogee_star import apogee_star
from ingest.formats.values import from_lists, from_numbers

_BLOCK_ROWS = 1000
_BLOCK_BYTES = 16 << 20
"""Of the columns that are asked for: a block of spectra has fewer rows."""
_PLAIN = re.compile(r"\d*[ABIJKED]")
"""Formats whose stored values are the values, unless TSCAL or TZERO say otherwise."""
_NONE = (None, "")
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
            self._star = apogee_star(hdus)
            images: list[Mapping[str, str]] = [] if self._star is None else [self._star.types]
            self._hdus = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
            self.tables: list[Mapping[str, str]] = images + [
                {column.name.strip().lower(): _shown(column) for column in hdu.columns} for hdu in self._hdus
            ]
            self.units: list[Mapping[str, str]] = [{} for _ in images] + [
                {column.name.strip().lower(): column.unit for column in hdu.columns if column.unit} for hdu in self._hdus
            ]
            self.rows_stated: list[int | None] = [1 for _ in images] + [hdu.header["NAXIS2"] for hdu in self._hdus]
            self.constants: list[Mapping[str, str]] = [{} for _ in images] + [
                {key: str(value) for key, value in hdu.header.items()} for hdu in self._hdus
            ]

    def blocks(self, table: int, fields: tuple[Field, ...]) -> Iterator[FileTable]:
        """The rows of one binary table, typed; or the one of a star's images, which count as the first table."""
        if self._star is not None:
            if table == 0:
                yield self._star.block(fields)
                return
            table -= 1
        hdu = self._hdus[table]
        columns = {column.name.strip().lower(): column for column in hdu.columns}
        wanted = fields_named(hdu.columns.names, fields)
        rows = hdu.header["NAXIS2"]
        width = sum(hdu.columns.dtype[columns[name].name].itemsize for name in wanted.values())
        step = max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // max(1, width)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)  # about names with brackets
            stored = np.asarray(hdu.data)
        for first in range(0, rows, step):
            block = _Block(hdu, stored, slice(first, min(first + step, rows)))
            typed = {field.name: _typed(block, columns[name], field) for field, name in wanted.items()}
            yield FileTable(np.arange(first + 1, first + 1 + len(block), dtype=np.int64), typed)


class _Block:
    """Some rows of a table: its columns as they are stored, or, where the stored numbers are not the values, as astropy converts them."""

    def __init__(self, hdu: fits.BinTableHDU, stored: np.ndarray, rows: slice) -> None:
        self._hdu = hdu
        self._rows = rows
        self._stored = stored[rows]

    def __len__(self) -> int:
        return len(self._stored)

    @cached_property
    def _converted(self) -> fits.FITS_rec:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)  # about names with brackets
            return self._hdu.data[self._rows]  # copies what it knows of every column, a second per 20,000 rows of 240

    def stored(self, column: fits.Column) -> np.ndarray:
        """The column's numbers, logicals or bytes as the file has them."""
        return np.asarray(self._stored[column.name])

    def values(self, column: fits.Column) -> np.ndarray:
        """The column's values."""
        plain = _PLAIN.fullmatch(column.format) and column.dim is None and column.bscale in _NONE and column.bzero in _NONE
        return self.stored(column) if plain else self._converted[column.name]


def _shown(column: fits.Column) -> str:
    """The column's format; of texts that are lists, with their dimensions."""
    return f"{column.format}{column.dim}" if column.dim is not None and column.format.endswith("A") and "," in column.dim else column.format


def _typed(block: _Block, column: fits.Column, field: Field) -> TypedColumn:
    """One column of a block of rows."""
    rows = len(block)
    nothing = np.zeros(rows, bool)
    if column.format.strip("0123456789").startswith("L"):
        raw = block.stored(column).reshape(rows, -1)[:, 0]  # 'T', 'F' or 0 for null, which astropy reads as False
        return from_numbers(raw == ord("T"), raw == 0, field)
    values = block.values(column)
    declared = column.null if isinstance(column.null, int) else None
    if values.dtype.kind == "O":  # variable-length arrays
        if not field.is_array:
            raise DataError(f"column {field.name} holds lists ({column.format}) where one value a row is expected")
        if column.bscale not in (*_NONE, 1):  # astropy rounds them to the stored type
            raise DataError(
                f"column {field.name} holds lists of variable length ({column.format}) that are scaled; convert it to real numbers"
            )
        lengths = np.array([np.size(row) for row in values], np.int64)
        flat = np.concatenate([np.ravel(row) for row in values]) if lengths.sum() else np.empty(0)
        return from_lists(_without(flat, flat if column.bzero in _NONE else flat - column.bzero, declared), lengths, nothing)
    values = np.asarray(values)
    if field.is_array and values.dtype.kind not in "SU":
        matrix = values.reshape(rows, -1)
        stored = matrix if declared is None else block.stored(column).reshape(rows, -1)
        return from_lists(_without(matrix, stored, declared).ravel(), np.full(rows, matrix.shape[1]), nothing)
    if values.size != rows:
        raise DataError(f"column {field.name} holds arrays ({column.format}) where one value a row is expected")
    values = values.reshape(rows)
    if declared is not None:
        nothing = block.stored(column).reshape(rows) == declared
    if values.dtype.kind == "S":
        values = _before_nul(values)
    return from_numbers(values.astype(values.dtype.newbyteorder("=")), nothing, field)


def _without(values: np.ndarray, stored: np.ndarray, declared: int | None) -> np.ndarray:
    """The numbers of lists, NaN where the stored one is the declared null."""
    return values if declared is None else np.where(stored == declared, np.nan, values)


def _before_nul(texts: np.ndarray) -> np.ndarray:
    """Texts (n,) up to their first NUL, after which nothing is defined (FITS standard 4.0, section 7.3.3.1)."""
    if not texts.itemsize:
        return texts
    characters = np.array(texts).view(np.uint8).reshape(len(texts), -1)
    characters[np.logical_or.accumulate(characters == 0, axis=1)] = 0
    return characters.view(texts.dtype)[:, 0]
