"""GALAH's allstar: columns and declared nulls of the real file, flags, and labels that scatter as their errors say."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from ingest.sky.surveys.designation import gaia_dr2_source_id
from ingest.sky.surveys.galah import COLUMNS, NULL, FlagSp, GalahOptions, draw_galah, write_galah
from ingest.sky.surveys.inputs import SurveyInput
from ingest.sky.surveys.survey_table import SurveyDraw
from ingest.sky.surveys.two_mass import TwoMass

Check = Callable[[np.ndarray, np.ndarray], None]


@pytest.fixture(scope="module")
def drawn(stars: SurveyInput, two_mass: TwoMass) -> SurveyDraw:
    return draw_galah(stars, two_mass, np.random.default_rng(7), GalahOptions(without_gaia=0.02, wrong_matches=0.02, outliers=0.01))


@pytest.mark.parametrize(
    ("column", "form", "unit", "null"),
    [
        ("star_id", "16A", None, None), ("sobject_id", "K", None, 999_999), ("dr2_source_id", "K", None, NULL), ("dr3_source_id", "K", None, NULL),
        ("flag_sp", "K", None, NULL), ("teff", "E", "K", None), ("e_teff", "D", "K", None), ("logg", "E", "log(cm.s**-2)", None),
        ("fe_h", "E", None, None), ("e_fe_h", "D", None, None), ("flag_fe_h", "K", None, NULL), ("alpha_fe", "D", None, None),
        ("nr_alpha_fe", "D", None, None), ("nr_Mg_fe", "K", None, NULL), ("flag_Ti2_fe", "K", None, NULL), ("vbroad", "E", "km s-1", None),
        ("snr_c2_iraf", "D", None, None), ("j_m", "E", "mag", None), ("ks_msigcom", "E", "mag", None), ("ph_qual_tmass", "3A", None, None),
        ("ruwe_dr2", "D", None, None),
    ],
)  # fmt: skip
def test_columns_are_those_of_the_real_file(
    drawn: SurveyDraw, tmp_path: Path, column: str, form: str, unit: str | None, null: int | None
) -> None:
    with fits.open(write_galah(tmp_path, drawn.take(np.arange(3)))) as hdus:
        found = hdus[1].columns[column]
        assert (found.format, found.unit, found.null) == (form, unit, null)
        assert len(hdus[1].columns) == len(COLUMNS) == 197


def test_astropy_reads_every_value_back(drawn: SurveyDraw, tmp_path: Path) -> None:
    with fits.open(write_galah(tmp_path, drawn)) as hdus:
        for column in COLUMNS:
            found = np.asarray(hdus[1].data[column.name])
            expected = drawn.table[column.name]
            if column.type.startswith("S"):
                assert found.tolist() == [value.decode() for value in expected.tolist()]
            else:
                assert np.array_equal(found, expected, equal_nan=column.type.startswith("f")), column.name


@pytest.mark.parametrize(
    ("column", "label"), [("teff", "teff"), ("logg", "logg"), ("fe_h", "feh"), ("C_fe", "c_fe")]
)  # fmt: skip
def test_labels_scatter_as_their_errors_say(
    drawn: SurveyDraw, stars: SurveyInput, scatter_is_stated: Check, column: str, label: str
) -> None:
    good = ~drawn.truth.outlier
    truth = getattr(stars.labels, label)[drawn.truth.star]
    scatter_is_stated((drawn.table[column] - truth)[good], drawn.table[f"e_{column}"][good])


def test_alpha_scatters_about_alpha_over_iron(drawn: SurveyDraw, stars: SurveyInput, scatter_is_stated: Check) -> None:
    labels, good = stars.labels.take(drawn.truth.star), ~drawn.truth.outlier
    scatter_is_stated((drawn.table["alpha_fe"] - labels.alpha_m - labels.mh + labels.feh)[good], drawn.table["e_alpha_fe"][good])
    assert np.isnan(drawn.table["Eu_fe"]).all() and (drawn.table["flag_Eu_fe"] != 0).all() and (drawn.table["nr_Eu_fe"] == 0).all()


@pytest.mark.parametrize(
    ("bit", "flag"),
    [
        (1, FlagSp.RUWE),
        (4, FlagSp.LOW_SNR),
        (16, FlagSp.EMISSION),
        (128, FlagSp.CHI2),
        (512, FlagSp.NOT_CONVERGED),
        (1024, FlagSp.GRID_LIMIT),
    ],
)
def test_flag_sp_has_the_bits_of_dr3(bit: int, flag: FlagSp) -> None:
    assert flag == bit


def test_flags_are_set_where_the_columns_say_so(drawn: SurveyDraw, stars: SurveyInput) -> None:
    table, flag = drawn.table, drawn.table["flag_sp"]
    off = ~stars.on_grid[drawn.truth.star]
    assert np.array_equal((flag & 4) != 0, table["snr_c2_iraf"] < 10)
    assert np.array_equal((flag & 1) != 0, table["ruwe_dr2"] > 1.4)
    assert off.any() and ((flag[off] & (512 | 1024)) == 1536).all()
    assert np.array_equal((flag & 512) != 0, np.isnan(table["teff"])) and np.array_equal(np.isnan(table["fe_h"]), table["flag_fe_h"] != 0)
    good = (flag == 0) & (table["flag_fe_h"] == 0) & (table["flag_guess"] == 0) & (table["red_flag"] == 0)
    assert 0.6 < good.mean() < 0.95


def test_selection_is_southern_and_off_the_plane(stars: SurveyInput, two_mass: TwoMass) -> None:
    drawn = draw_galah(stars, two_mass, np.random.default_rng(7))
    star = drawn.truth.identified_as
    assert stars.dec[star].max() < 10 and stars.g[drawn.truth.star].max() < 14 and len(np.unique(star)) == len(drawn)
    assert (np.diff(drawn.table["sobject_id"]) > 0).all()
    assert drawn.table["star_id"].tolist() == [name.encode() for name in two_mass.designation[star].tolist()]


def test_identifiers_of_both_releases_are_those_of_the_star_that_was_taken_for_it(drawn: SurveyDraw, stars: SurveyInput) -> None:
    ids, as_star = drawn.table["dr3_source_id"], drawn.truth.identified_as
    there = ids != NULL
    assert np.array_equal(ids[there], stars.source_id[as_star[there]]) and (~there).any() and drawn.truth.wrong_match.any()
    assert np.array_equal(drawn.table["dr2_source_id"][there], gaia_dr2_source_id(ids[there]))
