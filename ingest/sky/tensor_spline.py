"""Smooth functions of two variables: cubic B-splines in each, multiplied; what both emulators are written in.

The same two functions serve the fit and the evaluation, so the fitted numbers cannot be read in another basis than they were fitted in.
"""

import numpy as np
from jaxtyping import Float
from scipy.interpolate import BSpline

DEGREE = 3


def spline_basis(x: Float[np.ndarray, " n"], knots: Float[np.ndarray, " k"]) -> Float[np.ndarray, "n k+2"]:
    """Values of the cubic B-splines on these knots (ends included) at x; outside the knots the value at the end holds."""
    knots = np.asarray(knots, float)
    clamped = np.concatenate([np.repeat(knots[0], DEGREE), knots, np.repeat(knots[-1], DEGREE)])
    # "extrapolate" never happens after the clip; it spares scipy a search for the extremes, which it does in Python and not for no x at all.
    return BSpline.design_matrix(np.clip(x, knots[0], knots[-1]), clamped, DEGREE, extrapolate=True).toarray()


def tensor_basis(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], x_knots: Float[np.ndarray, " k"], y_knots: Float[np.ndarray, " l"]
) -> Float[np.ndarray, "n m"]:
    """Products of the splines in x and in y, those in y running fastest: m = (k + 2)(l + 2)."""
    along_x, along_y = spline_basis(x, x_knots), spline_basis(y, y_knots)
    return (along_x[:, :, None] * along_y[:, None, :]).reshape(len(along_x), along_x.shape[1] * along_y.shape[1])


def weighted_sum(basis: Float[np.ndarray, "n m"], coefficients: Float[np.ndarray, "m w"]) -> Float[np.ndarray, "n w"]:
    """basis @ coefficients with the same bits for a star whatever stands beside it and on any number of threads.

    A matrix product of BLAS sums in an order that depends on the shape and on the threads; here each row is summed in one order.
    """
    return np.einsum("nm,mw->nw", basis, coefficients, optimize=False)
