"""Median and spread as functions of another number."""

import numpy as np
import pytest

from models.numerics.running_spread import RunningSpread


def test_a_trend_of_median_and_spread_is_taken_out() -> None:
    random = np.random.default_rng(1)
    x = random.uniform(0, 10, 20_000)
    y = 3 * x + (1 + x) * random.standard_normal(20_000)
    z = RunningSpread.measured(x, y).standardised(x, y)
    for low in range(10):
        inside = z[(x >= low) & (x < low + 1)]
        assert np.median(inside) == pytest.approx(0, abs=0.15)
        assert np.quantile(inside, 0.84) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("n", [pytest.param(3, id="three stars"), pytest.param(150, id="one bin")])
def test_few_stars_have_one_median_everywhere(n: int) -> None:
    y = np.random.default_rng(2).standard_normal(n)
    relation = RunningSpread.measured(np.arange(float(n)), y)
    assert len(relation.at) == 1
    assert relation.standardised(np.array([-1e6, 1e6]), np.full(2, np.median(y))) == pytest.approx(0)


def test_beyond_the_sample_the_last_bin_holds() -> None:
    random = np.random.default_rng(3)
    x, y = random.uniform(0, 1, 1_000), random.standard_normal(1_000)
    relation = RunningSpread.measured(x, y)
    assert relation.standardised(np.array([1.0, 50.0]), np.array([2.0, 2.0])).std() == 0


def test_a_sample_without_spread_gives_finite_numbers() -> None:
    z = RunningSpread.measured(np.zeros(300), np.ones(300)).standardised(np.zeros(2), np.array([1.0, 2.0]))
    assert z[0] == 0 and 1e6 < z[1] < np.inf
