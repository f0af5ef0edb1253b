"""What a header is told to be, and which rule each bad row breaks; good rows beside it stay good."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.errors import DataError
from catalog.releases import KNOWN_RELEASES
from catalog.spectra import Layout, unpack
from ingest.product import CheckedRows, FileContext, Product
from ingest.products.gaia_source import ARCHIVE_COLUMNS, GAIA_SOURCE_ROWS
from ingest.products.reference_label import REFERENCE_LABELS
from ingest.products.rvs_mean import RVS_MEAN
from ingest.products.xp_continuous import XP_CONTINUOUS
from ingest.products.xp_sampled import XP_SAMPLED
from ingest.reader import blocks_of, open_table
from ingest.registry import product_of
from ingest.source_file import SourceFile

DR3 = KNOWN_RELEASES["gaia_dr3"]
GOOD = 4295806720

HEADERS = {
    "the whole table": (sorted(ARCHIVE_COLUMNS), GAIA_SOURCE_ROWS),
    "the least": (["source_id", "ra", "dec"], GAIA_SOURCE_ROWS),
    "reordered, with a few others": (["files", "phot_g_mean_mag", "dec", "ra", "source_id", "my_note"], GAIA_SOURCE_ROWS),
    "XP coefficients": (["rp_coefficients", "source_id"], XP_CONTINUOUS),
    "XP coefficients with positions": (["source_id", "ra", "dec", "bp_coefficients", "rp_coefficients"], XP_CONTINUOUS),
    "a sampled XP spectrum": (["source_id", "solution_id", "ra", "dec", "flux", "flux_error"], XP_SAMPLED),
    "a sampled XP spectrum in lines": (["wavelength", "flux", "flux_error"], XP_SAMPLED),
    "spectra that GaiaXPy sampled": (["source_id", "flux", "flux_error"], None),
    "spectra that GaiaXPy converted": (["source_id", "xp", "flux", "flux_error"], None),
    "an RVS spectrum": (["source_id", "ra", "dec", "flux", "flux_error", "deblended_ccds"], RVS_MEAN),
    "an RVS spectrum in lines": (["source_id", "ra", "dec", "wavelength", "flux", "flux_error", "combined_transits"], RVS_MEAN),
    "synthetic photometry": (["source_id", "sdssstd_mag_u", "sdssstd_mag_g"], None),
    "a survey with a cross-match": (["apogee_id", "source_id", "ra", "dec", "teff", "logg", "fe_h", "alpha_m", "snr"], REFERENCE_LABELS),
    "positions without an identifier": (["ra", "dec", "parallax", "phot_g_mean_mag"], None),
    "nothing": ([], None),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_product_is_told_by_its_columns(name: str) -> None:
    columns, product = HEADERS[name]
    found = product_of([dict.fromkeys(columns, "")])
    assert (found and found[0]) is product


def test_coefficients_without_an_identifier_are_an_error_and_not_another_product() -> None:
    columns = {"bp_coefficients": "", "rp_coefficients": ""}
    found = product_of([columns])
    assert found is not None
    with pytest.raises(DataError, match="source_id"):
        found[0].compare(columns, {})


OTHERS_CATALOGUES = {
    "labels from XP spectra": (
        "source_id ra dec parallax parallax_error pmra pmdec ruwe phot_g_mean_mag bp_rp teff_xp logg_xp moh_xp aom_xp",
        "reference_label",
    ),
    "labels beside Gaia's columns": ("source_id ra dec parallax pmra pmdec phot_g_mean_mag bp_rp teff logg feh", "reference_label"),
    "members of clusters": ("source_id ra dec parallax pmra pmdec phot_g_mean_mag bp_rp cluster", "reference_label"),
    "a cone search of the archive, with its distance in degrees": ("source_id ra dec parallax phot_g_mean_mag dist", "gaia_source"),
    "what the archive says of labels": ("source_id ra dec parallax teff_gspphot logg_gspphot rv_template_fe_h", "gaia_source"),
}


@pytest.mark.parametrize("name", OTHERS_CATALOGUES)
def test_a_catalogue_of_others_labels_is_not_taken_for_gaia_source(name: str) -> None:
    columns, product = OTHERS_CATALOGUES[name]
    found = product_of([dict.fromkeys(columns.split(), "")])
    assert found is not None
    assert found[0].name == product


def test_all_tables_of_the_first_product_are_taken() -> None:
    xp, other = {"source_id": "", "bp_coefficients": ""}, {"a": ""}
    assert product_of([other, xp, other, xp]) == (XP_CONTINUOUS, [1, 3])


@pytest.mark.parametrize(
    ("stated", "same"),
    [("mag", True), ("mmag", False), ("mag(AB)", None), ("dex(cm / s2)", None), ("---", None), ("Magnitude[mag]", None), ("", True)],
)
def test_a_stated_unit_is_the_same_another_or_not_understood(stated: str, same: bool | None) -> None:
    columns, units = dict.fromkeys(("source_id", "ra", "dec", "phot_g_mean_mag"), "float"), {"phot_g_mean_mag": stated}
    if same is False:
        with pytest.raises(DataError, match="phot_g_mean_mag in 'mmag'"):
            GAIA_SOURCE_ROWS.compare(columns, units)
    else:
        assert GAIA_SOURCE_ROWS.compare(columns, units)["unknown_units"] == ({} if same else units)


def check(path: Path, product: Product) -> CheckedRows:
    with open_table(SourceFile(path)) as reader:
        (block,) = list(blocks_of(SourceFile(path), reader, [0], product.fields))
    return product.check(block, FileContext(DR3, path.name))


def with_element(name: str, index: int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(row: dict[str, Any]) -> None:
        row[name] = [*row[name][:index], value, *row[name][index + 1 :]]

    return change


def with_value(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda row: row.update(values)


def shortened(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda row: row.update({name: row[name][:-1]})


def without(*names: str) -> Callable[[dict[str, Any]], None]:
    return lambda row: row.update(dict.fromkeys(names))


_BP_ALL = ("bp_coefficients", "bp_coefficient_errors", "bp_coefficient_correlations")
_RP_ALL = tuple(name.replace("bp", "rp") for name in _BP_ALL)

BAD_SPECTRA = {
    "54 coefficients": (shortened("bp_coefficients"), "wrong_number_of_coefficients"),
    "54 errors": (shortened("rp_coefficient_errors"), "wrong_number_of_errors"),
    "1484 correlations": (shortened("bp_coefficient_correlations"), "wrong_number_of_correlations"),
    "n_parameters of another release": (with_value(bp_n_parameters=51), "wrong_number_of_coefficients"),
    "a basis of another release": (with_value(rp_basis_function_id=58), "wrong_basis"),
    "a coefficient that is infinite": (with_element("bp_coefficients", 7, "inf"), "coefficients_not_finite"),
    "a coefficient that is missing": (with_element("bp_coefficients", 7, "null"), "coefficients_not_finite"),
    "a coefficient beyond float32": (with_element("rp_coefficients", 0, "1e39"), "coefficients_not_finite"),
    "an error of zero": (with_element("bp_coefficient_errors", 3, "0.0"), "errors_not_positive"),
    "a negative error": (with_element("rp_coefficient_errors", 54, "-1"), "errors_not_positive"),
    "an error that is missing": (with_element("rp_coefficient_errors", 54, "nan"), "errors_not_positive"),
    "a correlation above one": (with_element("rp_coefficient_correlations", 9, "1.01"), "correlations_out_of_range"),
    "a correlation below minus one": (with_element("rp_coefficient_correlations", 9, "-1.5"), "correlations_out_of_range"),
    "a correlation that is missing": (with_element("bp_coefficient_correlations", 1484, "nan"), "correlations_out_of_range"),
    "correlations without errors": (without("bp_coefficient_errors"), "correlations_without_errors"),
    "errors without coefficients": (without("rp_coefficients"), "errors_without_coefficients"),
    "nothing in either band": (without(*_BP_ALL, *_RP_ALL), "nothing_in_either_band"),
    "a word among the coefficients": (with_element("bp_coefficients", 0, "abc"), "unparsable"),
    "a word for a number": (with_value(bp_chi_squared="many"), "unparsable"),
    "no identifier": (without("source_id"), "missing_source_id"),
    "an identifier that is no integer": (with_value(source_id="4295806720x"), "unparsable"),
    "an identifier of zero": (with_value(source_id=0), "source_id_not_positive"),
    "a negative identifier": (with_value(source_id=-5), "source_id_not_positive"),
    "an identifier off the sky": (with_value(source_id=2**63 - 1), "source_id_off_the_sky"),
}


@pytest.mark.parametrize("name", BAD_SPECTRA)
def test_a_bad_spectrum_is_rejected_by_name_and_its_neighbours_load(name: str, archive: Any, tmp_path: Path) -> None:
    change, reason = BAD_SPECTRA[name]
    rows = [archive.spectrum(GOOD), archive.spectrum(GOOD + 128), archive.spectrum(GOOD + 256, bands=("rp",))]
    change(rows[1])
    checked = check(archive.csv(tmp_path / "file.csv", rows), XP_CONTINUOUS)
    assert checked.rows["source_id"].tolist() == [GOOD, GOOD + 256]
    assert checked.rows["row_number"].tolist() == [1, 3]
    assert checked.rejects.reason.tolist() == [reason]
    assert checked.rejects.row_number.tolist() == [2]
    assert checked.rejects.detail[0]
    assert bool(checked.rejects.source_unknown[0]) == ("identifier" in name and reason in ("missing_source_id", "unparsable"))


def test_a_packed_spectrum_holds_what_the_row_held(archive: Any, tmp_path: Path) -> None:
    levels = ("full", "err", "coef", "full")
    rows = [archive.spectrum(GOOD + 128 * i, level, ("rp",) if i == 3 else ("bp", "rp")) for i, level in enumerate(levels)]
    loaded = check(archive.csv(tmp_path / "file.csv", rows), XP_CONTINUOUS).rows
    batch = unpack(loaded["source_id"], loaded["layout"], loaded["head"], loaded["correlations"], DR3.n_bp, DR3.n_rp)
    rp = Layout.RP_COEFFICIENTS | Layout.RP_ERRORS | Layout.RP_CORRELATIONS
    assert loaded["layout"].tolist() == [63, 15, 3, int(rp)]
    assert loaded.null("correlations").tolist() == [False, True, True, False]
    for index, row in enumerate(rows):
        for name, array in (("bp_coefficients", batch.bp_coefficients), ("rp_coefficient_errors", batch.rp_errors),
                            ("rp_coefficient_correlations", batch.rp_correlations)):  # fmt: skip
            expected = np.full(array.shape[1], np.nan) if row[name] is None else np.array(row[name])
            assert np.array_equal(array[index], expected, equal_nan=True), (index, name)


def test_every_real_spectrum_without_bp_is_good(real_data: Path) -> None:
    checked = check(real_data / "xp_continuous" / "xp_gaiaxpy_tests.csv.gz", XP_CONTINUOUS)
    assert len(checked.rejects) == 0
    assert dict(zip(checked.rows["source_id"].tolist(), checked.rows["layout"].tolist(), strict=True))[5405570973190252288] == 42


BAD_SOURCES = {
    "no right ascension": (with_value(ra=None), "missing_position"),
    "no declination": (with_value(dec="nan"), "missing_position"),
    "a right ascension beyond the circle": (with_value(ra=360.5), "position_out_of_range"),
    "a negative right ascension": (with_value(ra=-0.1), "position_out_of_range"),
    "a declination beyond the pole": (with_value(dec=90.01), "position_out_of_range"),
    "an infinite position": (with_value(ra="inf"), "position_out_of_range"),
    "the epoch of another release": (with_value(ref_epoch=2015.5), "epoch_of_another_release"),
    "a word for a number": (with_value(parallax="big"), "unparsable"),
    "no identifier": (with_value(source_id="null"), "missing_source_id"),
}


@pytest.mark.parametrize(("release", "taken"), [("DR1", False), ("DR2", False), ("EDR3", True), ("DR3", True), ("DR4", False)])
def test_where_no_epoch_tells_the_release_the_designation_does(release: str, taken: bool, tmp_path: Path) -> None:
    """EDR3 and DR3 number their sources alike."""
    path = tmp_path / "gaia.csv"
    path.write_text(f"designation,source_id,ra,dec,parallax\nGaia {release} {GOOD},{GOOD},1.5,2.5,3.5\n,{GOOD + 128},1.5,2.5,3.5\n")
    with open_table(SourceFile(path)) as reader:
        assert GAIA_SOURCE_ROWS.compare(reader.tables[0], {})["unknown_columns"] == []
        (block,) = blocks_of(SourceFile(path), reader, [0], GAIA_SOURCE_ROWS.fields_in(reader.tables[0]))
    checked = GAIA_SOURCE_ROWS.check(block, FileContext(DR3, path.name))
    assert checked.rows["source_id"].tolist() == ([GOOD, GOOD + 128] if taken else [GOOD + 128])
    assert checked.rejects.reason.tolist() == ([] if taken else ["designation_of_another_release"])
    assert all(f"Gaia {release} {GOOD}" in detail for detail in checked.rejects.detail)


def test_a_row_of_gaia_dr2_is_known_by_its_solution(archive: Any, tmp_path: Path) -> None:
    rows = [
        archive.source(GOOD, solution_id=1635721458409799680, ref_epoch=None),
        archive.source(GOOD + 128, solution_id=1636148068921376768),
    ]
    checked = check(archive.csv(tmp_path / "file.csv", rows), GAIA_SOURCE_ROWS)
    assert checked.rows["source_id"].tolist() == [GOOD + 128]
    assert checked.rejects.reason.tolist() == ["solution_of_another_release"]
    assert "Gaia DR2" in checked.rejects.detail[0]


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_a_bad_source_is_rejected_by_name_and_its_neighbours_load(name: str, archive: Any, tmp_path: Path) -> None:
    change, reason = BAD_SOURCES[name]
    rows = [
        archive.source(GOOD),
        archive.source(GOOD + 128),
        archive.source(GOOD + 256, ra=360.0, dec=-90.0, parallax=None, ref_epoch=None),
    ]
    change(rows[1])
    checked = check(archive.csv(tmp_path / "file.csv", rows), GAIA_SOURCE_ROWS)
    assert checked.rows["source_id"].tolist() == [GOOD, GOOD + 256]
    assert checked.rows.null("parallax").tolist() == [False, True]
    assert checked.rows.null("teff_gspphot").all()  # a column that the file lacks
    assert checked.rejects.reason.tolist() == [reason]
