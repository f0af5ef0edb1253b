"""Measured labels of surveys: truth plus noise whose size the survey's error columns state, and a few outliers.

Errors grow as 1/(S/N) to the noise and have a floor: sigma = base sqrt(1/4 + 3/4 (S/N_0 / S/N)^2), which is ``base`` at S/N_0.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from ingest.sky.labels import LABEL_NAMES, StellarLabels

Vector = Float64[np.ndarray, " n"]
Six = Float64[np.ndarray, "n 6"]

_OUTLIER_SIGMAS = (6.0, 20.0)


@dataclass(frozen=True)
class LabelErrors:
    """Errors of the six labels (K, dex) at the signal-to-noise ratio ``snr``."""

    snr: float
    teff: float
    logg: float
    feh: float
    alpha_m: float
    c_fe: float
    n_fe: float

    def at(self, snr: Vector) -> StellarLabels:
        """The errors at other signal-to-noise ratios, by the rule above."""
        growth = np.sqrt(0.25 + 0.75 * (self.snr / snr) ** 2)
        return StellarLabels(*(getattr(self, name) * growth for name in LABEL_NAMES))


APOGEE = LabelErrors(100.0, teff=40.0, logg=0.05, feh=0.03, alpha_m=0.02, c_fe=0.03, n_fe=0.04)
LAMOST = LabelErrors(60.0, teff=40.0, logg=0.06, feh=0.04, alpha_m=0.05, c_fe=0.10, n_fe=0.12)
"""Zhang, Green & Rix 2023, MNRAS 524, 1855, section 2.2, and the surveys' own papers: typical values."""
GALAH = LabelErrors(40.0, teff=90.0, logg=0.15, feh=0.08, alpha_m=0.04, c_fe=0.12, n_fe=0.15)
"""[assumed] near those of Buder et al. 2021, MNRAS 506, 150."""
HOT_PAYNE = LabelErrors(60.0, teff=150.0, logg=0.10, feh=0.10, alpha_m=0.10, c_fe=0.15, n_fe=0.20)
"""[assumed] near those of Xiang et al. 2022, A&A 662, A66."""


def measured(truth: StellarLabels, sigma: StellarLabels, z: Six, outlier: Bool[np.ndarray, " n"]) -> StellarLabels:
    """True labels plus ``sigma`` times standard normal ``z``; an outlier's labels are 6 to 20 sigma off, to the side of its noise."""
    near, far = _OUTLIER_SIGMAS
    off = np.sign(z) * (near + (far - near) * np.exp(-np.abs(z)))
    noise = np.where(outlier[:, None], off, z)
    return StellarLabels(*(getattr(truth, name) + getattr(sigma, name) * noise[:, column] for column, name in enumerate(LABEL_NAMES)))
