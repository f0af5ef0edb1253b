"""PCA finds known planes, EM-PCA finds them through noise of known size and holes, and both project onto them exactly."""

import numpy as np
import pytest

from models.numerics.principal_components import em_pca, plain_pca

RANDOM = np.random.default_rng(7)
MEAN = RANDOM.normal(size=12)
PLANE = np.linalg.qr(RANDOM.normal(size=(12, 3)))[0].T
COORDINATES = RANDOM.normal(size=(400, 3)) * [5.0, 4.0, 3.0] + [4.0, 0.0, -2.0]
EXACT = MEAN + COORDINATES @ PLANE
LOUD = np.where(np.arange(12) % 4 == 0, 4.0, 0.05)  # a quarter of the pixels is mostly noise
SIGMA = LOUD * 10 ** RANDOM.uniform(-0.5, 0.5, size=EXACT.shape)
NOISY = EXACT + SIGMA * RANDOM.normal(size=EXACT.shape)


def plane_angle(components: np.ndarray) -> float:
    """Sine of the largest angle between the found plane and the true one."""
    return float(np.linalg.norm(PLANE - PLANE @ components.T @ components, 2))


def test_plain_pca_finds_an_exact_plane() -> None:
    found = plain_pca(EXACT, 3)
    assert plane_angle(found.components) < 1e-12
    np.testing.assert_allclose(found.reconstruct(found.project(EXACT)), EXACT, atol=1e-12)


def test_plain_pca_of_an_ellipse_gives_its_axes() -> None:
    angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    x = np.column_stack([3 * np.cos(angle), np.sin(angle)]) + np.array([1.0, 2.0])
    found = plain_pca(x, 2)
    np.testing.assert_allclose(found.mean, [1.0, 2.0], atol=1e-12)
    np.testing.assert_allclose(np.abs(found.components), np.eye(2), atol=1e-12)


def test_em_pca_with_equal_weights_is_plain_pca() -> None:
    plain, weighted = plain_pca(NOISY, 3), em_pca(NOISY, np.ones_like(NOISY), 3, iterations=300, tolerance=0)
    np.testing.assert_allclose(weighted.reconstruct(weighted.project(NOISY)), plain.reconstruct(plain.project(NOISY)), atol=1e-5)
    np.testing.assert_allclose(np.abs(weighted.components), np.abs(plain.components), atol=1e-4)


@pytest.mark.parametrize("missing", [0.0, 0.3], ids=["complete", "a third missing"])
def test_em_pca_finds_the_plane_that_noise_hides_from_plain_pca(missing: float) -> None:
    hole = np.random.default_rng(3).random(NOISY.shape) < missing
    weight = np.where(hole, 0.0, SIGMA**-2.0)
    found = em_pca(np.where(hole, np.nan, NOISY), weight, 3)
    assert plane_angle(found.components) < 0.2
    assert plane_angle(plain_pca(np.where(hole, MEAN, NOISY), 3).components) > 0.9


def test_em_pca_leaves_chi2_of_what_noise_leaves() -> None:
    found = em_pca(NOISY, SIGMA**-2.0, 3)
    residual = NOISY - found.reconstruct(found.project_weighted(NOISY, SIGMA**-2.0))
    degrees = NOISY.size - 3 * len(NOISY) - (3 + 1) * NOISY.shape[1] + 9 + 3
    assert abs((residual**2 / SIGMA**2).sum() / degrees - 1) < 5 * np.sqrt(2 / degrees)


def test_components_are_orthonormal_and_ordered() -> None:
    found = em_pca(NOISY, SIGMA**-2.0, 3)
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(3), atol=1e-12)
    spread = found.project_weighted(NOISY, SIGMA**-2.0).std(axis=0)
    assert (np.diff(spread) < 0).all()


def test_weighted_projection_equals_a_dense_solution() -> None:
    found = plain_pca(EXACT, 3)
    weight = np.where(RANDOM.random(NOISY.shape) < 0.2, 0.0, SIGMA**-2.0)
    projected = found.project_weighted(NOISY, weight)
    for i in (0, 17, 399):
        root = np.sqrt(weight[i])
        dense = np.linalg.lstsq(root[:, None] * found.components.T, root * (NOISY[i] - found.mean), rcond=None)[0]
        np.testing.assert_allclose(projected[i], dense, rtol=1e-6, atol=1e-9)


def test_a_star_without_data_is_at_the_mean() -> None:
    found = em_pca(NOISY, SIGMA**-2.0, 3)
    nothing = np.full((1, 12), np.nan)
    np.testing.assert_allclose(found.project_weighted(nothing, np.zeros((1, 12))), np.zeros((1, 3)))
