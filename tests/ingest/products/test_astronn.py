"""astroNN's catalogue as its code compiles it: keys of rows that never collide, nulls, distances in parsecs."""

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
from ingest.products.astronn import ASTRONN_ROWS

Check = Callable[[Path, Product], CheckedRows]
ELEMENTS = ("C", "CI", "N", "O", "NA", "MG", "AL", "SI", "P", "S", "K", "CA", "TI", "TIII", "V", "CR", "MN", "FE", "CO", "NI")


def catalogue(path: Path, n: int = 3, *, field: bool = False, **changes: Any) -> Path:
    """A file of the columns that the catalogue's code writes, all of one star; ``changes`` give columns their values."""
    numbers = {f"{name}{error}": "E" for name in ("TEFF", "LOGG", *(f"{x}_H" for x in ELEMENTS)) for error in ("", "_ERR")}
    numbers |= dict.fromkeys(
        ("dist", "dist_error", "dist_model_error", "nn_parallax", "fakemag", "weighted_dist", "weighted_dist_error"), "D"
    )
    numbers |= dict.fromkeys(
        ("age", "age_linear_correct", "age_lowess_correct", "age_total_error", "age_model_error", "galr", "e", "e_err"), "D"
    )
    numbers |= dict.fromkeys(("Lz", "Lz_err", "Energy", "EminusEc", "ref_epoch", "RA_APOGEE", "DEC_APOGEE", "RA", "DEC"), "D")
    values: dict[str, Any] = {name: np.full(n, 10.0 + place) for place, name in enumerate(numbers)} | changes
    columns = [
        fits.Column("APOGEE_ID", "18A", array=["2M00000002+7417074"] * n), fits.Column("LOCATION_ID", "J", array=np.full(n, 1)),
        fits.Column("TELESCOPE", "8A", array=["apo1m"] * n), fits.Column("source_id", "K", array=values.get("source_id", np.full(n, 538028216707715712))),
        *(fits.Column(name, form, array=values[name]) for name, form in numbers.items()),
    ]  # fmt: skip
    if field:
        columns.append(fits.Column("FIELD", "10A", array=[f"field{row}" for row in range(n)]))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    return path


KEYS = {
    "the published file has no FIELD": (False, [f"apo1m.1.2M00000002+7417074.{row}" for row in (1, 2, 3)]),
    "a file with FIELD": (True, [f"apo1m.field{row}.2M00000002+7417074" for row in (0, 1, 2)]),
}


@pytest.mark.parametrize("name", KEYS)
def test_rows_of_one_star_have_keys_of_their_own(name: str, tmp_path: Path, checked: Check) -> None:
    field, keys = KEYS[name]
    rows = checked(catalogue(tmp_path / "apogee_astroNN-DR17.fits", field=field), ASTRONN_ROWS).rows
    assert rows["survey_id"].tolist() == keys
    assert set(rows["survey_release"]) == {"dr17"}


NULLS: dict[str, tuple[str, Any, str]] = {
    "-9999 of a label": ("TEFF", -9999.0, "teff"),
    "NaN of a label": ("FE_H_ERR", np.nan, "fe_h_err"),
    "-9999 of a distance": ("weighted_dist", -9999.0, "weighted_dist"),
    "NaN of an age": ("age_lowess_correct", np.nan, "age_lowess_correct"),
    "-9999 of an identifier": ("source_id", -9999, "given_source_id"),
    "0 of an identifier": ("source_id", 0, "given_source_id"),
}


@pytest.mark.parametrize("name", NULLS)
def test_what_is_not_measured_is_null(name: str, tmp_path: Path, checked: Check) -> None:
    native, null, column = NULLS[name]
    values = np.array([null, 7, 8])
    rows = checked(catalogue(tmp_path / "a.fits", **{native: values}), ASTRONN_ROWS).rows
    assert rows.null(column).tolist() == [True, False, False]
    assert rows[column][1:].tolist() == [7, 8]


def test_positions_are_gaias_and_the_targets_where_there_are_no_others(tmp_path: Path, checked: Check) -> None:
    rows = checked(catalogue(tmp_path / "a.fits", RA=np.array([1.0, np.nan, 3.0]), RA_APOGEE=np.array([1.5, 2.5, 3.5])), ASTRONN_ROWS).rows
    assert rows.null("ra").tolist() == rows.null("position_key").tolist() == [False, True, False]
    assert rows["ra_apogee"].tolist() == [1.5, 2.5, 3.5]


def test_a_file_without_iron_is_another_table_and_one_without_temperatures_refused(tmp_path: Path, checked: Check) -> None:
    with fits.open(catalogue(tmp_path / "a.fits")) as hdus:
        columns = [column for column in hdus[1].columns if column.name != "TEFF"]
        fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "b.fits")
    with pytest.raises(DataError, match="astronn but has no column teff"):
        checked(tmp_path / "b.fits", ASTRONN_ROWS)


def test_all_rows_of_the_catalogue_are_loaded_with_nothing_unknown(tmp_path: Path, database: Database) -> None:
    (file,) = add_paths(database, "gaia_dr3", [catalogue(tmp_path / "apogee_astroNN-DR17.fits", 50)], work=True).files
    assert (file.product, file.rows_in, file.rows_loaded, file.rows_rejected) == ("astronn", 50, 50, 0)
    with database.connect(Role.WORKER) as connection:
        (unknown,) = connection.execute("SELECT header -> 'unknown_columns' FROM store.ingest_file").fetchone() or (None,)
        held = connection.execute("SELECT DISTINCT lz, energy, eminusec, e, given_source_id FROM store.astronn").fetchall()
    assert unknown == []
    assert len(held) == 1 and held[0][-1] == 538028216707715712 and None not in held[0]
