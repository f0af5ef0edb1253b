"""Spectra of one star a file, as the survey's data models describe apStar and aspcapStar, and spectra of a table: grid, lengths, masks.

The files are made here after the data models: no real one was at hand. [assumed] that OBJID, TELESCOP, FIELD and SNR stand in HDU 0 and the grid in HDU 1.
"""

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
from ingest.products.apogee_spectrum import APOGEE_SPECTRA
from ingest.reader import open_table
from ingest.registry import product_of
from ingest.source_file import SourceFile

Check = Callable[[Path, Product], CheckedRows]
NAME = "2M00000002+7417074"


def one_star(
    path: Path, *, visits: int = 3, normalised: bool = False, pixels: int = 8575, grid: tuple[float, float] = (4.179, 6e-6), snr: float = 120.0,
    words: dict[str, Any] | None = None, grid_in_primary: bool = False, two_dimensional: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """An apStar file (or aspcapStar, ``normalised``): flux, error and mask of its combined spectrum."""
    random = np.random.default_rng(4)
    rows = 1 if normalised or visits == 1 else visits + 2
    flux, error = (random.normal(scale, 1, (rows, pixels)).astype(np.float32) for scale in (200, 4))
    mask = random.integers(0, 1 << 15, (rows, pixels)).astype(np.int32)
    primary = fits.PrimaryHDU()
    header = primary.header
    for key, text in ({"OBJID": NAME, "TELESCOP": "apo25m", "FIELD": "120+12", "SNR": snr} if words is None else words).items():
        header[key] = text
    images = [fits.ImageHDU(data if two_dimensional else data[0]) for data in (flux, error)]
    images.append(fits.ImageHDU(random.normal(1, 0.1, pixels).astype(np.float32) if normalised else mask if two_dimensional else mask[0]))
    for target in [primary] if grid_in_primary else images:
        target.header["CRVAL1"], target.header["CDELT1"] = grid
    table = fits.BinTableHDU.from_columns([fits.Column("TEFF", "E", array=np.array([4000.0]))])
    fits.HDUList([primary, *images, table]).writeto(path)
    return flux[0], error[0], mask[0]


FORMS: dict[str, dict[str, Any]] = {
    "apStar of several visits": {},
    "apStar of one visit": {"visits": 1},
    "apStar whose images have one dimension": {"visits": 1, "two_dimensional": False},
    "the grid in HDU 0": {"grid_in_primary": True},
    "aspcapStar": {"normalised": True},
}


@pytest.mark.parametrize("name", FORMS)
def test_a_star_is_a_row_with_its_combined_spectrum(name: str, tmp_path: Path, checked: Check) -> None:
    path = tmp_path / "apStar-dr17-2M00000002+7417074.fits"
    flux, error, mask = one_star(path, **FORMS[name])
    with open_table(SourceFile(path)) as reader:
        found = product_of(reader.tables)
    assert found == (APOGEE_SPECTRA, [0])
    rows = checked(path, APOGEE_SPECTRA).rows
    normalised = name == "aspcapStar"
    texts = {column: rows[column][0] for column in ("survey_id", "apogee_id", "telescope", "field", "survey_release", "flux_kind")}
    assert texts == {
        "survey_id": NAME, "apogee_id": NAME, "telescope": "apo25m", "field": "120+12", "survey_release": "dr17",
        "flux_kind": "normalised" if normalised else "absolute",
    }  # fmt: skip
    assert rows["snr"][0] == 120.0
    assert np.array_equal(rows["flux"][0], flux) and np.array_equal(rows["flux_error"][0], error)
    assert rows.null("mask")[0] == normalised
    if not normalised:
        assert np.array_equal(np.frombuffer(rows["mask"][0], ">u4"), mask)


GRIDS = {
    "another first wavelength": {"grid": (4.18, 6e-6)},
    "another step": {"grid": (4.179, 5e-6)},
    "the step of the natural logarithm": {"grid": (4.179, 6e-6 * np.log(10))},
}


@pytest.mark.parametrize("name", GRIDS)
def test_another_grid_of_wavelengths_is_refused(name: str, tmp_path: Path) -> None:
    one_star(tmp_path / "a.fits", **GRIDS[name])
    with pytest.raises(DataError, match=r"4\.179 and 6e-06.*resample"), open_table(SourceFile(tmp_path / "a.fits")):
        pass


def test_a_spectrum_of_another_length_is_no_apogee_star(tmp_path: Path) -> None:
    one_star(tmp_path / "a.fits", pixels=7214)
    with open_table(SourceFile(tmp_path / "a.fits")) as reader:
        assert [list(table) for table in reader.tables] == [["teff"]]


def test_a_star_without_a_name_is_refused(tmp_path: Path, checked: Check) -> None:
    one_star(tmp_path / "a.fits", words={"OBJID": " ", "SNR": 3.0})
    with pytest.raises(DataError, match="no column apogee_id"):
        checked(tmp_path / "a.fits", APOGEE_SPECTRA)


def spectra_table(path: Path, flux: list[Any], *, mask: bool = True, pixels: int = 8575, names: list[str] | None = None) -> Path:
    n = len(flux)
    data = np.array([np.broadcast_to(value, pixels) for value in flux], np.float32)
    columns = [
        fits.Column("APOGEE_ID", "18A", array=names or [f"2M{i:08d}+0000000" for i in range(n)]), fits.Column("SNR", "E", array=np.full(n, 80.0)),
        fits.Column("FLUX", f"{pixels}E", array=data), fits.Column("ERROR", f"{pixels}E", array=np.full((n, pixels), 0.01)),
    ]  # fmt: skip
    if mask:
        columns.append(fits.Column("MASK", f"{pixels}J", array=np.full((n, pixels), 1 << 16)))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    return path


TABLES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "two spectra": ({"flux": [1.0, 0.9]}, []),
    "without masks": ({"flux": [1.0, 0.9], "mask": False}, []),
    "a flux of nothing but NaN": ({"flux": [np.nan, 0.9]}, ["missing_flux"]),
    "another number of pixels": ({"flux": [1.0, 0.9], "pixels": 8574}, ["wrong_number_of_flux"] * 2),
    "a star without a name": ({"flux": [1.0, 0.9], "names": ["", "2M00000001+0000000"]}, ["missing_survey_id"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_rows_of_a_table_are_spectra(name: str, tmp_path: Path, checked: Check) -> None:
    how, reasons = TABLES[name]
    rows = checked(spectra_table(tmp_path / "t.fits", **how), APOGEE_SPECTRA)
    assert (len(rows.rows), rows.rejects.reason.tolist()) == (2 - len(reasons), reasons)


def test_the_best_spectrum_of_a_star_is_kept_in_either_order(tmp_path: Path, database: Database) -> None:
    paths = [tmp_path / f"apStar-dr17-{number}.fits" for number in (1, 2, 3)]
    for path, snr in zip(paths, (80.0, 150.0, 90.0), strict=True):
        one_star(path, snr=snr)
    summary = add_paths(database, "gaia_dr3", paths, work=True)
    assert sorted((file.rows_loaded, file.rows_rejected) for file in summary.files) == [(0, 1), (0, 1), (1, 0)]
    with database.connect(Role.TAP_READER) as connection:
        held = connection.execute("SELECT survey_id, snr, functions.vector_element(flux, 1) > 100 FROM surveys.apogee_spectrum").fetchall()
    assert held == [(NAME, 150.0, True)]
