"""allStar in the forms that releases gave it: nulls, flags with their highest bits, keys, releases; and headers that are refused."""

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
from ingest.products.apogee import APOGEE_ROWS
from ingest.registry import product_of

Check = Callable[[Path, Product], CheckedRows]
Row = dict[str, Any]

STAR: Row = {
    "APOGEE_ID": "2M00000002+7417074", "APSTAR_ID": "apogee.apo25m.stars.120+12.2M00000002+7417074", "FILE": "apStar-dr17-2M00000002+7417074.fits",
    "TELESCOPE": "apo25m", "FIELD": "120+12", "RA": 0.000103, "DEC": 74.285408, "J": 8.5, "J_ERR": 0.02, "SNR": 300.0, "STARFLAG": 0, "ASPCAPFLAG": 0,
    "EXTRATARG": 0, "TEFF": 3723.9, "TEFF_ERR": 4.4, "LOGG": 0.98, "LOGG_ERR": 0.03, "M_H": -0.12, "FE_H": -0.11, "FE_H_FLAG": 0, "C_FE": 0.04,
    "GAIAEDR3_SOURCE_ID": 538028216707715712,
}  # fmt: skip


def allstar(path: Path, rows: list[Row], *, lower: bool = False, narrow: bool = False, units: dict[str, str] | None = None) -> Path:
    """A FITS file like allStar; ``narrow`` keeps the flags in 32 bits, as before DR17."""
    columns = []
    for name, first in rows[0].items():
        cells = [row[name] for row in rows]
        if isinstance(first, str):
            form = "64A"
        elif name == "PARAMFLAG":
            form = f"{len(first)}K"
        elif isinstance(first, int):
            form = "J" if narrow and "SOURCE_ID" not in name else "K"
        else:
            form = "D" if name in ("RA", "DEC") else "E"
        columns.append(fits.Column(name.lower() if lower else name, form, array=np.array(cells), unit=(units or {}).get(name)))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    return path


def value(rows: CheckedRows, column: str, row: int = 0) -> Any:
    """A checked value, None where it is null."""
    assert len(rows.rejects) == 0, (rows.rejects.reason, rows.rejects.detail)
    return (
        None
        if rows.rows.null(column)[row]
        else rows.rows[column][row].item()
        if column not in ("survey_id", "survey_release")
        else rows.rows[column][row]
    )


VALUES: dict[str, tuple[Row, str, Any]] = {
    "a temperature": ({}, "teff", pytest.approx(3723.9)),
    "NaN of DR17": ({"TEFF": np.nan}, "teff", None),
    "-9999 of DR16": ({"TEFF": -9999.0}, "teff", None),
    "-9999.99": ({"FE_H": -9999.99}, "fe_h", None),
    "99 of a magnitude": ({"J": 99.0}, "j", None),
    "99.999 of its error": ({"J_ERR": 99.999}, "j_err", None),
    "99 of a signal to noise is one": ({"SNR": 99.0}, "snr", 99.0),
    "no Gaia identifier: 0": ({"GAIAEDR3_SOURCE_ID": 0}, "gaiaedr3_source_id", None),
    "no Gaia identifier: -9999": ({"GAIAEDR3_SOURCE_ID": -9999}, "gaiaedr3_source_id", None),
    "an identifier that no float holds": ({"GAIAEDR3_SOURCE_ID": 6917528997577384321}, "gaiaedr3_source_id", 6917528997577384321),
    "bit 33 NO_GRID": ({"ASPCAPFLAG": 1 << 33}, "aspcapflag", 1 << 33),
    "bits 40 and 41": ({"ASPCAPFLAG": (1 << 40) | (1 << 41) | 1}, "aspcapflag", (1 << 40) | (1 << 41) | 1),
    "every bit that is bad": ({"ASPCAPFLAG": 0x31F96830000}, "aspcapflag", 0x31F96830000),
    "a flag of -9999": ({"ASPCAPFLAG": -9999}, "aspcapflag", None),
    "the key is APSTAR_ID": ({}, "survey_id", STAR["APSTAR_ID"]),
    "without it, what it is made of": ({"APSTAR_ID": ""}, "survey_id", "apo25m.120+12.2M00000002+7417074"),
    "without a field, the star": ({"APSTAR_ID": "", "FIELD": "", "TELESCOPE": ""}, "survey_id", "2M00000002+7417074"),
    "release by the spectrum's file": ({}, "survey_release", "dr17"),
    "release of reduction r12": ({"FILE": "apStar-r12-2M00000002+7417074.fits"}, "survey_release", "dr16"),
    "a column that the file lacks": ({}, "ak_wise", None),
    "a parameter's flag": ({"PARAMFLAG": [0, 1 << 8, 0, 0, 0, 0, 1 << 31, 0, 0]}, "paramflag_logg", 256),
    "a parameter's flag with bit 31": ({"PARAMFLAG": [0, 256, 0, 0, 0, 0, 1 << 31, 0, 0]}, "paramflag_alpha", 1 << 31),
    "eight parameters": ({"PARAMFLAG": [7, 0, 0, 0, 0, 0, 0, 5]}, "paramflag_lgvsini", 5),
    "the ninth of eight parameters": ({"PARAMFLAG": [7, 0, 0, 0, 0, 0, 0, 5]}, "paramflag_o", None),
}  # fmt: skip


@pytest.mark.parametrize("lower", [False, True], ids=["upper case", "lower case"])
@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_kept(name: str, lower: bool, tmp_path: Path, checked: Check) -> None:
    change, column, expected = VALUES[name]
    assert value(checked(allstar(tmp_path / "all.fits", [STAR | change], lower=lower), APOGEE_ROWS), column) == expected


