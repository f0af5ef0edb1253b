"""LAMOST's catalogue and Hot Payne: columns, -9999, identifiers of DR2, a row for each spectrum, joined by SpecID."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from ingest.sky.surveys.designation import gaia_dr2_source_id
from ingest.sky.surveys.hot_payne import draw_hot_payne, write_hot_payne
from ingest.sky.surveys.inputs import SurveyInput
from ingest.sky.surveys.lamost import LamostOptions, draw_lamost, spec_id, write_lamost
from ingest.sky.surveys.survey_table import SurveyDraw

Check = Callable[[np.ndarray, np.ndarray], None]
NAMES = [
    "obsid",
    "obsdate",
    "lmjd",
    "mjd",
    "planid",
    "spid",
    "fiberid",
    "snru",
    "snrg",
    "snrr",
    "snri",
    "snrz",
    "class",
    "subclass",
    "z",
    "z_err",
    "gaia_source_id",
    "teff",
    "teff_err",
    "logg",
    "logg_err",
    "feh",
    "feh_err",
    "rv",
    "rv_err",
    "ra",
    "dec",
]


@pytest.fixture(scope="module")
def drawn(stars: SurveyInput) -> SurveyDraw:
    return draw_lamost(stars, np.random.default_rng(5), LamostOptions(wrong_matches=0.02, outliers=0.01))


def test_text_has_the_columns_that_public_code_reads_and_9999_for_nulls(drawn: SurveyDraw, tmp_path: Path) -> None:
    path = write_lamost(tmp_path, drawn)
    assert path.name == "dr8_v2.0_LRS_stellar.csv.gz"
    table = Table.read(gzip.decompress(path.read_bytes()).decode(), format="ascii.csv")
    assert table.colnames == NAMES and len(table) == len(drawn)
    for name in ("obsid", "gaia_source_id", "teff", "feh_err", "ra"):
        assert np.array_equal(np.asarray(table[name], drawn.table[name].dtype), drawn.table[name]), name
    gone = drawn.table["teff"] == -9999
    assert 0.002 < gone.mean() < 0.03
    for name in ("teff_err", "logg", "logg_err", "feh", "feh_err", "rv", "rv_err"):
        assert np.array_equal(drawn.table[name] == -9999, gone)
    assert (table["gaia_source_id"] == -9999).any()


def test_fits_has_the_same_rows(drawn: SurveyDraw, tmp_path: Path) -> None:
    with fits.open(write_lamost(tmp_path, drawn, as_fits=True)) as hdus:
        columns = hdus[1].columns
        assert columns.names == NAMES and columns["teff"].unit == "K" and columns["ra"].format == "D" and columns["obsid"].format == "J"
        assert np.array_equal(hdus[1].data["gaia_source_id"], drawn.table["gaia_source_id"])


@pytest.mark.parametrize(("column", "label"), [("teff", "teff"), ("logg", "logg"), ("feh", "feh")])
def test_labels_scatter_as_their_errors_say(
    drawn: SurveyDraw, stars: SurveyInput, scatter_is_stated: Check, column: str, label: str
) -> None:
    good = ~drawn.truth.outlier & (drawn.table["teff"] != -9999)
    truth = getattr(stars.labels, label)[drawn.truth.star]
    scatter_is_stated((drawn.table[column] - truth)[good], drawn.table[f"{column}_err"][good])


def test_errors_grow_as_the_snr_falls_and_for_hot_stars(drawn: SurveyDraw, stars: SurveyInput) -> None:
    table, teff = drawn.table, stars.labels.teff[drawn.truth.star]
    good = table["teff"] != -9999
    low, high = good & (table["snrg"] < 20) & (teff < 7000), good & (table["snrg"] > 100) & (teff < 7000)
    assert np.median(table["feh_err"][low]) > 3 * np.median(table["feh_err"][high])
    assert np.median(table["feh_err"][good & (table["snrg"] > 100) & (teff > 7600)]) > 2.5 * np.median(table["feh_err"][high])
    assert np.corrcoef(table["snrg"], stars.g[drawn.truth.star])[0, 1] < -0.5


def test_stars_are_northern_and_of_the_grid(stars: SurveyInput) -> None:
    drawn = draw_lamost(stars, np.random.default_rng(5))
    star, place = drawn.truth.star, drawn.truth.identified_as
    assert stars.dec[place].min() > -10 and stars.dec[place].max() < 60 and stars.on_grid[star].all()
    assert stars.labels.teff[star].min() > 3700 and set(drawn.table["class"].tolist()) == {b"STAR"}


def test_each_spectrum_has_a_name_of_its_own_and_some_stars_have_several(drawn: SurveyDraw) -> None:
    assert (np.diff(drawn.table["obsid"]) > 0).all() and len(np.unique(spec_id(drawn))) == len(drawn)
    spectra = np.unique(drawn.truth.star, return_counts=True)[1]
    assert set(spectra.tolist()) == {1, 2, 3} and 0.15 < np.mean(spectra > 1) < 0.35
    assert (drawn.table["spid"] <= 16).all() and (drawn.table["fiberid"] <= 250).all()
    assert np.array_equal(drawn.table["lmjd"], drawn.table["mjd"] + 1)


def test_crowded_fields_fill_several_plates(sky: Callable[[int, int], SurveyInput]) -> None:
    many = sky(12_000, 9)
    here = SurveyInput(**{**vars(many), "ra": 100 + 0.0001 * np.arange(12_000), "dec": np.full(12_000, 30.0)})
    drawn = draw_lamost(here, np.random.default_rng(1), LamostOptions(share=1.0))
    assert len(np.unique(drawn.table["obsid"])) == len(drawn) and len(np.unique(drawn.table["planid"])) > 2


def test_identifiers_are_those_of_dr2_and_positions_tell_the_star(drawn: SurveyDraw, stars: SurveyInput) -> None:
    truth, table = drawn.truth, drawn.table
    there = table["gaia_source_id"] != -9999
    assert np.array_equal(table["gaia_source_id"][there], gaia_dr2_source_id(stars.source_id[truth.identified_as[there]]))
    offset = np.hypot(
        (table["ra"] - stars.ra[truth.identified_as]) * np.cos(np.radians(table["dec"])), table["dec"] - stars.dec[truth.identified_as]
    )
    assert offset.max() * 3600 < 0.25 and 0.01 < truth.wrong_match.mean() < 0.03
    assert (np.abs(table["dec"] - stars.dec[truth.star])[truth.wrong_match] > 1e-3).mean() > 0.9


def test_hot_payne_joins_the_hot_spectra_by_specid(drawn: SurveyDraw, stars: SurveyInput, tmp_path: Path, scatter_is_stated: Check) -> None:
    hot = draw_hot_payne(stars, drawn, np.random.default_rng(6))
    with fits.open(write_hot_payne(tmp_path, hot)) as hdus:
        columns, data = hdus[1].columns, hdus[1].data
        assert (
            columns.names[:7] == ["SpecID", "Teff", "e_Teff", "logg", "e_logg", "[Fe/H]", "e_[Fe/H]"] and columns["SpecID"].format == "36A"
        )
        ids = [name.strip() for name in data["SpecID"].tolist()]
        assert data["[Fe/H]"].tolist() == hot.table["[Fe/H]"].tolist()
    assert all(len(name) == 36 for name in hot.table["SpecID"].tolist())
    row = {name: number for number, name in enumerate(spec_id(drawn).tolist())}
    star = drawn.truth.star[[row[name] for name in ids]]
    assert np.array_equal(star, hot.truth.star) and stars.labels.teff[star].min() > 7000
    all_hot = (stars.labels.teff[drawn.truth.star] > 7000).sum()
    assert 0.9 * all_hot < len(hot) < all_hot
    good = ~hot.truth.outlier
    scatter_is_stated((hot.table["Teff"] - stars.labels.teff[star])[good], hot.table["e_Teff"][good])
    scatter_is_stated((hot.table["[Fe/H]"] - stars.labels.feh[star])[good], hot.table["e_[Fe/H]"][good])
