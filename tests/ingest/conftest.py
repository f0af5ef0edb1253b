"""Files as the archives write them, small, made from rows that the tests choose; and what the catalogue holds after loading."""

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from astropy.table import MaskedColumn, Table
from psycopg import sql

from catalog.database import Database, Role
from catalog.schema import STORE_TABLES
from catalog.schema.column import StoreTable

N = 55
PAIRS = N * (N - 1) // 2
BANDS = ("bp", "rp")
ARRAYS = {"coefficients": N, "coefficient_errors": N, "coefficient_correlations": PAIRS}
LEVELS = {"coef": 1, "err": 2, "full": 3}
SMALL = ("basis_function_id", "degrees_of_freedom", "n_parameters", "n_measurements", "n_rejected_measurements", "n_relevant_bases")
REAL = ("standard_deviation", "chi_squared", "relative_shrinking")

Row = dict[str, Any]


class Archive:
    """Builders of rows and writers of files."""

    columns = (
        "source_id", "solution_id",
        *(f"{band}_{name}" for band in BANDS for name in (*SMALL[:5], *REAL[:2], *ARRAYS, SMALL[5], REAL[2])),
    )  # fmt: skip

    def spectrum(self, source_id: int, level: str = "full", bands: Iterable[str] = BANDS, seed: int = 0) -> Row:
        """A row of xp_continuous_mean_spectrum; what the level or the bands leave out is None. Numbers are float32 throughout."""
        random = np.random.default_rng([source_id, seed])
        row: Row = {"source_id": source_id, "solution_id": 4545469030156206080}
        for band in BANDS:
            there = band in bands
            basis = {"bp": 56, "rp": 57}[band]
            for name, value in zip(SMALL, (basis, 300, N, 355, 2, 40), strict=True):
                row[f"{band}_{name}"] = value if there else None
            for name in REAL:
                row[f"{band}_{name}"] = float(np.float32(random.uniform(0.5, 2))) if there else None
            numbers = (
                random.normal(0, 100, N).astype(np.float32),
                random.uniform(0.1, 2, N).astype(np.float32),
                random.uniform(-0.9, 0.9, PAIRS).astype(np.float32),
            )
            for place, (name, values) in enumerate(zip(ARRAYS, numbers, strict=True), 1):
                row[f"{band}_{name}"] = [float(value) for value in values] if there and place <= LEVELS[level] else None
        return row

    def source(self, source_id: int, ra: float = 45.0, dec: float = 0.5, **others: Any) -> Row:
        """A row of gaia_source with the columns that the test names."""
        return {"source_id": source_id, "ra": ra, "dec": dec, "ref_epoch": 2016.0, "phot_g_mean_mag": 15.5, "parallax": 1.25, **others}

    def text(
        self, rows: list[Row], *, brackets: str = "()", separator: str = ", ", null: str = "", columns: Iterable[str] | None = None
    ) -> str:
        """The rows as CSV: a header line, arrays in brackets."""
        names = list(columns) if columns is not None else list(rows[0])
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow([_cell(row.get(name), brackets, separator, null) for name in names])
        return out.getvalue()

    def csv(self, path: Path, rows: list[Row], **how: Any) -> Path:
        """A DataLink CSV file, compressed when the path ends in .gz."""
        content = self.text(rows, **how).encode()
        path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
        return path

    def ecsv(self, path: Path, rows: list[Row]) -> Path:
        """A bulk file: ECSV with the word null and arrays in square brackets."""
        lines = ["# %ECSV 1.0", "# ---", "# delimiter: ','", "# datatype:"]
        for name in rows[0]:
            lines += ["# -", f"#   name: {name}", f"#   datatype: {'int64' if name.endswith('_id') else 'string'}"]
        text = "\n".join(lines) + "\n" + self.text(rows, brackets="[]", separator=",", null="null")
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
        return path

    def fits(self, path: Path, rows: list[Row], *, variable: bool = True) -> Path:
        """A FITS binary table, its arrays of variable or of fixed length, int16 nulls by TNULL."""
        columns = []
        for name in rows[0]:
            cells = [row[name] for row in rows]
            if any(isinstance(cell, list) for cell in cells):
                width = max(len(cell or ()) for cell in cells)
                if variable:
                    lists = np.empty(len(cells), object)
                    lists[:] = [np.array(cell or [], np.float32) for cell in cells]
                    columns.append(fits.Column(name, f"PE({width})", array=lists))
                else:
                    fixed = np.array([cell or [np.nan] * width for cell in cells], np.float32)
                    columns.append(fits.Column(name, f"{width}E", array=fixed))
            elif name in ("source_id", "solution_id"):
                columns.append(fits.Column(name, "K", array=np.array(cells, np.int64)))
            elif all(cell is None for cell in cells) or any(isinstance(cell, float) for cell in cells):
                columns.append(fits.Column(name, "D", array=np.array([np.nan if cell is None else cell for cell in cells])))
            else:
                small = np.array([-32768 if cell is None else cell for cell in cells], np.int16)
                columns.append(fits.Column(name, "I", null=-32768, array=small))
        fits.BinTableHDU.from_columns(columns).writeto(path)
        return path

    def votable(self, path: Path, rows: list[Row], *, form: str = "binary2", tables: int = 1) -> Path:
        """A VOTable; with several tables the rows are dealt out over as many TABLE elements. FIELD IDs are upper case."""
        document = None
        for part in range(tables):
            here = rows[part::tables]
            table = Table([_votable_column(name, [row[name] for row in here]) for name in rows[0]])
            made = votable.from_table(table)
            if document is None:
                document = made
            else:
                document.resources[0].tables.append(made.resources[0].tables[0])
        for table in document.iter_tables():
            for field in table.fields:
                field.name, field.ID = field.name.lower(), field.name.upper()
            table.array.dtype.names = tuple(name.upper() for name in table.array.dtype.names)
        document.to_xml(str(path), tabledata_format=form)
        return path

    def parquet(self, path: Path, rows: list[Row], *, lists: bool = True) -> Path:
        """A Parquet file, its arrays as lists or as text."""
        names = list(rows[0])
        columns = {
            name: [cell if lists or not isinstance(cell, list) else _cell(cell, "()", ", ", "") for cell in (row[name] for row in rows)]
            for name in names
        }
        pq.write_table(pa.table(columns), path)
        return path

    def hdf5(self, path: Path, rows: list[Row], *, records: bool = False) -> Path:
        """An HDF5 mirror: a dataset a column, or one dataset of records; what is missing is the smallest or the largest number of its type."""
        columns = {name: _with_fill_values([row[name] for row in rows]) for name in rows[0]}
        with h5py.File(path, "w") as file:
            if records:
                kinds = [(name, column.dtype, column.shape[1:]) for name, column in columns.items()]
                table = np.empty(len(rows), kinds)
                for name, column in columns.items():
                    table[name] = column
                file.create_dataset("table", data=table)
            else:
                for name, column in columns.items():
                    file.create_dataset(name, data=column, chunks=True, compression="gzip")
        return path