@pytest.mark.parametrize(("flag", "expected"), [(1 << 31, 1 << 31), ((1 << 31) | 128, (1 << 31) | 128), (1 << 30, 1 << 30)])
def test_bit_31_of_a_narrow_flag_is_no_higher_bit(flag: int, expected: int, tmp_path: Path, checked: Check) -> None:
    held = int(np.uint32(flag).astype(np.int32))
    rows = checked(allstar(tmp_path / "all.fits", [STAR | {"ASPCAPFLAG": held}], narrow=True), APOGEE_ROWS)
    assert value(rows, "aspcapflag") == expected


RELEASES: dict[str, tuple[str, set[str], str | None]] = {
    "by the file's name": ("allStar-dr17-synspec_rev1.fits", set(), "dr17"),
    "by another name": ("allStar-DR16.fits", {"GAIAEDR3_SOURCE_ID"}, "dr16"),
    "by Gaia EDR3's identifier": ("mine.fits", set(), "dr17"),
    "not at all": ("mine.fits", {"GAIAEDR3_SOURCE_ID"}, None),
}


@pytest.mark.parametrize("name", RELEASES)
def test_the_release_is_told_without_the_column_file(name: str, tmp_path: Path, checked: Check) -> None:
    file, lacks, expected = RELEASES[name]
    row = {key: cell for key, cell in STAR.items() if key not in {"FILE", *lacks}}
    assert value(checked(allstar(tmp_path / file, [row]), APOGEE_ROWS), "survey_release") == expected


@pytest.mark.parametrize("column", ["RA", "DEC", "TEFF", "LOGG", "STARFLAG", "ASPCAPFLAG"])
def test_a_file_without_a_required_column_is_refused_by_its_name(column: str, tmp_path: Path, checked: Check) -> None:
    row = {key: cell for key, cell in (STAR | {"ASPCAP_CHI2": 1.0}).items() if key != column}
    with pytest.raises(DataError, match=rf"apogee but has no column {column.lower()}"):
        checked(allstar(tmp_path / "all.fits", [row]), APOGEE_ROWS)


@pytest.mark.parametrize(("unit", "refused"), [("K", False), ("kK", True), ("log(cgs)", False)])
def test_a_unit_is_the_right_one(unit: str, refused: bool, tmp_path: Path, checked: Check) -> None:
    path = allstar(tmp_path / "all.fits", [STAR], units={"TEFF": unit})
    if refused:
        with pytest.raises(DataError, match="teff in 'kK', apogee takes K"):
            checked(path, APOGEE_ROWS)
    else:
        assert len(checked(path, APOGEE_ROWS).rows) == 1


BAD_ROWS: dict[str, tuple[Row, str]] = {
    "a star without a name": ({"APOGEE_ID": "", "APSTAR_ID": ""}, "missing_survey_id"),
    "a declination off the sky": ({"DEC": -9998.0}, "position_out_of_range"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_told_and_costs_no_other(name: str, tmp_path: Path, checked: Check) -> None:
    change, reason = BAD_ROWS[name]
    rows = checked(allstar(tmp_path / "all.fits", [STAR | change, STAR]), APOGEE_ROWS)
    assert (len(rows.rows), rows.rejects.reason.tolist(), rows.rejects.row_number.tolist()) == (1, [reason], [1])


HEADERS = {
    "allStar": (["apogee_id", "aspcapflag", "teff"], "apogee"),
    "allStar without its flag": (["apogee_id", "aspcap_chi2", "teff"], "apogee"),
    "astroNN": (["apogee_id", "teff", "logg", "fe_h", "mg_h", "si_h", "weighted_dist"], "astronn"),
    "spectra": (["apogee_id", "snr", "flux", "error", "mask"], "apogee_spectrum"),
    "members of clusters": (["cluster", "apogee_id", "fe_h", "cg_prob"], "reference_label"),
    "visits": (["apogee_id", "visit_id", "mjd", "starflag"], None),
}


@pytest.mark.parametrize("name", HEADERS)
def test_what_a_header_with_apogee_names_is(name: str) -> None:
    columns, product = HEADERS[name]
    found = product_of([dict.fromkeys(columns, "")])
    assert (found and found[0].name) == product


def test_a_truncated_file_loads_nothing_and_a_second_row_of_a_star_is_kept(tmp_path: Path, database: Database) -> None:
    second = STAR | {"APSTAR_ID": STAR["APSTAR_ID"] + ".2", "EXTRATARG": 16, "SNR": 100.0}
    whole = allstar(tmp_path / "allStar-dr17.fits", [STAR, second])
    cut = tmp_path / "cut" / "allStar-dr17.fits"
    cut.parent.mkdir()
    cut.write_bytes(whole.read_bytes()[:-2880])
    first, other = add_paths(database, "gaia_dr3", [whole, cut], work=True).files
    assert (first.state, first.rows_loaded, other.state) == ("loaded", 2, "failed")
    assert "truncated" in (other.reason or "")
    with database.connect(Role.TAP_READER) as connection:
        held = connection.execute("SELECT snr, extratarg, aspcapflag & (1::bigint << 33) FROM surveys.apogee ORDER BY snr").fetchall()
        assert held == [(100.0, 16, 0), (300.0, 0, 0)]
        named = connection.execute("SELECT count(*) FROM surveys_dr3.apogee WHERE apogee_id = '2M00000002+7417074'").fetchone()
    assert named == (2,)
