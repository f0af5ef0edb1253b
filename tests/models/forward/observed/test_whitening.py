"""Whitening matrices turn differences into chi2, whatever is missing and however bad the covariance is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.forward.observed.whitening import Whitening, whiten

FLOOR = 1e-9


def _whitened(covariance: np.ndarray, present: np.ndarray | None = None, floor: float = FLOOR) -> tuple[np.ndarray, Whitening]:
    matrix = np.zeros(covariance.shape)
    white = whiten(covariance, np.ones(covariance.shape[:2], bool) if present is None else present, floor, matrix)
    return matrix, white


def _covariance(eigenvalues: np.ndarray, seed: int) -> np.ndarray:
    axes, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(eigenvalues), len(eigenvalues))))
    return (axes * eigenvalues) @ axes.T


def _floored_inverse(covariance: np.ndarray) -> np.ndarray:
    """The published formula: eigenvalues below the floor are raised to it."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors / np.maximum(values, FLOOR)) @ vectors.T


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-5, 4), min_size=2, max_size=12), st.integers(0, 1000), st.integers(0, 2**12 - 1))
def test_the_square_of_the_whitening_matrix_is_the_inverse_of_the_present_bands_covariance(logs: list[float], seed: int, mask: int) -> None:
    covariance = _covariance(10.0 ** np.array(logs), seed)
    present = np.array([(mask >> i) & 1 == 0 for i in range(len(logs))])
    matrix, white = _whitened(covariance[None], present[None])
    there = np.ix_(present, present)
    square = matrix[0].T @ matrix[0]
    np.testing.assert_allclose(square[there] @ covariance[there], np.eye(present.sum()), atol=1e-5)
    assert not matrix[0][~present].any()
    assert not matrix[0][:, ~present].any()
    np.testing.assert_allclose(white.error[0][present], np.sqrt(np.diag(covariance)[present]), rtol=1e-12)
    assert np.isinf(white.error[0][~present]).all()
    assert not white.floored[0]


BAD = {
    "singular": [0.0, 1.0, 2.0, 3.0],
    "not positive definite": [-0.5, 1.0, 2.0, 3.0],
    "all of it below the floor": [1e-12, 1e-13, 0.0, -1e-12],
    "one eigenvalue below the floor": [1e-11, 1e-3, 1.0, 1e3],
}


@pytest.mark.parametrize("eigenvalues", BAD.values(), ids=BAD)
def test_eigenvalues_below_the_floor_are_raised_to_it_and_the_star_says_so(eigenvalues: list[float]) -> None:
    covariance = _covariance(np.array(eigenvalues), 3)
    matrix, white = _whitened(covariance[None])
    difference = np.random.default_rng(4).normal(size=4)
    chi2 = difference @ _floored_inverse(covariance) @ difference
    assert np.square(matrix[0] @ difference).sum() == pytest.approx(chi2, rel=1e-6)
    assert white.floored[0]
    assert white.by_eigenvalues[0]
    assert (white.error[0] > 0).all()
    assert np.isfinite(matrix).all()


def test_a_good_covariance_has_a_lower_triangle_and_the_same_chi2_as_the_published_formula() -> None:
    covariance = _covariance(np.array([1e-4, 0.3, 2.0, 50.0]), 5)
    matrix, white = _whitened(covariance[None])
    np.testing.assert_array_equal(matrix[0], np.tril(matrix[0]))
    np.testing.assert_allclose(matrix[0].T @ matrix[0], _floored_inverse(covariance), rtol=1e-9)
    assert not white.by_eigenvalues[0]


def test_an_eigenvalue_above_the_floor_that_the_bound_cannot_prove_goes_the_eigenvalues_way_unfloored() -> None:
    eigenvalues = np.full(4, 2e-9)  # |L|^2 = 4 / 2e-9 is above 1 / floor, though no eigenvalue is below it
    matrix, white = _whitened(_covariance(eigenvalues, 6)[None])
    assert white.by_eigenvalues[0]
    assert not white.floored[0]
    np.testing.assert_allclose(matrix[0].T @ matrix[0], np.eye(4) / 2e-9, rtol=1e-6, atol=1)


def test_a_star_without_any_band_has_zero_rows_throughout() -> None:
    matrix, white = _whitened(np.full((1, 3, 3), 7.0), np.zeros((1, 3), bool))
    assert not matrix.any()
    assert np.isinf(white.error).all()
    assert not white.by_eigenvalues[0]
