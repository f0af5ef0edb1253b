"""allStar of the simulated sky: its layout, the bits, the duplicates, and labels that scatter as their errors say."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from ingest.sky.surveys import apogee_flags
from ingest.sky.surveys.apogee import ApogeeOptions, draw_apogee, write_apogee
from ingest.sky.surveys.apogee_columns import COLUMNS
from ingest.sky.surveys.apogee_flags import AspcapFlag, ExtraTarg, StarFlag, bits, spelt
from ingest.sky.surveys.inputs import NO_STAR, SurveyInput
from ingest.sky.surveys.survey_table import SurveyDraw
from ingest.sky.surveys.two_mass import TwoMass, TwoMassOptions, draw_two_mass

Check = Callable[[np.ndarray, np.ndarray], None]


@pytest.fixture(scope="module")
def drawn(stars: SurveyInput, two_mass: TwoMass) -> SurveyDraw:
    return draw_apogee(
        stars,
        two_mass,
        np.random.default_rng(4),
        ApogeeOptions(duplicates=0.1, unmarked_duplicates=0.02, wrong_matches=0.02, outliers=0.01),
    )


@pytest.fixture(scope="module")
def file(drawn: SurveyDraw, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_apogee(tmp_path_factory.mktemp("apogee"), drawn)


@pytest.mark.parametrize(
    ("column", "form", "unit"),
    [
        ("APOGEE_ID", "18A", None), ("RA", "D", "deg"), ("J", "E", "mag"), ("K_ERR", "E", "mag"), ("GAIAEDR3_SOURCE_ID", "K", None),
        ("ASPCAPFLAG", "K", None), ("STARFLAG", "K", None), ("EXTRATARG", "J", None), ("SNR", "E", None), ("TEFF", "E", "K"), ("TEFF_ERR", "E", "K"),
        ("LOGG", "E", "log(cgs)"), ("FE_H", "E", "dex"), ("FE_H_FLAG", "J", None), ("ALPHA_M", "E", "dex"), ("C_FE", "E", "dex"),
        ("N_FE_ERR", "E", "dex"), ("M_H", "E", "dex"), ("VHELIO_AVG", "E", "km/s"), ("PARAM", "9E", None), ("FPARAM_COV", "81E", None),
        ("X_H", "27E", "dex"), ("FELEM_ERR", "27D", None), ("PARAMFLAG", "9K", None), ("ASPCAP_CHI2", "E", None), ("VISIT_PK", "100J", None),
    ],
)  # fmt: skip
def test_columns_have_the_real_types_and_units(file: Path, column: str, form: str, unit: str | None) -> None:
    with fits.open(file) as hdus:
        found = hdus[1].columns[column]
        assert (found.format, found.unit, found.null) == (form, unit, None)


def test_the_file_is_laid_out_as_the_real_one(file: Path, drawn: SurveyDraw) -> None:
    assert len(COLUMNS) == 234 and len({column.name for column in COLUMNS}) == 234
    with fits.open(file) as hdus:
        assert len(hdus) == 4 and hdus[0].data is None and len(hdus[1].data) == len(drawn)
        ra = hdus[1].data["RA"]
        assert (np.diff(ra) >= 0).all() and hdus[2].data.shape == (360,)
        assert (ra[hdus[2].data[90]] > 90) and (ra[hdus[2].data[90] - 1] <= 90)
        assert hdus[3].data["PARAM_SYMBOL"][0, 0] == "TEFF" and hdus[3].data["ELEM_SYMBOL"][0, 17] == "Fe"
        labelled = np.isfinite(hdus[1].data["FE_H"])
        assert np.array_equal(hdus[1].data["X_H"][labelled, 17], hdus[1].data["FE_H"][labelled])
        assert np.array_equal(hdus[1].data["PARAM"][labelled, 0], hdus[1].data["TEFF"][labelled])
        assert np.allclose(hdus[1].data["PARAM_COV"][labelled, 3, 3], hdus[1].data["M_H_ERR"][labelled] ** 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("column", "label"),
    [("TEFF", "teff"), ("LOGG", "logg"), ("FE_H", "feh"), ("ALPHA_M", "alpha_m"), ("C_FE", "c_fe"), ("N_FE", "n_fe"), ("M_H", "mh")],
)
def test_labels_scatter_as_their_errors_say(
    drawn: SurveyDraw, stars: SurveyInput, scatter_is_stated: Check, column: str, label: str
) -> None:
    good = ~drawn.truth.outlier
    truth = getattr(stars.labels, label)[drawn.truth.star]
    scatter_is_stated((drawn.table[column] - truth)[good], drawn.table[f"{column}_ERR"][good])


def test_noise_of_a_star_differs_between_its_rows_and_alpha_elements_follow_alpha(
    drawn: SurveyDraw, stars: SurveyInput, scatter_is_stated: Check
) -> None:
    table, labels, star = drawn.table, stars.labels, drawn.truth.star
    scatter_is_stated(table["MG_FE"] - (labels.alpha_m + labels.mh - labels.feh)[star], table["MG_FE_ERR"])
    assert np.isnan(table["NA_FE"]).all() and (table["NA_FE_FLAG"] != 0).all()
    order = np.argsort(star, kind="stable")
    again = star[order][1:] == star[order][:-1]
    assert again.any() and np.all((table["TEFF"][order][1:] != table["TEFF"][order][:-1])[again])


def test_outliers_and_wrong_matches_are_as_many_as_asked_and_marked_in_the_truth(drawn: SurveyDraw, stars: SurveyInput) -> None:
    truth = drawn.truth
    pull = np.abs(drawn.table["TEFF"] - stars.labels.teff[truth.star]) / drawn.table["TEFF_ERR"]
    assert (pull[truth.outlier] > 5.9).all() and not (pull[~truth.outlier] > 5.5).any() and truth.outlier.any()
    ids = drawn.table["GAIAEDR3_SOURCE_ID"]
    there = truth.identified_as != NO_STAR
    assert np.array_equal(ids[there], stars.source_id[truth.identified_as[there]]) and (ids[~there] == 0).all() and (~there).any()
    assert 0.01 < truth.wrong_match.mean() < 0.03
    assert np.isnan(drawn.table["GAIAEDR3_PARALLAX"][~there]).all()


def test_selection_is_bright_and_mostly_giants(drawn: SurveyDraw, stars: SurveyInput) -> None:
    star = drawn.truth.star
    assert stars.g[star].max() < 13.5 and stars.h[star].max() < 13.8
    assert np.mean(stars.labels.logg[star] < 3.6) > 0.75
    assert set(drawn.table["TELESCOPE"].tolist()) == {b"apo25m", b"lco25m"}


def test_duplicates_are_resolved_by_extratarg_but_for_the_unmarked(drawn: SurveyDraw) -> None:
    star, snr = drawn.truth.star, drawn.table["SNR"]
    duplicate = (drawn.table["EXTRATARG"] & int(ExtraTarg.DUPLICATE)) != 0
    kept = star[~duplicate]
    assert len(set(star[duplicate].tolist())) == duplicate.sum() and set(star[duplicate].tolist()) <= set(kept.tolist())
    assert (drawn.table["EXTRATARG"] & 16 == 16 * duplicate).all()
    ids = drawn.table["APOGEE_ID"]
    best = dict(zip(ids[~duplicate].tolist(), snr[~duplicate].tolist(), strict=True))
    assert all(best[name] >= value for name, value in zip(ids[duplicate].tolist(), snr[duplicate].tolist(), strict=True))
    left = len(kept) - len(set(kept.tolist()))
    assert left == sum(name.startswith(b"AP") for name in ids.tolist()) > 0
    assert len(set(drawn.table["APSTAR_ID"].tolist())) == len(drawn)


def test_without_duplicates_each_star_has_one_row(stars: SurveyInput, two_mass: TwoMass) -> None:
    plain = draw_apogee(stars, two_mass, np.random.default_rng(4), ApogeeOptions(duplicates=0, unmarked_duplicates=0))
    assert len(set(plain.truth.star.tolist())) == len(plain) and not (plain.table["EXTRATARG"] & 16).any()


@pytest.mark.parametrize(
    ("bit", "name"),
    [(7, "STAR_WARN"), (8, "CHI2_WARN"), (11, "SN_WARN"), (16, "TEFF_BAD"), (19, "M_H_BAD"), (23, "STAR_BAD"), (24, "CHI2_BAD"), (27, "SN_BAD"),
     (31, "NO_ASPCAP_RESULT"), (33, "NO_GRID"), (41, "MULTIPLE_SUSPECT")],
)  # fmt: skip
def test_aspcapflag_has_the_bits_of_dr17(bit: int, name: str) -> None:
    assert AspcapFlag[name] == 1 << bit


@pytest.mark.parametrize(
    ("bit", "name"), [(0, "BAD_PIXELS"), (3, "VERY_BRIGHT_NEIGHBOR"), (4, "LOW_SNR"), (9, "PERSIST_HIGH"), (12, "PERSIST_JUMP_POS"), (16, "SUSPECT_RV_COMBINATION")]
)  # fmt: skip
def test_starflag_has_the_bits_of_dr17(bit: int, name: str) -> None:
    assert StarFlag[name] == 1 << bit


def test_bits_are_set_where_the_columns_say_so(drawn: SurveyDraw, stars: SurveyInput) -> None:
    table = drawn.table
    flag, snr, chi2 = table["ASPCAPFLAG"], table["SNR"], table["ASPCAP_CHI2"]
    off = ~stars.on_grid[drawn.truth.star]

    def has(bit: AspcapFlag) -> np.ndarray:
        return (flag & int(bit)) != 0

    assert off.any() and np.array_equal(has(AspcapFlag.NO_GRID), off) and flag.max() > 2**32
    assert np.array_equal(has(AspcapFlag.SN_WARN), (snr < 70) & ~off) and has(AspcapFlag.SN_WARN).any()
    assert np.array_equal(has(AspcapFlag.SN_BAD), (snr < 50) & ~off) and has(AspcapFlag.SN_BAD).any()
    assert np.array_equal(has(AspcapFlag.CHI2_WARN)[~off], (chi2 > 30 * (snr / 100) ** 2)[~off]) and has(AspcapFlag.CHI2_WARN).any()
    made_bad = (flag & int(apogee_flags.MAKES_STAR_BAD)) != 0
    assert np.array_equal(has(AspcapFlag.STAR_BAD), made_bad) and 0.005 < made_bad.mean() < 0.2
    unlabelled = off | has(AspcapFlag.TEFF_BAD)
    for column in ("TEFF", "TEFF_ERR", "LOGG", "M_H", "FE_H", "ALPHA_M", "C_FE", "N_FE"):
        assert np.array_equal(np.isnan(table[column]), unlabelled)
    assert np.array_equal(table["FE_H_FLAG"] == 0, ~unlabelled)
    assert (table["STARFLAG"] & 78_360).any() and np.array_equal(table["ANDFLAG"] & table["STARFLAG"], table["ANDFLAG"])


def test_flags_are_spelt_out() -> None:
    values = bits(3, (AspcapFlag.NO_GRID, np.array([True, False, True])), (AspcapFlag.SN_BAD, np.array([False, False, True])))
    assert spelt(values, AspcapFlag).tolist() == ["NO_GRID", "", "SN_BAD,NO_GRID"]


def test_published_training_cuts_leave_stars(drawn: SurveyDraw) -> None:
    table = drawn.table
    aspgap = (table["ASPCAPFLAG"] & 8_608_481_563 == 0) & (table["TEFF_ERR"] <= 50) & (table["LOGG_ERR"] <= 0.05) & (table["M_H_ERR"] <= 0.02) & (
        table["ALPHA_M_ERR"] <= 0.02
    ) & (table["SNR"] > 200)  # fmt: skip
    fallows = (table["ASPCAPFLAG"] & 8_388_608 == 0) & (table["STARFLAG"] & 78_360 == 0) & (table["EXTRATARG"] & 16 == 0)
    guiglion = (table["ASPCAPFLAG"] & 8_388_736 == 0) & (table["ASPCAP_CHI2"] < 25) & (table["FE_H_FLAG"] == 0) & (table["TEFF_ERR"] < 100)
    assert 0.2 < aspgap.mean() < 0.9 and 0.7 < fallows.mean() < 0.95 and 0.2 < guiglion.mean() < 0.9


def test_photometry_is_that_of_2mass_and_99_where_there_is_none(stars: SurveyInput) -> None:
    gappy = draw_two_mass(stars, np.random.default_rng(1), TwoMassOptions(missing_band=0.2))
    drawn = draw_apogee(stars, gappy, np.random.default_rng(4))
    where = {number: place for place, number in enumerate(stars.source_id.tolist())}
    star = np.array([where.get(number, -1) for number in drawn.table["GAIAEDR3_SOURCE_ID"].tolist()])
    drawn, star = drawn.take(np.flatnonzero(star >= 0)), star[star >= 0]
    expected = gappy.magnitude["h"][star]
    assert np.array_equal(drawn.table["H"], np.where(np.isnan(expected), 99.0, expected).astype(np.float32))
    assert (drawn.table["H_ERR"][np.isnan(expected)] == 99).all() and np.isnan(expected).any()
    assert (drawn.table["IRAC_3_6"] == 99).all()
