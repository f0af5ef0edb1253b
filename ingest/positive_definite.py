"""Whether correlation matrices are positive definite: the archive's are rounded to float32, and some have a smallest eigenvalue of rounding size.

The rule is that LAPACK's Cholesky decomposition, in double precision, of the matrix as it is stored (float32, ones on the diagonal) finds every
pivot positive. Each matrix is decided by itself, so neither the block that it comes in nor its neighbours matter.
"""

import numpy as np
from jaxtyping import Bool, Float32
from scipy.linalg.lapack import dpotrf


def positive_definite(correlations: Float32[np.ndarray, "matrices pairs"], n: int) -> Bool[np.ndarray, " matrices"]:
    """Which matrices are positive definite; one with a NaN is not.

    ``correlations`` are lower triangles without the diagonal, row by row, of n x n matrices.
    """
    matrices = np.zeros((len(correlations), n, n))
    matrices[:, range(n), range(n)] = 1.0
    first = 0
    for row in range(1, n):
        matrices[:, row, :row] = correlations[:, first : first + row]
        first += row
    definite = np.zeros(len(correlations), bool)
    for index, by_columns in enumerate(matrices.transpose(0, 2, 1)):  # LAPACK counts by columns: the lower triangle is its upper one
        factor, failed_at = dpotrf(by_columns, lower=0, clean=0, overwrite_a=1)
        definite[index] = failed_at == 0 and factor[-1, -1] > 0  # a NaN anywhere reaches the last pivot
    return definite
