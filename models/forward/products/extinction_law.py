"""The extinction law of Cardelli, Clayton & Mathis 1989 (ApJ 345, 245), which the paper's figure 15 compares with.

A(lambda) / A(V) = a(x) + b(x) / R(V), x = 1 um / lambda: their Eqs. 2 and 3, for 0.3 < x < 3.3. W1 (x = 0.298) and W2 (0.217) lie beyond the law's
end: there it is the infrared power law continued.
"""

import numpy as np
from jaxtyping import Float
from numpy.polynomial import polynomial

OPTICAL_A = (1.0, 0.17699, -0.50447, -0.02427, 0.72085, 0.01979, -0.77530, 0.32999)
OPTICAL_B = (0.0, 1.41338, 2.28305, 1.07233, -5.38434, -0.62251, 5.30260, -2.09002)
"""In powers of x - 1.82."""
INFRARED_END = 1.1
"""x, um^-1: below it the power law holds."""
BLUE_END = 3.3


def ccm89(wavelengths: Float[np.ndarray, " n"], rv: float) -> Float[np.ndarray, " n"]:
    """A(lambda) / A(V) at wavelengths in nm of 303 or more; ValueError below, where another formula holds."""
    x = 1000.0 / wavelengths
    if (x > BLUE_END).any():
        raise ValueError(f"the optical part of the law begins at {1000 / BLUE_END:.0f} nm, not at {wavelengths.min():g} nm")
    infrared = x**1.61
    y = x - 1.82
    a = np.where(x < INFRARED_END, 0.574 * infrared, polynomial.polyval(y, OPTICAL_A))
    b = np.where(x < INFRARED_END, -0.527 * infrared, polynomial.polyval(y, OPTICAL_B))
    return np.asarray(a + b / rv)
