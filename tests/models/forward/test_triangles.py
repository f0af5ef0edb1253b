"""Packed covariances are positive semi-definite whatever was rounded, and are those that went in where nothing had to be raised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.forward.triangles import definite, in_kelvin, packed, unpacked

SCALES = np.array([100.0, 0.1, 0.1, 0.02, 0.05])


def lowest(matrices):
    """Smallest eigenvalue of each matrix after scaling to a diagonal of one."""
    error = np.sqrt(np.einsum("nii->ni", matrices))
    return np.linalg.eigvalsh(matrices / error[:, :, None] / error[:, None, :])[:, 0]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 6), decades=st.floats(0, 12))
def test_what_is_packed_is_positive_semi_definite_also_in_other_units(seed, size, decades):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(4, size, size)) * np.geomspace(1, 10**-decades, size)  # nearly singular, up to a condition of 10^24
    matrices = root @ root.transpose(0, 2, 1) * np.geomspace(1e-3, 1e3, size)[:, None] * np.geomspace(1e-3, 1e3, size)
    rounded = unpacked(packed(definite(matrices)))
    assert (lowest(rounded) >= 0).all()
    assert (lowest(unpacked(packed(in_kelvin(rounded, -1)))) >= 0).all()


def test_a_matrix_that_is_definite_is_only_rounded():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(50, 5, 9)) * SCALES[:, None]
    matrices = root @ root.transpose(0, 2, 1)
    assert np.array_equal(definite(matrices), matrices)
    assert unpacked(packed(matrices)) == pytest.approx(matrices, rel=1e-7)


def test_triangles_go_row_by_row_and_temperatures_are_in_kelvin():
    matrix = np.arange(25.0).reshape(1, 5, 5)
    matrix = matrix + matrix.transpose(0, 2, 1)
    assert packed(matrix)[0].tolist() == [matrix[0, i, j] for i in range(5) for j in range(i, 5)]
    assert in_kelvin(matrix)[0, 0].tolist() == [1e6 * matrix[0, 0, 0], *(1e3 * matrix[0, 0, 1:])]
    assert np.allclose(in_kelvin(in_kelvin(matrix), -1), matrix)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0, 0.0])
def test_a_matrix_without_a_positive_variance_has_no_numbers(wrong):
    matrices = np.stack([np.eye(3), np.eye(3)])
    matrices[1, 2, 2] = wrong
    found = definite(matrices)
    assert np.array_equal(found[0], np.eye(3)) and np.isnan(found[1]).all()
