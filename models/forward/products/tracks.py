"""Where the paper's figures 12 to 14 lie in the Kiel diagram: main sequence and giant branch as broken lines (Zhang, Green & Rix 2023, section 5.1)."""

import numpy as np
from jaxtyping import Float


def main_sequence_logg(teff: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """log g of dwarfs of these temperatures, K (Eq. 28)."""
    middle = 4.6 - 5.0e-4 * (teff - 5000)
    return np.where(teff < 5000, 4.6, np.where(teff < 6300, middle, 3.95))


def giant_branch_teff(logg: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Effective temperature, K, of giants of these gravities (Eq. 29)."""
    return np.where(logg < 3.65, 5200 - 441.86 * (3.65 - logg), 5900 - 1400 * (4.15 - logg))
