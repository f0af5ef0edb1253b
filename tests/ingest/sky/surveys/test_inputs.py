"""Simulated stars become the input of the surveys, and wrong cross-matches of the stars are those of every survey."""

from collections.abc import Callable

import numpy as np
import pytest

from ingest.sky.options import StarOptions
from ingest.sky.stars import Stars, draw_stars
from ingest.sky.surveys.apogee import draw_apogee
from ingest.sky.surveys.galah import draw_galah
from ingest.sky.surveys.inputs import SurveyInput, SurveyTruth
from ingest.sky.surveys.lamost import draw_lamost
from ingest.sky.surveys.two_mass import TwoMass, draw_two_mass
from ingest.sky.surveys.unwise import draw_unwise

BANDS = ("G", "BP", "RP", "J", "H", "Ks", "W1", "W2")


@pytest.fixture(scope="module")
def drawn() -> Stars:
    return draw_stars(300, np.random.default_rng(1), StarOptions.demanding(wrong_match_share=0.05))


def of(stars: Stars) -> SurveyInput:
    magnitudes = {band: stars.g - 0.3 * place for place, band in enumerate(BANDS)}
    return SurveyInput.of(stars, magnitudes, stars.parallax, np.full(len(stars), 0.02))


def test_stars_keep_what_is_true_of_them(drawn: Stars) -> None:
    stars = of(drawn)
    assert len(stars) == 300 and np.array_equal(stars.h, drawn.g - 0.3 * 4) and np.array_equal(stars.missing, drawn.missing_nir)
    assert np.array_equal(stars.radial_velocity, drawn.radial_velocity) and np.array_equal(stars.on_grid, drawn.kind == 0)


def test_wrong_matches_point_at_the_star_whose_rows_they_get(drawn: Stars) -> None:
    stars = of(drawn)
    wrong = drawn.wrong_match != 0
    assert wrong.any() and np.array_equal(stars.counterpart != np.arange(300), wrong)
    assert np.array_equal(stars.source_id[stars.counterpart[wrong]], drawn.wrong_match[wrong])
    away = drawn.take(np.flatnonzero(~np.isin(drawn.source_id, drawn.wrong_match[wrong])))
    assert np.array_equal(of(away).counterpart, np.arange(len(away)))


def test_taken_stars_keep_their_counterparts_where_these_are_taken_too(stars: SurveyInput) -> None:
    wrong = np.flatnonzero(stars.counterpart != np.arange(len(stars)))
    star = int(wrong[0])
    both = stars.take(np.array([5, star, int(stars.counterpart[star])]))
    assert both.counterpart[:2].tolist() == [0, 2]
    assert stars.take(np.array([star, star])).counterpart.tolist() == [0, 1]
    assert np.array_equal(stars.take(np.ones(len(stars), bool)).counterpart, stars.counterpart)


@pytest.mark.parametrize(
    "survey",
    [
        lambda stars, two_mass, rng: two_mass.truth,
        lambda stars, two_mass, rng: draw_unwise(stars, np.full(len(stars), np.nan), rng).truth,
        lambda stars, two_mass, rng: draw_apogee(stars, two_mass, rng).truth,
        lambda stars, two_mass, rng: draw_lamost(stars, rng).truth,
        lambda stars, two_mass, rng: draw_galah(stars, two_mass, rng).truth,
    ],
    ids=["2MASS", "unWISE", "APOGEE", "LAMOST", "GALAH"],
)
def test_every_survey_has_the_wrong_matches_of_the_input_and_no_others(
    stars: SurveyInput, survey: Callable[[SurveyInput, TwoMass, np.random.Generator], SurveyTruth]
) -> None:
    truth = survey(stars, draw_two_mass(stars, np.random.default_rng(1)), np.random.default_rng(2))
    known = truth.identified_as >= 0
    assert np.array_equal(truth.star[known], stars.counterpart[truth.identified_as[known]])
    assert truth.wrong_match.any() and not truth.outlier.any()
