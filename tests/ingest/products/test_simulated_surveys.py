"""Every survey file of a simulated sky, loaded, against another reading of the same bytes: each row, each column, each bit."""

import csv
import gzip
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning
from psycopg import sql
from psycopg.rows import dict_row

from catalog.database import Database, Role
from catalog.releases import add_release
from catalog.schema import STORE_TABLES
from catalog.schema.column import ColumnType
from ingest.load import add_paths

Native = dict[str, list[Any]]
STORE = {table.name: table for table in STORE_TABLES}
OURS = {"release_id", "survey_id", "survey_release", "position_key", "file_id", "row_number"}


def fits_columns(path: Path) -> Native:
    """The first table's scalar columns by lower-case name, texts without padding, declared nulls as None."""
    with fits.open(path) as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore", VerifyWarning)  # names with brackets
        data, described = hdus[1].data, hdus[1].columns
        native: Native = {}
        for column in described:
            values = np.asarray(data[column.name])
            if values.ndim > 1:
                continue
            cells = values.tolist()
            native[column.name.lower()] = [
                None if column.null is not None and cell == column.null else cell.strip() if isinstance(cell, str) else cell
                for cell in cells
            ]
        return native


def csv_columns(path: Path) -> Native:
    """The columns of a gzipped CSV, numbers as numbers."""
    with gzip.open(path, "rt", newline="") as lines:
        rows = list(csv.DictReader(lines))

    def number(cell: str) -> Any:
        try:
            return int(cell)
        except ValueError:
            try:
                return float(cell)
            except ValueError:
                return cell

    return {name: [number(row[name]) for row in rows] for name in rows[0]}


def stored(value: Any, kind: ColumnType, nulls: tuple[float, ...]) -> Any:
    """What a column of this type should hold of a native value."""
    if value is None or value == "" or value in nulls or (isinstance(value, float) and np.isnan(value)):
        return None
    if kind is ColumnType.REAL:
        return float(str(np.float32(value)))  # PostgreSQL gives the shortest digits
    return str(value) if kind is ColumnType.TEXT else value


SURVEYS: dict[str, tuple[str, Callable[[Path], Native], tuple[float, ...], dict[str, str], str | None]] = {
    "apogee": ("allStar-*.fits", fits_columns, (-9999.0, 99.0), {}, "dr17"),
    "lamost": ("*_LRS_stellar.csv.gz", csv_columns, (-9999,), {}, "dr8"),
    "hot_payne": (
        "hot_payne.fits.gz", fits_columns, (),
        {f"{error}{x}_h": f"{error}[{x}/h]" for x in ("fe", "c", "n") for error in ("", "e_")}, None,
    ),
    "galah": ("GALAH_*.fits", fits_columns, (), {"ra": "ra_dr2", "dec": "dec_dr2"}, "dr3"),
}  # fmt: skip


@pytest.mark.parametrize("name", SURVEYS)
def test_a_survey_is_stored_as_its_file_has_it(name: str, survey_sky: Path, database: Database) -> None:
    pattern, read, nulls, spelt, release = SURVEYS[name]
    (path,) = survey_sky.glob(pattern)
    native = read(path)
    rows = len(next(iter(native.values())))
    assert rows > 5
    add_release(database, "sim_dr3")
    (file,) = add_paths(database, "sim_dr3", [path], work=True).files
    assert (file.product, file.state, file.rows_in, file.rows_loaded, file.rows_rejected) == (name, "loaded", rows, rows, 0)
    with database.connect(Role.WORKER) as connection, connection.cursor(row_factory=dict_row) as cursor:
        held = cursor.execute(sql.SQL("SELECT * FROM store.{} ORDER BY row_number").format(sql.Identifier(name))).fetchall()
    assert [row["row_number"] for row in held] == list(range(1, rows + 1))
    assert {row["survey_release"] for row in held} == {release}
    compared = 0
    for column in STORE[name].columns:
        if column.name in OURS or column.name.startswith("paramflag_"):
            continue
        given = native.get(spelt.get(column.name, column.name))
        none = (0,) if column.name == "gaiaedr3_source_id" else ()
        wanted = [None] * rows if given is None else [stored(value, column.type, (*nulls, *none)) for value in given]
        assert [row[column.name] for row in held] == wanted, column.name
        compared += given is not None
    assert compared >= min(len(native), 12)


def test_the_words_of_paramflag_stand_in_columns(survey_sky: Path, database: Database) -> None:
    (path,) = survey_sky.glob("allStar-*.fits")
    words = np.asarray(fits.getdata(path, 1)["PARAMFLAG"], np.int64)
    add_release(database, "sim_dr3")
    add_paths(database, "sim_dr3", [path], work=True)
    with database.connect(Role.WORKER) as connection:
        held = connection.execute(
            "SELECT paramflag_teff, paramflag_logg, paramflag_log10vdop, paramflag_metals, paramflag_c, paramflag_n, paramflag_alpha, "
            "paramflag_lgvsini, paramflag_o FROM store.apogee ORDER BY row_number"
        ).fetchall()
    assert np.array_equal(np.array(held), words)


def test_spectra_keep_every_pixel_and_a_star_its_best(survey_sky: Path, database: Database) -> None:
    (path,) = survey_sky.glob("apogee_spectra_*.fits")
    native = fits.getdata(path, 1)
    names = [name.strip() for name in native["APOGEE_ID"]]
    best = {name: max((i for i, other in enumerate(names) if other == name), key=lambda i: native["SNR"][i]) for name in names}
    assert len(best) < len(names)  # some stars were observed twice
    add_release(database, "sim_dr3")
    (file,) = add_paths(database, "sim_dr3", [path], work=True).files
    assert (file.rows_in, file.rows_loaded, file.rows_rejected) == (len(names), len(best), len(names) - len(best))
    with database.connect(Role.WORKER) as connection:
        rows = connection.execute("SELECT survey_id, snr, flux_kind, flux, flux_error, mask FROM store.apogee_spectrum").fetchall()
        reasons = connection.execute("SELECT DISTINCT reason, detail ~ 'of signal to noise$' FROM store.ingest_reject").fetchall()
        storage = connection.execute(
            "SELECT DISTINCT attstorage FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid "
            "WHERE relkind IN ('r', 'p') AND relname LIKE 'apogee_spectrum%' AND attname IN ('flux', 'flux_error')"
        ).fetchall()
    assert reasons == [("duplicate_row", True)]
    assert storage == [("e",)]  # float32 noise does not compress
    assert {row[0] for row in rows} == set(best)
    for name, snr, kind, flux, error, mask in rows:
        row = native[best[name]]
        assert (snr, kind) == (row["SNR"], "normalised")
        for packed, values, dtype in ((flux, row["FLUX"], ">f4"), (error, row["ERROR"], ">f4"), (mask, row["MASK"], ">u4")):
            assert np.array_equal(np.frombuffer(packed, dtype), np.asarray(values, dtype))


def test_simulated_surveys_stay_out_of_a_real_release(survey_sky: Path, database: Database) -> None:
    (path,) = survey_sky.glob("GALAH_*.fits")
    (file,) = add_paths(database, "gaia_dr3", [path], work=True).files
    assert file.state == "failed" and "simulated" in (file.reason or "")
