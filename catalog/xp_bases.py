"""The basis functions that XP coefficients stand for, by the ids of the archive's bp/rp_basis_function_id.

Gaia DR3 has 56 and 57. The basis of DR4 is not public; the simulated DR4 has a mock of it, linear combinations of DR3's coefficients.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from catalog.errors import DataError
from catalog.spectra import Band

N_DR3 = 55
"""Coefficients of a band in Gaia DR3."""


@dataclass(frozen=True)
class XpBasis:
    """The basis functions of a band."""

    basis_function_id: int
    band: Band
    n_coefficients: int
    mock: bool = False

    def from_dr3(self) -> Float64[np.ndarray, "n_coefficients n_dr3"]:
        """The matrix that turns DR3's coefficients of the band into these."""
        return mock_dr4_projection(self.n_coefficients) if self.mock else np.eye(N_DR3)


BASES = {
    basis.basis_function_id: basis
    for basis in (XpBasis(56, "bp", 55), XpBasis(57, "rp", 55), XpBasis(156, "bp", 51, mock=True), XpBasis(157, "rp", 55, mock=True))
}


def xp_basis(basis_function_id: int, band: Band) -> XpBasis:
    """The basis of that id; DataError if there is none for this band."""
    basis = BASES.get(basis_function_id)
    if basis is None or basis.band != band:
        known = ", ".join(str(each.basis_function_id) for each in BASES.values() if each.band == band)
        raise DataError(
            f"{band.upper()} coefficients of basis functions {basis_function_id} are unknown here (known: {known}): how they become a spectrum "
            "is published with each Gaia release and has to be added for this one."
        )
    return basis


def mock_dr4_projection(n_coefficients: int, n_dr3: int = N_DR3) -> Float64[np.ndarray, "n_coef n_dr3"]:
    """A stand-in for the basis of Gaia DR4, which is not public: orthonormal rows that mix neighbouring DR3 coefficients.

    Of it only the number of coefficients is known (51 in BP). Rows are the first of a rotation Q = (1 - S)^-1 (1 + S) (Cayley), S
    antisymmetric with 0.1 between neighbours: Q turns neighbours by about 0.2 rad, so that a model of DR3 fails visibly on these
    coefficients, and what the missing rows held are DR3's highest orders, which are noise in all but the brightest stars.
    """
    mixing = 0.1 * (np.eye(n_dr3, k=1) - np.eye(n_dr3, k=-1))
    rotation: Float64[np.ndarray, "n_dr3 n_dr3"] = np.linalg.solve(np.eye(n_dr3) - mixing, np.eye(n_dr3) + mixing)
    return rotation[:n_coefficients]
