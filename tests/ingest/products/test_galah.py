"""GALAH's catalogue: declared nulls, identifiers of two Gaia releases, flags, which release a file is of; columns of allspec and DR4 tolerated and told."""

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
from ingest.products.galah import GALAH_ROWS

Check = Callable[[Path, Product], CheckedRows]
SMALLEST = -(2**63)
STAR: dict[str, Any] = {
    "star_id": "04371482-5904539", "sobject_id": 131116000501004, "dr2_source_id": 4678205217394361600, "dr3_source_id": 4678205217394361600,
    "flag_sp": 0, "teff": 5722.6, "e_teff": 97.2, "logg": 4.32, "e_logg": 0.2, "fe_h": -0.24, "e_fe_h": 0.1, "flag_fe_h": 0, "C_fe": 0.1,
    "e_C_fe": 0.05, "nr_C_fe": 4, "flag_C_fe": 1, "Sc2_fe": 0.05, "ra_dr2": 69.3, "dec_dr2": -59.1, "red_flag": 0, "snr_c3_iraf": 47.0, "flag_guess": 0,
    "j_m": 11.2,
}  # fmt: skip


def catalogue(path: Path, rows: list[dict[str, Any]], *, units: dict[str, str] | None = None) -> Path:
    columns = []
    for name, first in rows[0].items():
        form = "16A" if isinstance(first, str) else "K" if isinstance(first, int) else "D"
        null = 999_999 if name == "sobject_id" else SMALLEST if form == "K" else None
        columns.append(fits.Column(name, form, array=np.array([row[name] for row in rows]), null=null, unit=(units or {}).get(name)))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    return path


VALUES: dict[str, tuple[dict[str, Any], str, Any]] = {
    "the key": ({}, "survey_id", "131116000501004"),
    "a declared null": ({"dr3_source_id": SMALLEST}, "dr3_source_id", None),
    "the DR2 identifier": ({}, "dr2_source_id", 4678205217394361600),
    "several bits of flag_sp": ({"flag_sp": 1 | 64 | 1024}, "flag_sp", 1089),
    "the null of a flag": ({"flag_C_fe": SMALLEST}, "flag_c_fe", None),
    "an element's flag": ({}, "flag_c_fe", 1),
    "a second line system": ({}, "sc2_fe", np.float32(0.05)),
    "a position of Gaia DR2": ({}, "ra", 69.3),
    "NaN": ({"teff": np.nan}, "teff", None),
    "the release of the file's name": ({}, "survey_release", "dr3"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_kept(name: str, tmp_path: Path, checked: Check) -> None:
    change, column, expected = VALUES[name]
    rows = checked(catalogue(tmp_path / "GALAH_DR3_main_allstar_v2.fits", [STAR | change]), GALAH_ROWS).rows
    assert (None if rows.null(column)[0] else rows[column][0]) == expected


DR4 = {"tmass_id": "04371482-5904539", "gaiadr3_source_id": 4678205217394361600, "snr_px_ccd3": 40.0, "ra": 69.3, "dec": -59.1}
FORMS: dict[str, tuple[str, dict[str, Any], set[str], dict[str, Any]]] = {
    "allstar under another name": ("mine.fits", {}, set(), {"survey_release": "dr3", "star_id": STAR["star_id"]}),
    "DR4, by its signal to noise": (
        "mine.fits", DR4, {"star_id", "dr2_source_id", "dr3_source_id", "snr_c3_iraf", "ra_dr2", "dec_dr2"},
        {"survey_release": "dr4", "star_id": STAR["star_id"], "dr3_source_id": 4678205217394361600, "ra": 69.3},
    ),
    "the first version, whose source_id is of DR2": (
        "GALAH_DR3_main_allstar_v1.fits", {"source_id": 4678205217394361601}, {"dr2_source_id", "dr3_source_id"},
        {"survey_release": "dr3", "dr2_source_id": 4678205217394361601, "dr3_source_id": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_form_of_the_catalogue_is_read(name: str, tmp_path: Path, checked: Check) -> None:
    file, more, lacks, expected = FORMS[name]
    row = {key: cell for key, cell in STAR.items() if key not in lacks} | more
    rows = checked(catalogue(tmp_path / file, [row]), GALAH_ROWS).rows
    assert {column: None if rows.null(column)[0] else rows[column][0] for column in expected} == expected


@pytest.mark.parametrize("column", ["teff", "logg", "fe_h"])
def test_a_file_without_a_required_column_is_refused_by_its_name(column: str, tmp_path: Path, checked: Check) -> None:
    row = {key: cell for key, cell in STAR.items() if key != column}
    with pytest.raises(DataError, match=f"galah but has no column {column};"):
        checked(catalogue(tmp_path / "a.fits", [row]), GALAH_ROWS)


def test_lines_of_allspec_are_told_and_a_star_without_a_number_rejected(tmp_path: Path, database: Database) -> None:
    rows = [STAR | {"ind_Li6708_fe": 1.1}, STAR | {"sobject_id": 999_999, "ind_Li6708_fe": 0.3}]
    path = catalogue(tmp_path / "GALAH_DR3_main_allspec_v2.fits", rows)
    (file,) = add_paths(database, "gaia_dr3", [path], work=True).files
    assert (file.product, file.rows_loaded, file.rows_rejected) == ("galah", 1, 1)
    with database.connect(Role.WORKER) as connection:
        (unknown,) = connection.execute("SELECT header -> 'unknown_columns' FROM store.ingest_file").fetchone() or (None,)
        (reason,) = connection.execute("SELECT reason FROM store.ingest_reject").fetchone() or (None,)
        position = connection.execute("SELECT position_key >> 35, flag_sp FROM surveys.galah").fetchone()
    assert (unknown, reason) == (["ind_li6708_fe"], "missing_survey_id")
    assert position is not None and 0 <= position[0] < 12 * 4**12
