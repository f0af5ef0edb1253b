"""Abundances: two alpha sequences with a valley between them, an accreted branch below, and giants that have dredged up."""

import numpy as np
import pytest

from ingest.sky import abundances
from ingest.sky.galaxy import Population


def test_two_bumps_of_alpha_stand_apart_at_one_metallicity() -> None:
    rng = np.random.default_rng(1)
    feh = rng.uniform(-0.5, -0.1, 20_000)
    both = np.concatenate([abundances.draw_alpha(p, feh, rng) for p in (Population.THIN, Population.THICK)])
    low, valley, high = (((both > a - 0.02) & (both < a + 0.02)).sum() for a in (0.06, 0.135, 0.235))
    assert valley < 0.35 * min(low, high)
    wide = np.concatenate([abundances.draw_alpha(p, feh, rng, 1.6) for p in (Population.THIN, Population.THICK)])
    assert ((wide > 0.115) & (wide < 0.155)).sum() > 1.3 * valley


def test_accreted_stars_have_less_alpha_than_the_halo_at_their_metallicity() -> None:
    rng = np.random.default_rng(2)
    feh = np.full(5000, -1.0)
    accreted, halo = (abundances.draw_alpha(p, feh, rng) for p in (Population.ACCRETED, Population.HALO))
    assert halo.mean() - accreted.mean() == pytest.approx(0.11, abs=0.01)
    poor = np.full(5000, -1.9)
    accreted, halo = (abundances.draw_alpha(p, poor, rng) for p in (Population.ACCRETED, Population.HALO))
    assert accreted.mean() == pytest.approx(halo.mean(), abs=0.01)


def carbon_over_nitrogen(logg: float, feh: float, mass: float) -> float:
    n = 5000
    values = [np.full(n, value) for value in (logg, feh, 0.05, mass)]
    carbon, nitrogen = abundances.carbon_nitrogen(*values, np.random.default_rng(3))
    return float((carbon - nitrogen).mean())


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ((4.4, 0.0, 1.0), (2.8, 0.0, 1.0), -0.22),  # the first dredge-up
        ((2.8, 0.0, 1.0), (2.8, 0.0, 2.0), -0.34),  # the more the heavier
        ((4.4, 0.0, 1.0), (4.4, 0.0, 2.0), 0.0),  # but not before it
        ((2.8, -1.3, 0.8), (1.2, -1.3, 0.8), -0.56),  # extra mixing in metal-poor bright giants
        ((2.8, 0.0, 0.8), (1.2, 0.0, 0.8), 0.0),  # and in no others
    ],
)
def test_carbon_falls_and_nitrogen_rises_where_stars_mix(
    before: tuple[float, float, float], after: tuple[float, float, float], change: float
) -> None:
    assert carbon_over_nitrogen(*after) - carbon_over_nitrogen(*before) == pytest.approx(change, abs=0.02)


def test_scatter_of_carbon_and_nitrogen_is_what_the_recipe_says() -> None:
    n = 20_000
    values = [np.full(n, value) for value in (4.5, -0.2, 0.05, 0.9)]
    carbon, nitrogen = abundances.carbon_nitrogen(*values, np.random.default_rng(4))
    assert (carbon.std(), nitrogen.std()) == pytest.approx((0.03, 0.04), rel=0.03)
