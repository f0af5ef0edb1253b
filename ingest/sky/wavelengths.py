"""The wavelengths at which the simulated sky is computed, and the two physical functions of wavelength that several parts need.

All wavelengths are in nanometres. The optical ones are in air, as in Kurucz's grid; the difference to vacuum, 0.1 to 0.3 nm, is a tenth of
a pixel of XP and is left out.
"""

import numpy as np
from jaxtyping import Float

#: Where stellar fluxes are evaluated for the XP spectra: 310 to 1099 nm in steps of 1 nm.
XP_GRID: Float[np.ndarray, " 790"] = np.arange(310.0, 1100.0)
XP_GRID.setflags(write=False)

#: The infrared bands of the simulated photometry: 2MASS J, H, Ks and WISE W1, W2.
NIR_BANDS = ("J", "H", "Ks", "W1", "W2")

_PLANCK_NUMERATOR = 2 * np.pi * 6.62607015e-34 * 299792458.0**2 * 1e36  # 2 pi h c^2, W m-2 nm-1 for wavelengths in nm
_SECOND_RADIATION_CONSTANT = 1.438776877e7  # h c / k, nm K


def ln_black_body(wavelength: Float[np.ndarray, " w"], teff: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n w"]:
    """Natural logarithm of Planck's flux through a surface, pi B_lambda(T), in W m-2 nm-1."""
    exponent = _SECOND_RADIATION_CONSTANT / (np.asarray(teff, float)[:, None] * wavelength)
    return np.log(_PLANCK_NUMERATOR / np.asarray(wavelength) ** 5) - np.log(np.expm1(exponent))
