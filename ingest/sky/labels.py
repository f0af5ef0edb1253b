"""Labels of simulated stars: the six numbers from which every simulated spectrum is made."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float64

from catalog.errors import DataError

Index = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class StellarLabels:
    """Atmospheric labels of n stars, one float64 array a label.

    ``feh`` is [Fe/H], ``alpha_m`` [alpha/M], ``c_fe`` [C/Fe] and ``n_fe`` [N/Fe], all in dex relative to the Sun. DataError unless all
    arrays are one-dimensional and equally long.
    """

    teff: Float64[np.ndarray, " n"]
    """Effective temperature, K."""
    logg: Float64[np.ndarray, " n"]
    """Surface gravity, log10 of cm s-2."""
    feh: Float64[np.ndarray, " n"]
    alpha_m: Float64[np.ndarray, " n"]
    c_fe: Float64[np.ndarray, " n"]
    n_fe: Float64[np.ndarray, " n"]

    def __post_init__(self) -> None:
        for name in LABEL_NAMES:
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
        shapes = {getattr(self, name).shape for name in LABEL_NAMES}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise DataError(f"The labels of n stars are six arrays of length n, not of the shapes {sorted(shapes)}.")

    def __len__(self) -> int:
        return len(self.teff)

    @property
    def mh(self) -> Float64[np.ndarray, " n"]:
        """[M/H], dex, of all elements together."""
        return overall_metallicity(self.feh, self.alpha_m)

    def take(self, index: Index) -> "StellarLabels":
        """The stars of an index or a mask."""
        return StellarLabels(*(getattr(self, name)[index] for name in LABEL_NAMES))

    @staticmethod
    def concatenate(parts: Sequence["StellarLabels"]) -> "StellarLabels":
        """All stars of the parts, in their order; at least one part."""
        return StellarLabels(*(np.concatenate([getattr(part, name) for part in parts]) for name in LABEL_NAMES))


LABEL_NAMES = tuple(field.name for field in fields(StellarLabels))
"""teff, logg, feh, alpha_m, c_fe, n_fe: the order in which arrays of labels are stacked."""


def overall_metallicity(feh: Float64[np.ndarray, " n"], alpha_m: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """[M/H] = [Fe/H] + log10(0.638 10^[alpha/Fe] + 0.362), Salaris, Chieffi & Straniero 1993, ApJ 414, 580, eq. 3.

    The simulated sky takes [alpha/M] for [alpha/Fe] here: the simulation defines alpha_m by this use of it.
    """
    return np.asarray(feh + np.log10(0.638 * 10.0**alpha_m + 0.362))