def _with_fill_values(cells: list[Any]) -> np.ndarray:
    """A column as mirrors have it; text as bytes."""
    there = [cell for cell in cells if cell is not None]
    if any(isinstance(cell, list) for cell in there):
        width = max(map(len, there))
        return np.array([cell or [np.finfo(np.float32).min] * width for cell in cells], np.float32)
    if any(isinstance(cell, str) for cell in there):
        return np.array([(cell or "").encode() for cell in cells])
    if any(isinstance(cell, float) for cell in there):
        return np.array([np.finfo(np.float64).max if cell is None else cell for cell in cells], np.float64)
    large = any(abs(cell) > 30_000 for cell in there)
    kind = np.int64 if large else np.int16
    return np.array([np.iinfo(kind).min if cell is None else int(cell) for cell in cells], kind)


def _cell(value: Any, brackets: str, separator: str, null: str) -> str:
    if value is None:
        return null
    if isinstance(value, list):
        return brackets[0] + separator.join(element if isinstance(element, str) else repr(element) for element in value) + brackets[1]
    return str(value)


def _votable_column(name: str, cells: list[Any]) -> MaskedColumn:
    if any(isinstance(cell, list) for cell in cells):
        lists = np.empty(len(cells), object)
        lists[:] = [np.ma.array(cell or [], np.float32, mask=np.zeros(len(cell or []), bool)) for cell in cells]
        return MaskedColumn(lists, name=name)
    kind: type = (
        np.int64 if name.endswith("_id") and "basis" not in name else np.float32 if any(isinstance(c, float) for c in cells) else np.int16
    )
    return MaskedColumn([0 if cell is None else cell for cell in cells], dtype=kind, name=name, mask=[cell is None for cell in cells])


