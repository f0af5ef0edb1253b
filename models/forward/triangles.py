"""Covariance matrices as the catalogue keeps them: packed triangles in K, as float32 that is still positive semi-definite."""

import numpy as np
from jaxtyping import Float32, Float64

from models.forward.parameters import PARAMETERS

N_LABELS = len(PARAMETERS)
"""Labels of the packed matrices: xi, where it is modelled, has columns of its own."""
KELVIN = 1000.0
"""K per kK."""
SMALLEST_EIGENVALUE = 1e-6
"""Of a matrix scaled to a diagonal of one. Rounding each element to float32 moves no eigenvalue by more than 5 times 6e-8: one rounding here and one
more where the paper's units are made leave it positive."""


def in_kelvin(matrices: Float64[np.ndarray, "n p p"], power: int = 1) -> Float64[np.ndarray, "n p p"]:
    """Covariance matrices (power 1) or inverse ones (power -1) with teff in K in the place of kK."""
    factor = np.ones(matrices.shape[1])
    factor[0] = KELVIN**power
    scaled: Float64[np.ndarray, "n p p"] = matrices * factor[:, None] * factor
    return scaled


def definite(matrices: Float64[np.ndarray, "n p p"]) -> Float64[np.ndarray, "n p p"]:
    """The matrices with each variance raised by the same share, at most about SMALLEST_EIGENVALUE, where they are not definite enough to be rounded.

    NaN throughout for a matrix with a variance that is not positive, or with numbers that are not finite.
    """
    variance = np.einsum("nii->ni", matrices)
    usable = np.isfinite(matrices).all(axis=(1, 2)) & (variance > 0).all(axis=1)
    safe = np.where(usable[:, None, None], matrices, np.eye(matrices.shape[1]))
    scale = np.sqrt(np.einsum("nii->ni", safe))
    lowest = np.linalg.eigvalsh(safe / scale[:, :, None] / scale[:, None, :])[:, 0]
    raised = safe.copy()
    diagonal = np.arange(matrices.shape[1])
    raised[:, diagonal, diagonal] *= 1 + np.maximum(SMALLEST_EIGENVALUE - lowest, 0.0)[:, None]
    raised[~usable] = np.nan
    return raised


def packed(matrices: Float64[np.ndarray, "n p p"]) -> Float32[np.ndarray, "n t"]:
    """Upper triangles, row by row, diagonal in (numpy.triu_indices)."""
    row, column = np.triu_indices(matrices.shape[1])
    with np.errstate(over="ignore"):
        return matrices[:, row, column].astype(np.float32)


def unpacked(triangles: Float32[np.ndarray, "n t"]) -> Float64[np.ndarray, "n p p"]:
    """The symmetric matrices of packed triangles."""
    size = int((np.sqrt(8 * triangles.shape[1] + 1) - 1) / 2)
    row, column = np.triu_indices(size)
    matrices = np.empty((len(triangles), size, size))
    matrices[:, row, column] = triangles
    matrices[:, column, row] = triangles
    return matrices
