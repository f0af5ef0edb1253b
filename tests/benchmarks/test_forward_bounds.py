"""The bounds by which the forward model is judged on the simulated sky, on a sky of few stars."""

from functools import cache

import numpy as np
import pytest

from benchmarks.forward_bounds import ABUNDANCES, EVERYTHING, Response, sky_response
from benchmarks.forward_sky import implied_median
from benchmarks.forward_truth import HIDDEN, Typical, ordinary, true_fluxes
from ingest.sky.options import StarOptions
from ingest.sky.stars import Stars, draw_stars
from models.forward.bands import XP_WAVELENGTHS
from models.numerics.xp_sampling import sampling_matrices

RV_SCATTER, RELATIVE_ERROR, PARALLAX_ERROR = 0.1, 0.01, 0.02


@cache
def population() -> Stars:
    return draw_stars(600, np.random.default_rng(3), StarOptions(rv_scatter=RV_SCATTER))


@cache
def some() -> tuple[Stars, Typical, Response]:
    """Forty ordinary stars with independent errors of a hundredth of each flux."""
    stars = population().take(np.flatnonzero(ordinary(population()))[:40])
    sampling = {str(band): matrix for band, matrix in sampling_matrices(56, 57, XP_WAVELENGTHS).items()}
    typical = Typical.of(stars, population(), RV_SCATTER)
    flux = true_fluxes(stars, sampling, 2.0)
    whitening = np.zeros((len(stars), 66, 66))
    whitening[:, np.arange(66), np.arange(66)] = 1 / (RELATIVE_ERROR * flux)
    return stars, typical, sky_response(stars, typical, whitening, np.full(len(stars), PARALLAX_ERROR), sampling, 2.0)


def test_every_further_independent_unknown_widens_the_bounds() -> None:
    _, known, response = some()
    typical = Typical(known.mean, known.slope, known.covariance * np.eye(len(HIDDEN)))
    nothing = np.sqrt(np.diagonal(np.linalg.inv(response.information()), axis1=1, axis2=2))
    abundances, everything = response.bounds(typical, ABUNDANCES), response.bounds(typical, EVERYTHING)
    assert np.all(abundances >= nothing * (1 - 1e-9))
    assert np.all(everything >= abundances * (1 - 1e-9))
    assert np.all(everything[:, 4] < PARALLAX_ERROR * (1 + 1e-9))


def test_a_known_population_takes_nothing_from_the_bounds() -> None:
    _, typical, response = some()
    known = Typical(typical.mean, typical.slope, np.broadcast_to(1e-12 * np.eye(len(HIDDEN)), typical.covariance.shape))
    nothing = np.sqrt(np.diagonal(np.linalg.inv(response.information()), axis1=1, axis2=2))
    assert response.bounds(known, EVERYTHING) == pytest.approx(nothing, rel=1e-3)


def test_the_response_is_the_slope_of_the_whitened_fluxes() -> None:
    """Parallax and mass move all fluxes alike: by two shares and by one of their own share."""
    stars, _, response = some()
    ones = np.full((len(stars), 66), 1 / RELATIVE_ERROR)
    assert response.parameters[:, :, 4] * stars.parallax[:, None] == pytest.approx(2 * ones, rel=1e-9)
    assert response.hidden[:, :, HIDDEN.index("ln_mass")] == pytest.approx(ones, rel=1e-9)


def test_a_shift_of_the_fluxes_along_a_parameter_is_found_as_that_parameter() -> None:
    _, _, response = some()
    moved = response.shift(0.01 * response.parameters[:, :, 1], 0.0)
    assert moved[:, 1] == pytest.approx(np.full(len(moved), 0.01), rel=1e-6)
    assert np.abs(moved[:, [0, 2, 3, 4]]).max() < 1e-6


@pytest.mark.parametrize("truth", [0.0, 0.5, 2.0, 10.0])
def test_the_shift_that_the_logarithmic_term_implies_is_that_of_its_minimum(truth: float) -> None:
    grid = np.linspace(1e-3, 20, 2_000_001)
    found = grid[np.argmin((grid - truth) ** 2 - 2 * np.log(grid))]
    assert found - truth == pytest.approx(float(implied_median(np.array([truth]))[0]), abs=1e-3)
