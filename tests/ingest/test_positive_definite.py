"""A correlation matrix is found positive definite or not by itself, wherever in a block it stands."""

import numpy as np
import pytest

from ingest.positive_definite import positive_definite

N = 55


def triangles(matrices: np.ndarray) -> np.ndarray:
    """Lower triangles, row by row, of matrices (n, N, N) as the archive rounds them."""
    row, column = np.tril_indices(N, -1)
    return matrices[:, row, column].astype(np.float32)


def spectra_like(count: int, smallest: float, seed: int) -> np.ndarray:
    """Correlation matrices whose eigenvalues fall from about 10 to near ``smallest``, as those of XP spectra do."""
    random = np.random.default_rng(seed)
    matrices = []
    for _ in range(count):
        basis, _ = np.linalg.qr(random.normal(size=(N, N)))
        covariance = basis * np.geomspace(10, smallest, N) @ basis.T
        scale = 1 / np.sqrt(np.diag(covariance))
        matrices.append(covariance * scale * scale[:, None])
    return np.array(matrices)


def test_the_rule_agrees_with_the_eigenvalues_where_rounding_does_not_matter() -> None:
    definite = spectra_like(20, 1e-3, seed=1)
    indefinite = definite.copy()
    indefinite[:, 40, 3] = indefinite[:, 3, 40] = 0.999
    matrices = np.concatenate([definite, indefinite])
    smallest = np.linalg.eigvalsh(matrices)[:, 0]
    assert (np.abs(smallest) > 1e-5).all()
    assert smallest[:20].min() > 0 > smallest[20:].max()
    np.testing.assert_array_equal(positive_definite(triangles(matrices), N), smallest > 0)


@pytest.mark.parametrize(
    "name, pair, definite", [("a perfect correlation", 1.0, False), ("one just below", 0.999999, True), ("NaN", np.nan, False)]
)
def test_two_coefficients(name: str, pair: float, definite: bool) -> None:
    assert positive_definite(np.array([[pair]], np.float32), 2).tolist() == [definite]


def test_a_matrix_near_singular_is_decided_the_same_way_in_every_block_order() -> None:
    """Of these many have a smallest eigenvalue that rounding to float32 moves to either side of zero."""
    given = triangles(np.concatenate([spectra_like(10, smallest, seed=2) for smallest in np.geomspace(1e-9, 1e-6, 30)]))
    expected = np.concatenate([positive_definite(one[None], N) for one in given])
    assert 30 < expected.sum() < 270
    random = np.random.default_rng(3)
    for _ in range(5):
        order = random.permutation(len(given))
        size = int(random.integers(1, 100))
        found = np.concatenate([positive_definite(given[order[i : i + size]], N) for i in range(0, len(given), size)])
        np.testing.assert_array_equal(found, expected[order])


def test_no_matrix_is_an_empty_answer() -> None:
    assert positive_definite(np.empty((0, N * (N - 1) // 2), np.float32), N).shape == (0,)
