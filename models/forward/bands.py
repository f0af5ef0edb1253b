"""The 66 bands of the flux vector (Zhang, Green & Rix 2023, sections 2.1, 2.3 and 2.4): where they lie and what they are called.

Fluxes are in 1e-18 W m-2 nm-1 throughout the forward model.
"""

import numpy as np

FLUX_UNIT = 1e-18
"""W m-2 nm-1."""
XP_WAVELENGTHS = np.arange(392.0, 993.0, 10.0)
"""nm. The finest sampling whose covariance stays positive definite (section 2.1)."""
N_XP = len(XP_WAVELENGTHS)
NIR_BANDS = ("J", "H", "Ks", "W1", "W2")
NIR_WAVELENGTHS = np.array([1235.0, 1662.0, 2159.0, 3352.6, 4602.8])
"""nm; lambda_0 of Eq. 5."""
NIR_AB_OFFSETS = np.array([0.91, 1.39, 1.85, 2.699, 3.339])
"""mag; Delta m of Eq. 5, AB minus Vega."""
WAVELENGTHS = np.concatenate([XP_WAVELENGTHS, NIR_WAVELENGTHS])
N_BANDS = len(WAVELENGTHS)
BAND_NAMES = (*(f"{wavelength:.0f} nm" for wavelength in XP_WAVELENGTHS), *NIR_BANDS)
FITTED_DOF = 61
"""Degrees of freedom that chi2_opt is divided by in the paper's flag, whatever bands there are (Eq. 24)."""