@pytest.fixture(scope="session")
def archive() -> Archive:
    """Builders of rows and writers of files."""
    return Archive()


_TABLES: Mapping[str, str] = {
    "files": "SELECT sha256, product, state, reason IS NULL AS fine, rows_in, rows_loaded, rows_rejected FROM store.ingest_file ORDER BY sha256",
    "spectra": """SELECT x.source_id, x.solution_id, x.layout, md5(x.head) AS head, md5(x.correlations) AS correlations, x.bp_n_parameters, x.rp_chi_squared, x.row_number,
        f.sha256 FROM store.xp_spectrum x JOIN store.ingest_file f USING (file_id) ORDER BY x.source_id""",
    "sources": """SELECT g.source_id, g.ra, g.dec, g.parallax, g.phot_g_mean_mag, g.teff_gspphot, g.row_number, f.sha256
        FROM store.gaia_source g JOIN store.ingest_file f USING (file_id) ORDER BY g.source_id""",
    "rejects": """SELECT f.sha256, j.row_number, j.source_id, j.reason, j.detail, w.sha256 AS winner FROM store.ingest_reject j
        JOIN store.ingest_file f ON f.file_id = j.file_id LEFT JOIN store.ingest_file w ON w.file_id = j.winner_file_id
        ORDER BY f.sha256, j.row_number, j.reason""",
    "offset": "SELECT largest_pixel_offset FROM store.release ORDER BY release_id",
    "displaced": "SELECT source_id, offset_deg FROM store.displaced_source ORDER BY source_id",
}


def _is_loaded(table: StoreTable) -> bool:
    """Whether files are loaded into the table, and it is none of those that are read in detail."""
    has_rows_of_files = {"file_id", "row_number"} <= {column.name for column in table.columns}
    return has_rows_of_files and table.name not in ("gaia_source", "xp_spectrum", "ingest_reject")


def _rows_of(table: StoreTable) -> sql.Composed:
    """Table, key, digest of the values, row in the file, file; in the order of the key."""
    key = sql.SQL(", ").join(sql.Identifier("t", name) for name in table.primary_key if name != "release_id")
    values = sql.SQL(", ").join(sql.Identifier("t", column.name) for column in table.without("file_id"))
    return sql.SQL(
        "SELECT {name}, concat_ws('/', {key}), md5(ROW({values})::text), t.row_number, f.sha256"
        " FROM {table} AS t JOIN store.ingest_file AS f USING (file_id) ORDER BY {key}"
    ).format(name=sql.Literal(table.name), key=key, values=values, table=sql.Identifier("store", table.name))


@pytest.fixture(scope="session")
def holdings() -> Callable[[Database], dict[str, list[tuple[Any, ...]]]]:
    """Everything that ingest leaves behind, files told by sha256 and not by number: equal holdings are equal catalogues."""

    def read(database: Database) -> dict[str, list[tuple[Any, ...]]]:
        with database.connect(Role.WORKER) as connection:
            found = {name: connection.execute(query).fetchall() for name, query in _TABLES.items()}
            found["others"] = [row for table in STORE_TABLES if _is_loaded(table) for row in connection.execute(_rows_of(table)).fetchall()]
            return found

    return read


@pytest.fixture(scope="session")
def emptied() -> Callable[[Database], None]:
    """Takes every file and row out again, for tests that load the same files many times."""

    def empty(database: Database) -> None:
        with database.connect(Role.OWNER) as connection:
            loaded = [sql.Identifier("store", table.name) for table in STORE_TABLES if _is_loaded(table)]
            connection.execute(
                sql.SQL(
                    "TRUNCATE store.gaia_source, store.xp_spectrum, store.ingest_reject, store.ingest_file, store.displaced_source, {}"
                ).format(sql.SQL(", ").join(loaded))
            )
            connection.execute("UPDATE store.release SET largest_pixel_offset = 0")

    return empty
