"""LAMOST's catalogue as text and as FITS: nulls, several spectra of a star, Gaia DR2 identifiers, columns of later releases; Hot Payne beside it."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from catalog.database import Database, Role
from catalog.errors import DataError
from ingest.load import add_paths
from ingest.product import CheckedRows, Product
from ingest.products.hot_payne import HOT_PAYNE_ROWS
from ingest.products.lamost import LAMOST_ROWS
from ingest.registry import product_of
from ingest.sky.surveys.lamost import draw_lamost, write_lamost

Check = Callable[[Path, Product], CheckedRows]
SPECTRUM: dict[str, Any] = {
    "obsid": 101001, "obsdate": "2011-10-24", "lmjd": 55859, "mjd": 55858, "planid": "F5902", "spid": 1, "fiberid": 1, "snru": 1.54, "snrg": 6.4,
    "snrr": 14.9, "snri": 23.3, "snrz": 17.5, "class": "STAR", "subclass": "G5", "z": 2.3e-05, "z_err": 9.1e-06, "gaia_source_id": 2738408459151232,
    "teff": 5523.1, "teff_err": 120.5, "logg": 4.51, "logg_err": 0.2, "feh": -0.32, "feh_err": 0.12, "rv": 6.9, "rv_err": 8.1, "ra": 332.202, "dec": -2.057,
}  # fmt: skip


def text(path: Path, rows: list[dict[str, Any]]) -> Path:
    lines = [",".join(rows[0]), *(",".join(str(cell) for cell in row.values()) for row in rows)]
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode(), mtime=0))
    return path


VALUES: dict[str, tuple[dict[str, Any], str, Any]] = {
    "the key is obsid": ({}, "survey_id", "101001"),
    "obsid stays a number": ({}, "obsid", 101001),
    "-9999 of a label": ({"teff": -9999}, "teff", None),
    "-9999.0 of an error": ({"feh_err": "-9999.0"}, "feh_err", None),
    "-999 of a velocity": ({"rv": -999}, "rv", None),
    "an empty label": ({"logg": ""}, "logg", None),
    "-9999 of an identifier": ({"gaia_source_id": -9999}, "gaia_source_id", None),
    "a Gaia DR2 identifier": ({"gaia_source_id": 6917528997577384320}, "gaia_source_id", 6917528997577384320),
    "[alpha/M] of a later release": ({"alpha_m": 0.125}, "alpha_m", 0.125),
    "[alpha/M] where there is no column": ({}, "alpha_m", None),
    "the fibre's mask": ({"fibermask": 128}, "fibermask", 128),
    "a text like a number": ({"uid": "G14103245614291"}, "uid", "G14103245614291"),
    "the release of the file's name": ({}, "survey_release", "dr8"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_kept(name: str, tmp_path: Path, checked: Check) -> None:
    change, column, expected = VALUES[name]
    rows = checked(text(tmp_path / "dr8_v2.0_LRS_stellar.csv.gz", [SPECTRUM | change]), LAMOST_ROWS)
    assert len(rows.rows) == 1, rows.rejects.detail
    found = None if rows.rows.null(column)[0] else rows.rows[column][0]
    assert found == expected


@pytest.mark.parametrize("column", ["ra", "dec", "teff", "teff_err", "logg", "feh", "feh_err"])
def test_a_file_without_a_required_column_is_refused_by_its_name(column: str, tmp_path: Path, checked: Check) -> None:
    row = {key: cell for key, cell in SPECTRUM.items() if key != column}
    with pytest.raises(DataError, match=f"lamost but has no column {column};"):
        checked(text(tmp_path / "a.csv.gz", [row]), LAMOST_ROWS)


def test_spectra_of_one_star_are_rows_and_one_obsid_is_one(tmp_path: Path, database: Database) -> None:
    rows = [SPECTRUM, SPECTRUM | {"obsid": 101002}, SPECTRUM | {"obsid": ""}, SPECTRUM | {"rv": ""}, SPECTRUM | {"obsid": 7, "teff": "hot"}]
    path = text(tmp_path / "dr8_v2.0_LRS_stellar.csv.gz", rows)
    (file,) = add_paths(database, "gaia_dr3", [path], work=True).files
    assert (file.product, file.rows_in, file.rows_loaded, file.rows_rejected) == ("lamost", 5, 2, 3)
    with database.connect(Role.WORKER) as connection:
        rejects = connection.execute("SELECT row_number, reason, record FROM store.ingest_reject ORDER BY row_number").fetchall()
        held = connection.execute("SELECT survey_id, rv FROM surveys.lamost WHERE gaia_source_id = 2738408459151232 ORDER BY 1").fetchall()
    assert rejects == [(3, "missing_survey_id", None), (4, "duplicate_row", "101001"), (5, "unparsable", "7")]
    assert held == [("101001", 6.9), ("101002", 6.9)]


def test_text_and_fits_of_one_catalogue_are_the_same_rows(stars_of_surveys: Any, tmp_path: Path, checked: Check) -> None:
    draw = draw_lamost(stars_of_surveys, np.random.default_rng(7))
    as_text, as_fits = (checked(write_lamost(tmp_path, draw, as_fits=form), LAMOST_ROWS).rows for form in (False, True))
    for field in as_text.fields:
        assert np.array_equal(as_text.null(field.name), as_fits.null(field.name)), field.name
        there = ~as_text.null(field.name)
        assert np.array_equal(as_text[field.name][there], as_fits[field.name][there]), field.name


HEADERS = {
    "LAMOST": (list(SPECTRUM), "lamost"),
    "LAMOST upside down": (list(reversed(SPECTRUM)), "lamost"),
    "LAMOST's catalogue without labels": ([name for name in SPECTRUM if name not in ("teff", "logg", "feh")], "lamost"),
    "Hot Payne": (["specid", "teff", "e_teff", "logg", "e_logg", "[fe/h]", "e_[fe/h]"], "hot_payne"),
    "a list of plates": (["planid", "spid", "ra", "dec"], None),
}


@pytest.mark.parametrize("name", HEADERS)
def test_what_a_header_is(name: str) -> None:
    columns, product = HEADERS[name]
    found = product_of([dict.fromkeys(columns, "")])
    assert (found and found[0].name) == product


def hot_payne(path: Path, columns: dict[str, Any]) -> Path:
    made = [
        fits.Column(name, "36A" if isinstance(value, str) else "E", array=np.array([f"{value:<36}" if isinstance(value, str) else value]))
        for name, value in columns.items()
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made)]).writeto(path)
    return path


HOT: dict[str, Any] = {
    "SpecID": "20111024-F5902-01-001",
    "Teff": 9800.0,
    "e_Teff": 95.0,
    "logg": 3.9,
    "e_logg": 0.1,
    "[Fe/H]": -0.2,
    "e_[Fe/H]": 0.1,
}
HOT_VALUES: dict[str, tuple[dict[str, Any], str, Any]] = {
    "the key without its padding": ({}, "survey_id", "20111024-F5902-01-001"),
    "a name with brackets": ({}, "fe_h", -0.2),
    "the error of one": ({}, "e_fe_h", 0.1),
    "rotation, in another spelling": ({"V_sini": 210.0, "e_V_sini": 8.0}, "vsini", 210.0),
    "its error": ({"V_sini": 210.0, "e_V_sini": 8.0}, "e_vsini", 8.0),
    "silicon": ({"[Si/H]": 0.3}, "si_h", 0.3),
    "a label that the file lacks": ({}, "si_h", None),
    "NaN": ({"[Fe/H]": np.nan}, "fe_h", None),
}


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")  # written here: names with brackets
@pytest.mark.parametrize("name", HOT_VALUES)
def test_a_value_of_hot_payne_is_kept(name: str, tmp_path: Path, checked: Check) -> None:
    change, column, expected = HOT_VALUES[name]
    rows = checked(hot_payne(tmp_path / "hot_payne.fits", HOT | change), HOT_PAYNE_ROWS).rows
    found = None if rows.null(column)[0] else rows[column][0]
    assert found == (np.float32(expected) if isinstance(expected, float) else expected)


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
def test_hot_payne_without_iron_is_refused_by_its_name(tmp_path: Path, checked: Check) -> None:
    columns = {name: value for name, value in HOT.items() if name != "[Fe/H]"}
    with pytest.raises(DataError, match="hot_payne but has no column fe_h"):
        checked(hot_payne(tmp_path / "hot_payne.fits", columns), HOT_PAYNE_ROWS)
