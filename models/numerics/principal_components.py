"""Principal components of noisy vectors: plain, and weighted by the inverse variance of every number (EM-PCA).

Both give an affine model x = mean + c V, with V of shape (components, pixels). They are the counterparts that the scatter VAE is
measured against. A missing number has weight 0; NaN never enters a sum.

Source of the weighted form: Bailey 2012 (PASP 124, 1015), the expectation maximisation of sections 2 and 3. The M step here solves for
all components and the mean at once, pixel by pixel, in place of one component after the other: same fixed points, fewer rounds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Matrix = Float[np.ndarray, "stars pixels"]
_RIDGE = 1e-9
"""Share of the mean diagonal that is added to a normal matrix, so that a star or pixel without data has a solution (0)."""


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """An affine model of vectors: ``mean`` (pixels,) and ``components`` (k, pixels), the latter orthonormal rows."""

    mean: Float[np.ndarray, " pixels"]
    components: Float[np.ndarray, "k pixels"]

    def project(self, x: Matrix) -> Float[np.ndarray, "stars k"]:
        """Coordinates of vectors without regard to their errors: (x - mean) V^T. Every number must be finite."""
        coordinates: Matrix = (x - self.mean) @ self.components.T
        return coordinates

    def project_weighted(self, x: Matrix, weight: Matrix) -> Float[np.ndarray, "stars k"]:
        """Coordinates that minimise sum_j weight_j (x_j - mean_j - (c V)_j)^2 for each star."""
        good = weight > 0
        residual = np.where(good, x - self.mean, 0.0)
        return _solve_rows(self.components, residual, np.where(good, weight, 0.0))

    def reconstruct(self, coordinates: Float[np.ndarray, "stars k"]) -> Matrix:
        """The vectors that coordinates stand for."""
        reconstructed: Matrix = self.mean + coordinates @ self.components
        return reconstructed


def plain_pca(x: Matrix, k: int) -> PrincipalComponents:
    """The k directions of largest variance. Every number of ``x`` must be finite."""
    mean = x.mean(axis=0)
    _, _, directions = np.linalg.svd(x - mean, full_matrices=False)
    return PrincipalComponents(mean, directions[:k])


def em_pca(x: Matrix, weight: Matrix, k: int, *, iterations: int = 100, tolerance: float = 1e-5) -> PrincipalComponents:
    """The affine model of k components with the smallest weighted squared residual over all stars.

    ``weight`` is the inverse variance of each number, 0 where it is missing. Starts from the plain components of the data with missing
    numbers at the weighted mean, and ends when the objective changes by less than ``tolerance`` of itself. The result is rotated
    so that its components are orthonormal and ordered by the variance of their coordinates.
    """
    good = weight > 0
    weight = np.where(good, weight, 0.0)
    total = weight.sum(axis=0)
    mean = np.divide((weight * np.where(good, x, 0.0)).sum(axis=0), total, out=np.zeros(x.shape[1]), where=total > 0)
    filled = np.where(good, x, mean)
    start = plain_pca(filled, k)
    mean, components = start.mean, start.components
    objective = np.inf
    for _ in range(iterations):
        coordinates = _solve_rows(components, filled - mean, weight)
        design = np.column_stack([np.ones(len(x)), coordinates])
        solution = _solve_rows(design.T, filled.T, weight.T)
        mean, components = solution[:, 0], solution[:, 1:].T
        previous, objective = objective, float((weight * (filled - mean - coordinates @ components) ** 2).sum())
        if previous - objective <= tolerance * objective:
            break
    return _rotated(mean, components, coordinates)


def _solve_rows(basis: Float[np.ndarray, "k pixels"], y: Matrix, weight: Matrix) -> Float[np.ndarray, "stars k"]:
    """For each row i the c_i that minimises sum_j weight_ij (y_ij - (c_i basis)_j)^2, by batched normal equations."""
    k = len(basis)
    products = (basis[:, None, :] * basis[None, :, :]).reshape(k * k, -1)
    normal = (weight @ products.T).reshape(-1, k, k)
    diagonal = np.einsum("nii->ni", normal)
    diagonal += _RIDGE * diagonal.mean(axis=1, keepdims=True) + np.finfo(float).tiny
    return np.linalg.solve(normal, ((weight * y) @ basis.T)[..., None])[..., 0]


def _rotated(
    mean: Float[np.ndarray, " pixels"], components: Float[np.ndarray, "k pixels"], coordinates: Float[np.ndarray, "stars k"]
) -> PrincipalComponents:
    """The same affine model with orthonormal components, largest variance of the coordinates first, and centred coordinates."""
    centre = coordinates.mean(axis=0)
    triangle, basis = np.linalg.qr(components.T)[::-1]
    spread = (coordinates - centre) @ triangle.T
    _, _, rotation = np.linalg.svd(spread, full_matrices=False)
    return PrincipalComponents(mean + centre @ components, rotation @ basis.T)
