"""The basis of both emulators."""

import numpy as np
import pytest

from ingest.sky.tensor_spline import spline_basis, tensor_basis, weighted_sum

KNOTS = np.array([0.0, 1.0, 1.5, 3.0, 4.0])


def test_splines_add_up_to_one_everywhere() -> None:
    assert spline_basis(np.linspace(0, 4, 101), KNOTS).sum(axis=1) == pytest.approx(1.0)


def test_a_cubic_is_reproduced() -> None:
    x = np.linspace(0, 4, 60)
    values = 2 - x + 0.3 * x**2 - 0.7 * x**3
    coefficients = np.linalg.lstsq(spline_basis(x, KNOTS), values, rcond=None)[0]
    between = np.array([0.33, 1.77, 3.9])
    assert spline_basis(between, KNOTS) @ coefficients == pytest.approx(2 - between + 0.3 * between**2 - 0.7 * between**3)


def test_beyond_the_knots_the_end_value_holds() -> None:
    inside, outside = spline_basis(np.array([0.0, 4.0]), KNOTS), spline_basis(np.array([-1.0, 9.0]), KNOTS)
    assert np.array_equal(inside, outside)


def test_the_tensor_basis_is_the_product_of_both_with_y_fastest() -> None:
    x, y = np.array([0.4, 2.2]), np.array([3.1, 0.9])
    expected = [np.outer(a, b).ravel() for a, b in zip(spline_basis(x, KNOTS), spline_basis(y, KNOTS[:3]), strict=True)]
    assert np.array_equal(tensor_basis(x, y, KNOTS, KNOTS[:3]), np.array(expected))


def test_nothing_gives_nothing() -> None:
    assert tensor_basis(np.zeros(0), np.zeros(0), KNOTS, KNOTS).shape == (0, 49)


def test_a_row_is_summed_alike_alone_and_among_others() -> None:
    rng = np.random.default_rng(3)
    basis, coefficients = rng.normal(size=(257, 41)), rng.normal(size=(41, 97))
    together = weighted_sum(basis, coefficients)
    assert together == pytest.approx(basis @ coefficients)
    assert all(np.array_equal(weighted_sum(basis[i : i + 1], coefficients)[0], together[i]) for i in range(0, 257, 16))
