"""Tables of surveys and their files: FITS binary tables and delimited text, complete or absent, the same bytes for the same rows.

A missing value becomes the null of its column as the provider writes it: NaN, -9999, 99, an empty text, or a value that the FITS header
declares by TNULL (FITS standard 4.0, section 7.3.2), which delimited text spells as a word.
"""

import gzip
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import orjson
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning

from catalog.errors import DataError
from ingest.sky.surveys.inputs import Index, SurveyTruth

_COMPRESSION = 1
_TEXT_ROWS = 20_000
_FITS_LETTERS = {"i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D", "u1": "B", "b1": "L"}


@dataclass(frozen=True)
class SurveyColumn:
    """A column: its numpy type (``f4``, ``i8``, ``S16`` ...), unit as the provider spells it, value of a missing one, shape of a cell.

    ``declared`` says that the file marks the null value as such; without it the value stands there like any other.
    """

    name: str
    type: str
    unit: str | None = None
    null: int | float | None = None
    shape: tuple[int, ...] = ()
    declared: bool = False

    @property
    def missing(self) -> int | float | bytes:
        """What a missing value is stored as."""
        if self.null is not None:
            return self.null
        return b"" if self.type.startswith("S") else (np.nan if self.type.startswith("f") else 0)

    def fits(self, values: np.ndarray) -> fits.Column:
        """The column of a FITS binary table."""
        size = int(np.prod(self.shape, dtype=int))
        width = int(self.type[1:]) if self.type.startswith("S") else 1
        form = f"{width * size}A" if self.type.startswith("S") else f"{size if self.shape else ''}{_FITS_LETTERS[self.type]}"
        axes = (*((width,) if self.type.startswith("S") else ()), *self.shape[::-1])
        dim = f"({','.join(map(str, axes))})" if len(axes) > 1 else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VerifyWarning)  # names with brackets are the providers'
            return fits.Column(self.name, form, unit=self.unit, null=self.null if self.declared else None, dim=dim, array=values)


@dataclass(frozen=True, eq=False)
class SurveyTable:
    """Rows of a survey: a structured array with a field for each column, nulls filled in."""

    columns: tuple[SurveyColumn, ...]
    rows: np.ndarray[Any, np.dtype[Any]]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray[Any, np.dtype[Any]]:
        return cast("np.ndarray[Any, np.dtype[Any]]", self.rows[name])

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    def take(self, index: Index) -> "SurveyTable":
        """The rows of an index or a mask."""
        return SurveyTable(self.columns, self.rows[index])


@dataclass(frozen=True, eq=False)
class SurveyDraw:
    """A survey of the simulated sky: its rows, and what is true of each of them."""

    table: SurveyTable
    truth: SurveyTruth

    def __len__(self) -> int:
        return len(self.table)

    def take(self, index: Index) -> "SurveyDraw":
        """The rows of an index or a mask, in that order."""
        return SurveyDraw(self.table.take(index), self.truth.take(index))


def table_of(columns: tuple[SurveyColumn, ...], n: int, values: Mapping[str, np.ndarray | Any]) -> SurveyTable:
    """A table of n rows. NaN and masked values, and whole columns that ``values`` lacks, become the columns' nulls."""
    unknown = set(values) - {column.name for column in columns}
    if unknown:
        raise DataError(f"The survey's table has no columns {sorted(unknown)}.")
    rows = np.zeros(n, np.dtype([(column.name, column.type, column.shape) for column in columns]))
    for column in columns:
        rows[column.name] = _filled(column, values[column.name]) if column.name in values else column.missing
    return SurveyTable(columns, rows)


def _filled(column: SurveyColumn, values: np.ndarray | Any) -> np.ndarray:
    gone = np.ma.getmaskarray(values)
    data = np.asarray(np.ma.getdata(values))
    if data.dtype.kind == "f":
        gone = gone | np.isnan(data)
    if data.dtype.kind == "U":
        data = np.char.encode(data, "ascii")
    if data.dtype.kind == "S" and (longest := int(np.strings.str_len(data).max(initial=0))) > int(column.type[1:]):
        raise DataError(f"A text of {longest} characters does not fit into the column {column.name} of {column.type[1:]}.")
    return np.where(gone, column.missing, data) if gone.any() else data


@contextmanager
def complete_or_absent(path: Path) -> Iterator[BinaryIO]:
    """A file to write into that gets its name when all is written; gzipped, without a time, where the name ends so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", compresslevel=_COMPRESSION, fileobj=raw, mtime=0) as file:
                yield cast(BinaryIO, file)
        else:
            yield raw
    part.rename(path)


def table_hdu(table: SurveyTable) -> fits.BinTableHDU:
    """The table as a FITS binary table without a name or a date."""
    columns = [column.fits(table[column.name]) for column in table.columns]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VerifyWarning)
        return fits.BinTableHDU.from_columns(columns)


def write_fits(path: Path, *hdus: Any) -> None:
    """Write an empty primary HDU and the given ones."""
    with complete_or_absent(path) as file:
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(file)


def write_delimited(path: Path, table: SurveyTable, *, delimiter: str = ",", null: str = "", quoted: bool = False) -> None:
    """Write the names and the rows as text, floats with the shortest digits that give them back; no columns of arrays.

    ``null`` spells NaN and declared nulls; ``quoted`` puts every text in double quotes, as Gaia's archive does.
    """
    mark = delimiter.encode()
    with complete_or_absent(path) as file:
        file.write(mark.join(name.encode() for name in table.names) + b"\n")
        for first in range(0, len(table), _TEXT_ROWS):
            rows = table.rows[first : first + _TEXT_ROWS]
            cells = [_cells(column, rows[column.name], mark, null.encode(), quoted) for column in table.columns]
            file.write(b"".join(mark.join(row) + b"\n" for row in zip(*cells, strict=True)))


def _cells(column: SurveyColumn, values: np.ndarray, mark: bytes, null: bytes, quoted: bool) -> list[bytes]:
    if column.type.startswith("S"):
        return [_text(value, mark, null, quoted) for value in values.tolist()]
    data = np.ascontiguousarray(values)
    cells = orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    gone = data == column.null if column.declared else np.isnan(data) if column.type.startswith("f") else np.zeros(len(data), bool)
    for row in np.flatnonzero(gone).tolist():
        cells[row] = null
    return cells


def _text(value: bytes, mark: bytes, null: bytes, quoted: bool) -> bytes:
    """A text, its quotes doubled where it needs any (RFC 4180)."""
    if not value:
        return null
    needs = quoted or mark in value or b'"' in value
    return b'"' + value.replace(b'"', b'""') + b'"' if needs else value
