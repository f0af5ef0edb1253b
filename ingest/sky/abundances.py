"""Abundances of the simulated stars: two sequences of alpha elements, and carbon and nitrogen that giants have dredged up.

The alpha sequences follow the shape seen in APOGEE (Hayden et al. 2015, ApJ 808, 132), the accreted branch that of Gaia-Enceladus
(Helmi et al. 2018, Nature 563, 85; Das et al. 2020, MNRAS 493, 5195), C/N against mass after the first dredge-up Martig et al. 2016,
MNRAS 456, 3655, and extra mixing above the bump in metal-poor giants Gratton et al. 2000, A&A 354, 169. The numbers are plausible, not fitted.
"""

import numpy as np
from jaxtyping import Float64

from ingest.sky.galaxy import Population

Vector = Float64[np.ndarray, " n"]

_ALPHA_SCATTER = {Population.THIN: 0.025, Population.THICK: 0.03, Population.HALO: 0.04, Population.ACCRETED: 0.04}


def draw_alpha(population: Population, feh: Vector, rng: np.random.Generator, scatter: float = 1.0) -> Vector:
    """[alpha/M] in dex for the [Fe/H] of stars of one component; ``scatter`` widens the sequences (1: about 0.03 dex)."""
    if population is Population.THIN:
        mean = np.clip(0.02 - 0.13 * feh, 0.0, 0.14)
    elif population is Population.THICK:
        mean = np.maximum(0.27 - 0.22 * np.maximum(feh + 0.55, 0.0), 0.06)
    elif population is Population.ACCRETED:  # its knee lies a dex below the Galaxy's own
        mean = np.maximum(0.28 - 0.22 * np.maximum(feh + 1.5, 0.0), 0.05)
    else:
        mean = np.full(len(feh), 0.28)
    return np.asarray(mean + scatter * _ALPHA_SCATTER[population] * rng.standard_normal(len(feh)))


def carbon_nitrogen(logg: Vector, feh: Vector, alpha_m: Vector, mass: Vector, rng: np.random.Generator) -> tuple[Vector, Vector]:
    """[C/Fe] and [N/Fe] in dex: birth trends, first dredge-up by mass (solar masses, today's), and extra mixing at the tip.

    The scatter about the trends is 0.03 and 0.04 dex.
    """
    mass = np.clip(mass, 0.8, 2.5)
    evolved = 1.0 / (1.0 + np.exp((logg - 3.3) / 0.12))
    extra = np.clip(-0.3 - feh, 0.0, 0.8) / (1.0 + np.exp((logg - 2.2) / 0.15))
    noise = rng.standard_normal((len(logg), 2))
    carbon = 0.02 + 0.45 * alpha_m - evolved * (0.08 + 0.10 * (mass - 1.0)) - 0.25 * extra
    nitrogen = 0.02 + 0.10 * alpha_m + 0.15 * np.clip(feh, 0.0, 0.4) + evolved * (0.14 + 0.24 * (mass - 1.0)) + 0.45 * extra
    return carbon + 0.03 * noise[:, 0], nitrogen + 0.04 * noise[:, 1]
