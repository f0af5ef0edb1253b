"""Statistics of differences: by hand, against numpy, and what must hold whatever the numbers are."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation.statistics import (
    FEWEST,
    Agreement,
    Bins,
    Differences,
    Spread,
    binned,
    median_correlations,
    running_percentiles,
    scatter,
    without_nan,
)

NAN = float("nan")
FINITE = st.floats(-1e6, 1e6, allow_nan=False, width=32)

SPREADS = {
    "by hand": ([1.0, 2.0, 3.0, 4.0, 5.0], Spread(5, 3.0, 1.4826, 1.6, 4.36, 0.0)),
    "what is not finite does not count": ([1.0, NAN, 2.0, 3.0, math.inf, 4.0, 5.0], Spread(5, 3.0, 1.4826, 1.6, 4.36, 0.0)),
    "one far away is an outlier and moves nothing else much": (
        [1.0, 2.0, 3.0, 4.0, 5.0, 1e9],
        Spread(6, 3.5, 1.4826 * 1.5, 1.75, 5 + 0.2 * (1e9 - 5), 1 / 6),
    ),
    "equal numbers have no scatter and no outliers": ([2.0, 2.0, 2.0], Spread(3, 2.0, 0.0, 2.0, 2.0, 0.0)),
}


@pytest.mark.parametrize("case", SPREADS.values(), ids=SPREADS.keys())
def test_a_spread_is(case) -> None:
    values, expected = case
    assert vars(Spread.of(np.array(values))) == pytest.approx(vars(expected))


def test_nothing_has_no_spread_and_raises_nothing() -> None:
    for values in (np.empty(0), np.full(3, NAN)):
        assert Spread.of(values).n == 0
        assert math.isnan(Spread.of(values).scatter)
        assert math.isnan(scatter(values))


@settings(max_examples=50, deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=60), st.floats(0.1, 10), st.floats(-100, 100))
def test_scatter_follows_the_scale_and_not_the_place(values, scale, shift) -> None:
    numbers = np.array(values)
    assert scatter(scale * numbers + shift) == pytest.approx(scale * scatter(numbers), rel=1e-5, abs=1e-3)


def test_scatter_of_gaussian_numbers_is_their_standard_deviation() -> None:
    assert scatter(np.random.default_rng(0).normal(3.0, 2.0, 200_000)) == pytest.approx(2.0, rel=0.01)


def differences(n: int, error: float, reference_error: float, seed: int = 0, bound: float = NAN) -> Differences:
    """Differences as they are where both errors are right."""
    width = math.hypot(error, 0.0 if math.isnan(reference_error) else reference_error)
    drawn = np.random.default_rng(seed).normal(0.0, width, n)
    return Differences(drawn, np.full(n, error), np.full(n, reference_error), np.full(n, bound))


def test_right_errors_give_pulls_of_width_one_with_and_without_errors_of_the_reference() -> None:
    for reference_error in (0.5, NAN):
        found = Agreement.of(differences(50_000, 1.0, reference_error))
        assert found.pull_width == pytest.approx(1.0, rel=0.03)
        assert found.beyond_3 == pytest.approx(0.0027, abs=0.001)
    assert found.n == 50_000
    assert math.isnan(found.reference_scatter)
    assert math.isnan(found.bound_ratio)


def test_differences_are_measured_in_reference_errors_and_in_bounds() -> None:
    found = Agreement.of(differences(50_000, 0.0, 2.0, bound=1.0))
    assert found.reference_scatter == pytest.approx(1.0, rel=0.03)
    assert found.bound_ratio == pytest.approx(2.0, rel=0.03)


def test_a_ratio_to_bounds_wants_stars_that_have_one() -> None:
    whole = differences(100, 1.0, NAN, bound=1.0)
    whole.bound[FEWEST - 1 :] = NAN
    found = Agreement.of(whole)
    assert found.bound_n == FEWEST - 1
    assert math.isnan(found.bound_ratio)


def test_a_mask_chooses() -> None:
    whole = differences(100, 1.0, NAN)
    chosen = np.arange(100) < 40
    assert Agreement.of(whole, chosen).n == 40
    first = Differences(*(each[:40] for each in (whole.difference, whole.error, whole.reference_error, whole.bound)))
    assert vars(Agreement.of(whole, chosen)) == pytest.approx(vars(Agreement.of(first)), nan_ok=True)


PLACES = {
    "below all": (-1.0, -1), "the lowest edge": (0.0, 0), "inside": (1.5, 1), "an inner edge belongs to the bin above": (1.0, 1),
    "the highest edge belongs to the last bin": (3.0, 2), "above all": (3.1, -1), "no number": (NAN, -1),
}  # fmt: skip


@pytest.mark.parametrize(("value", "place"), PLACES.values(), ids=PLACES.keys())
def test_a_bin_holds(value, place) -> None:
    assert Bins("x", (0.0, 1.0, 2.0, 3.0)).index(np.array([value]))[0] == place


def test_bins_with_few_stars_are_not_reported_and_the_others_hold_all_of_theirs() -> None:
    by = np.repeat([0.5, 1.5, 2.5], [FEWEST, FEWEST - 1, 30])
    found = binned(differences(len(by), 1.0, NAN), by, Bins("x", (0.0, 1.0, 2.0, 3.0)))
    assert [(edges, each.n) for edges, each in found] == [((0.0, 1.0), FEWEST), ((2.0, 3.0), 30)]


def test_running_percentiles_follow_the_numbers() -> None:
    x = np.linspace(0, 10, 5001)
    y = 3 * x
    centres, lines = running_percentiles(x, y, np.linspace(0, 10, 6))
    np.testing.assert_allclose(centres, [1, 3, 5, 7, 9])
    np.testing.assert_allclose(lines[:, 1], 3 * centres, rtol=1e-2)
    assert (np.diff(lines, axis=1) > 0).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_correlations_of_any_covariances_are_correlations(seed) -> None:
    factors = np.random.default_rng(seed).normal(size=(7, 5, 5))
    found = median_correlations(factors @ factors.transpose(0, 2, 1))
    np.testing.assert_allclose(np.diag(found), 1.0)
    np.testing.assert_allclose(found, found.T)
    assert (np.abs(found) <= 1 + 1e-12).all()


def test_stars_without_a_covariance_are_left_out_of_the_median() -> None:
    good = np.array([[4.0, 1.0], [1.0, 1.0]])
    covariances = np.stack([good, np.full((2, 2), NAN), np.zeros((2, 2))])
    np.testing.assert_allclose(median_correlations(covariances), [[1, 0.5], [0.5, 1]])
    assert np.isnan(median_correlations(covariances[1:])).all()


def test_numbers_for_json_have_no_nan_and_six_digits() -> None:
    given_ = {"a": NAN, "b": [np.float32(0.1), math.inf], "c": (1, np.int64(2), True, None, "nan"), 3: {"d": np.array([1 / 3])}}
    found = without_nan(given_)
    assert found == {"a": None, "b": [0.1, None], "c": [1, 2, True, None, "nan"], "3": {"d": [0.333333]}}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
