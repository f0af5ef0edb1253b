"""Sampled spectra: what RVS and sampled XP spectra share, in the two forms in which files have them.

A bulk file and the archive's RAW structure hold a spectrum a row, its fluxes as lists on the table's own wavelengths. The archive's INDIVIDUAL
and COMBINED structures hold a line for each wavelength, with the scalars repeated. Such lines are gathered here: **a row of the ledger is then
a spectrum**, its row number that of its first line. A line whose fields cannot be told apart belongs to nobody: it counts as a row of its own,
rejected, and its pixel is missing. Lines of one spectrum follow one another; it ends where the source changes, or where its first wavelength
comes again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64
from psycopg import sql

from catalog.schema.column import ColumnType, StoreTable
from ingest.described_product import Made, Rules
from ingest.file_table import Field, FileTable, Ragged, TypedColumn
from ingest.product import FileContext, Gathering, Product
from ingest.row_checks import RowChecks

ARRAYS = ("flux", "flux_error")
WAVELENGTH = Field("wavelength", ColumnType.DOUBLE, is_array=True, unit="nm")
POSITION = (Field("ra", ColumnType.DOUBLE, unit="deg"), Field("dec", ColumnType.DOUBLE, unit="deg"))
"""In the files, and not stored: those of gaia_source are."""
_SOURCE = Field("source_id", ColumnType.BIGINT)
_FAULT = Field(WAVELENGTH.name, ColumnType.TEXT)
_TOLERANCE = 0.02
"""Of a step: more than a float32 wavelength rounds (0.003 of RVS's 0.01 nm)."""


@dataclass(frozen=True)
class Grid:
    """Wavelengths of a table, nm: ``first``, ``first + step``, ... of ``length`` pixels."""

    first: float
    step: float
    length: int

    def pixels(self, wavelength: Float64[np.ndarray, " n"]) -> tuple[Int64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
        """The pixel of each wavelength, and whether it is one of the grid."""
        with np.errstate(invalid="ignore"):
            steps = (wavelength - self.first) / self.step
            near = np.rint(steps)
            on = (np.abs(steps - near) <= _TOLERANCE) & (near >= 0) & (near < self.length)
        return np.where(on, near, 0).astype(np.int64), np.asarray(on)

    def __str__(self) -> str:
        return f"{self.first:g} to {self.first + self.step * (self.length - 1):g} nm by {self.step:g}"


def on_grid(product: Product, grid: Grid) -> Product:
    """The product with its lines gathered, whose fullest row is the spectrum with most good pixels."""
    return replace(
        product,
        gathering=Gathering(WAVELENGTH.name, "a spectrum, gathered from a line for each wavelength", lambda blocks: gathered(blocks, grid)),
        completeness=lambda alias: sql.SQL("({} - {})").format(sql.Literal(grid.length), sql.Identifier(alias, "n_bad")),
        completeness_unit=f"of {grid.length} pixels are good",
    )


def rules_of(table: StoreTable) -> Rules:
    """``n_bad`` made, and the rules of a sampled spectrum: lines on the grid; a flux; no infinite flux; errors positive and finite."""
    length = table["flux"].length
    assert length is not None

    def make(block: FileTable, file: FileContext) -> Made:
        flux, error = (block.ragged(name).matrix(length) for name in ARRAYS)
        return {"n_bad": ((np.isnan(flux) | np.isnan(error)).sum(axis=1).astype(np.int16), np.zeros(len(block), bool))}

    def check(checks: RowChecks, block: FileTable, file: FileContext) -> None:
        if WAVELENGTH.name in block:
            fault = block.values(_FAULT)
            checks.reject(~block.null(WAVELENGTH.name), "lines_off_the_grid", lambda row: fault[row])
        flux, error = (block.ragged(name).matrix(length) for name in ARRAYS)
        checks.reject(np.asarray(np.isnan(flux).all(axis=1)), "no_flux", lambda row: f"none of the {length} fluxes is a number")
        _reject_pixels(checks, np.isinf(_single(flux)), "flux_not_finite", flux, "flux")
        _reject_pixels(checks, np.isinf(_single(error)) | (error <= 0), "flux_error_not_positive", error, "flux_error")

    return Rules(make, check)


def _single(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _reject_pixels(checks: RowChecks, bad: np.ndarray, reason: str, values: np.ndarray, name: str) -> None:
    def detail(row: int) -> str:
        at = int(np.argmax(bad[row]))
        return f"{name}[{at}] is {values[row, at]}"

    checks.reject(np.asarray(bad.any(axis=1)), reason, detail)


def gathered(blocks: Iterator[FileTable], grid: Grid) -> Iterator[FileTable]:
    """Blocks of spectra; a block that has no wavelengths passes as it is.

    The column ``wavelength`` of what comes out is text: what is wrong with the lines of a spectrum, null where nothing is.
    """
    held: FileTable | None = None
    for block in blocks:
        if block.malformed:
            yield FileTable(np.empty(0, np.int64), {}, block.malformed)
        if not len(block):
            continue
        if WAVELENGTH.name not in block:
            yield replace(block, malformed={})
            continue
        lines = block if held is None else _joined(held, block)
        starts = _starts(lines)
        last = int(starts[-1])
        if last:
            yield _spectra(rows_between(lines, 0, last), starts[:-1], grid)
        held = rows_between(lines, last, len(lines))
    if held is not None:
        yield _spectra(held, np.zeros(1, np.int64), grid)


def _starts(lines: FileTable) -> Int64[np.ndarray, " spectra"]:
    """The first line of each spectrum. A row with a list of wavelengths is a spectrum by itself."""
    source = np.where(lines.null("source_id"), 0, lines.values(_SOURCE))
    lengths = lines.ragged(WAVELENGTH.name).lengths
    new = np.ones(len(lines), bool)
    new[1:] = (source[1:] != source[:-1]) | (lengths[1:] > 1) | (lengths[:-1] > 1)
    wavelength = lines.ragged(WAVELENGTH.name).matrix(1)[:, 0]
    runs = np.flatnonzero(new)
    first = np.repeat(wavelength[runs], np.diff([*runs, len(lines)]))
    return np.flatnonzero(new | (wavelength == first))


def _spectra(lines: FileTable, starts: Int64[np.ndarray, " spectra"], grid: Grid) -> FileTable:
    """Each spectrum's lines in one row, its fluxes on the grid."""
    spectrum_of_line = np.repeat(np.arange(len(starts)), np.diff([*starts, len(lines)]))
    wavelengths = lines.ragged(WAVELENGTH.name)
    lengths = np.maximum(wavelengths.lengths, 1)  # a line whose wavelength is null is a fault of its spectrum
    spectrum = np.repeat(spectrum_of_line, lengths)
    wavelength = _aligned(wavelengths, lengths)
    pixel, on = grid.pixels(wavelength)
    place = spectrum * grid.length + pixel
    faults: dict[int, str] = {}
    for at in np.flatnonzero(~on).tolist():
        faults.setdefault(int(spectrum[at]), f"wavelength {wavelength[at]:.6g} is none of {grid}")
    again = np.ones(len(place), bool)
    again[np.unique(place, return_index=True)[1]] = False
    for at in np.flatnonzero(again & on).tolist():
        faults.setdefault(int(spectrum[at]), f"wavelength {wavelength[at]:.6g} comes twice")
    columns: dict[str, TypedColumn] = {}
    for name, column in lines.columns.items():
        unparsable = {
            int(spectrum_of_line[row]): f"line {lines.row_number[row]}: {seen}"
            for row, seen in sorted(column.unparsable.items(), reverse=True)
        }
        if not isinstance(column.values, Ragged):
            differs = (column.values != column.values[starts][spectrum_of_line]) & ~column.null | (
                column.null != column.null[starts][spectrum_of_line]
            )
            for row in np.flatnonzero(differs).tolist():
                faults.setdefault(int(spectrum_of_line[row]), f"line {lines.row_number[row]} has another {name} than the first")
            columns[name] = TypedColumn(column.values[starts], column.null[starts], unparsable)
        elif name != WAVELENGTH.name:
            for row in np.flatnonzero(~column.null & (column.values.lengths != lengths)).tolist():
                faults.setdefault(int(spectrum_of_line[row]), f"{column.values.lengths[row]} of {name} for {lengths[row]} wavelengths")
            values = np.full((len(starts), grid.length), np.nan)
            values.ravel()[place[on]] = _aligned(column.values, lengths)[on]
            made = Ragged.of_lengths(values.ravel(), np.full(len(starts), grid.length))
            columns[name] = TypedColumn(made, made.all_nan(), unparsable)
        else:
            columns[name] = TypedColumn(np.empty(0), np.empty(0, bool), unparsable)
    told = np.array([faults.get(row, "") for row in range(len(starts))], object)
    columns[WAVELENGTH.name] = replace(columns[WAVELENGTH.name], values=told, null=told == "")
    return FileTable(lines.row_number[starts], columns)


def _aligned(lists: Ragged, lengths: Int64[np.ndarray, " rows"]) -> Float64[np.ndarray, " pixels"]:
    """The lists end to end with ``lengths`` numbers a row; NaN in a row of any other length."""
    fits = lists.lengths == lengths
    out = np.full(int(lengths.sum()), np.nan)
    out[np.repeat(fits, lengths)] = lists.values[np.repeat(fits, lists.lengths)]
    return out


def rows_between(table: FileTable, first: int, end: int) -> FileTable:
    """Rows ``first`` to ``end``."""

    def part(column: TypedColumn) -> TypedColumn:
        values = column.values
        if isinstance(values, Ragged):
            offsets = values.offsets[first : end + 1]
            cut: np.ndarray | Ragged = Ragged(values.values[offsets[0] : offsets[-1]], offsets - offsets[0])
        else:
            cut = values[first:end]
        return TypedColumn(
            cut, column.null[first:end], {row - first: seen for row, seen in column.unparsable.items() if first <= row < end}
        )

    return FileTable(table.row_number[first:end], {name: part(column) for name, column in table.columns.items()})


def _joined(first: FileTable, second: FileTable) -> FileTable:
    """The rows of one block after those of another with the same columns."""

    def joined(a: TypedColumn, b: TypedColumn) -> TypedColumn:
        values: np.ndarray | Ragged
        if isinstance(a.values, Ragged):
            assert isinstance(b.values, Ragged)
            values = Ragged.of_lengths(
                np.concatenate([a.values.values, b.values.values]), np.concatenate([a.values.lengths, b.values.lengths])
            )
        else:
            assert isinstance(b.values, np.ndarray)
            values = np.concatenate([a.values, b.values])
        behind = {row + len(first): seen for row, seen in b.unparsable.items()}
        return TypedColumn(values, np.concatenate([a.null, b.null]), {**a.unparsable, **behind})

    columns = {name: joined(column, second.columns[name]) for name, column in first.columns.items() if name in second.columns}
    return FileTable(np.concatenate([first.row_number, second.row_number]), columns)
