"""Whitening matrices of covariances: L with L^T L = C^-1, so that chi2 = |L difference|^2 (Zhang, Green & Rix 2023, Eqs. 3 and 4).

By Cholesky: C = F F^T, L = F^-1, lower triangular; an eighth of an eigendecomposition's cost. Theirs, L = D^-1/2 U^T of C = U D U^T with eigenvalues below
a floor raised to it, gives the same chi2 wherever none is below. That is proven star by star: 1 / lambda_min <= trace C^-1 = |L|^2, so
|L|^2 <= 1 / floor suffices. Every other star goes the eigenvalues' way.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy.linalg.lapack import dpotrf, dtrtri


@dataclass(frozen=True, eq=False)
class Whitening:
    """Of n stars: ``error``, the root of the diagonal of C, infinite where a band is missing.

    ``by_eigenvalues``: which stars went the eigenvalues' way; ``floored``: which had an eigenvalue below the floor (``error`` is then that
    of the covariance with it raised).
    """

    error: Float64[np.ndarray, "n bands"]
    by_eigenvalues: Bool[np.ndarray, " n"]
    floored: Bool[np.ndarray, " n"]


def whiten(
    covariance: Float64[np.ndarray, "n bands bands"],
    present: Bool[np.ndarray, "n bands"],
    floor: float,
    matrix: Float64[np.ndarray, "n bands bands"],
) -> Whitening:
    """Fill ``matrix``, zeros before, with the whitening matrices of covariances; rows and columns of missing bands stay zero.

    The covariance's rows and columns of missing bands are not looked at; every other number must be finite. ``floor`` has its unit. Each star
    is worked on by itself, so that its result does not depend on its neighbours.
    """
    n = len(present)
    with np.errstate(invalid="ignore"):
        error = np.where(present, np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), np.inf)
    by_eigenvalues, floored = np.zeros((2, n), bool)
    whole: Bool[np.ndarray, " n"] = np.asarray(present.all(axis=1))
    for i in range(n):
        bands_of_i = None if whole[i] else np.flatnonzero(present[i])
        block = covariance[i] if bands_of_i is None else covariance[i][np.ix_(bands_of_i, bands_of_i)]
        if len(block) == 0:
            continue
        # LAPACK sees columns where numpy has rows: its upper factor is the lower one here, and no copy is transposed.
        factor, failed = dpotrf(block.T, lower=0, clean=1)
        inverse = dtrtri(factor, lower=0, overwrite_c=1)[0].T if failed == 0 else factor
        if failed or not np.vdot(inverse, inverse) <= 1 / floor:
            values, vectors = np.linalg.eigh(block)
            raised = np.maximum(values, floor)
            by_eigenvalues[i], floored[i] = True, values[0] < floor
            inverse = (vectors / np.sqrt(raised)).T
            error[i, present[i]] = np.sqrt((vectors**2) @ raised)
        if bands_of_i is None:
            matrix[i] = inverse
        else:
            matrix[i][np.ix_(bands_of_i, bands_of_i)] = inverse
    return Whitening(error, by_eigenvalues, floored)
