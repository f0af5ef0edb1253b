"""unWISE: vectors of two bands, nanomaggies, quality, and neighbours' light."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from ingest.sky.surveys.inputs import SurveyInput
from ingest.sky.surveys.survey_table import SurveyDraw
from ingest.sky.surveys.unwise import UnwiseOptions, draw_unwise, write_unwise

Check = Callable[[np.ndarray, np.ndarray], None]


@pytest.fixture(scope="module")
def norm_dg(stars: SurveyInput) -> np.ndarray:
    random = np.random.default_rng(2)
    return np.where(random.random(len(stars)) < 0.4, np.nan, random.uniform(-35, 2, len(stars)))


@pytest.fixture(scope="module")
def drawn(stars: SurveyInput, norm_dg: np.ndarray) -> SurveyDraw:
    return draw_unwise(stars, norm_dg, np.random.default_rng(3))


@pytest.mark.parametrize(
    ("column", "form"),
    [("x", "2D"), ("flux", "2E"), ("dflux", "2E"), ("qf", "2E"), ("fracflux", "2E"), ("ra12", "2D"), ("nm", "2J"), ("flags_unwise", "2J"),
     ("unwise_detid", "40A"), ("coadd_id", "8A"), ("ra", "D"), ("dec", "D"), ("primary", "J"), ("unwise_objid", "16A")],
)  # fmt: skip
def test_bands_are_vectors_of_the_real_types(drawn: SurveyDraw, tmp_path: Path, column: str, form: str) -> None:
    with fits.open(write_unwise(tmp_path, drawn.take(np.arange(4)))) as hdus:
        assert hdus[1].columns[column].format == form


@pytest.mark.parametrize(("column", "band"), [(0, "w1"), (1, "w2")])
def test_fluxes_scatter_as_their_errors_say(
    drawn: SurveyDraw, stars: SurveyInput, scatter_is_stated: Check, column: int, band: str
) -> None:
    flux = drawn.table["flux"][:, column]
    true = 10 ** (0.4 * (22.5 - getattr(stars, band)[drawn.truth.star]))
    # Faint ones are there only where noise helped them over the limit.
    bright = (flux > 0) & (true > 20 * 10 ** (0.4 * (22.5 - {"w1": 17.2, "w2": 16.2}[band])) / 10)
    scatter_is_stated((flux - true)[bright], drawn.table["dflux"][bright, column])
    assert abs(np.median(22.5 - 2.5 * np.log10(flux[bright]) - getattr(stars, band)[drawn.truth.star][bright])) < 0.002


def test_a_missing_band_has_flux_0(drawn: SurveyDraw) -> None:
    flux, there = drawn.table["flux"], drawn.table["nm"] > 0
    assert np.array_equal(flux == 0, ~there) and (~there).any() and there.any(axis=1).all()
    assert (drawn.table["dflux"][~there] == 0).all() and (drawn.table["unwise_detid"][~there] == b"").all()


def test_neighbours_light_lowers_fracflux_where_norm_dg_says_so(drawn: SurveyDraw, norm_dg: np.ndarray) -> None:
    there = drawn.table["flux"][:, 0] > 0
    value, near = drawn.table["fracflux"][there, 0], norm_dg[drawn.truth.identified_as[there]]
    assert (value[near > -8] < 0.8).all() and (value[np.isnan(near) | (near < -12)] > 0.9).all()
    assert 0.01 < np.mean(drawn.table["qf"][there, 0] < 0.8) < 0.04


def test_positions_find_the_star_within_a_quarter_arcsecond(drawn: SurveyDraw, stars: SurveyInput) -> None:
    star, table = drawn.truth.identified_as, drawn.table
    years = 2015.5 - 2016.0
    east = (table["ra"] - stars.ra[star] + 180) % 360 - 180
    offset = np.hypot(
        east * np.cos(np.radians(table["dec"])) - years * stars.pmra[star] / 3.6e6,
        table["dec"] - stars.dec[star] - years * stars.pmdec[star] / 3.6e6,
    )
    assert offset.max() * 3600 < 0.26 and len(np.unique(star)) == len(drawn) and len(np.unique(table["unwise_objid"])) == len(drawn)
    assert 0.0005 < drawn.truth.wrong_match.mean() < 0.006


def test_every_star_may_be_missing(stars: SurveyInput, norm_dg: np.ndarray) -> None:
    assert len(draw_unwise(stars, norm_dg, np.random.default_rng(3), UnwiseOptions(unmatched=1.0))) == 0
