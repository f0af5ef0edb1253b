"""How well the forward model's five parameters can be known from a simulated star's 66 fluxes and its parallax: bounds by Fisher's information.

Parameters are teff, feh, logg, ext and parallax; with them are unknown what differs among stars of a type, with the population's spread at that type as
prior. Noise is what the observations' whitening matrices say: the reported covariance with the terms of Zhang, Green & Rix 2023, Eq. 2, and missing
bands as missing. Derivatives are those of the simulated sky, by central differences, and not the model's own.

Two bounds are given. ``abundances``: alpha elements, carbon and nitrogen are unknown, while radius and extinction curve follow from the type as
they do on average. ``everything``: mass (that is radius at given logg) and R_V are unknown too, as they are on the sky: no method that knows types alone
does better than this one, with a Gaussian prior of the population's spread. Both leave out what a prior of types adds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from threadpoolctl import threadpool_limits

from benchmarks.forward_truth import Sampling, Typical, true_fluxes
from ingest.sky.fisher import PARAMETERS as SKY_PARAMETERS
from ingest.sky.fisher import response
from ingest.sky.stars import Stars

Five = Float64[np.ndarray, "n 5"]
_SLOPES = ("teff", "feh", "logg", "ebv", "alpha_m", "c_fe", "n_fe", "rv")
_BLOCK = 250


@dataclass(frozen=True, eq=False)
class Response:
    """Derivatives of the whitened fluxes of n stars: by (teff in kK, feh, logg, ext, parallax) along what is typical, and by HIDDEN."""

    parameters: Float64[np.ndarray, "n 66 5"]
    hidden: Float64[np.ndarray, "n 66 5"]
    parallax_weight: Float64[np.ndarray, " n"]
    """1 / error^2, mas-2."""

    def information(self) -> Float64[np.ndarray, "n 5 5"]:
        """Of the parameters if nothing else were unknown."""
        told = self.parameters.transpose(0, 2, 1) @ self.parameters
        told[:, 4, 4] += self.parallax_weight
        return told

    def bounds(self, typical: Typical, unknown: slice) -> Five:
        """Standard deviations of the parameters while these of HIDDEN are unknown."""
        hidden = self.hidden[:, :, unknown]
        prior = np.linalg.inv(typical.covariance[:, unknown, unknown] + 1e-10 * np.eye(hidden.shape[2]))
        cross = self.parameters.transpose(0, 2, 1) @ hidden
        rest = np.linalg.solve(hidden.transpose(0, 2, 1) @ hidden + prior, cross.transpose(0, 2, 1))
        told = self.information() - cross @ rest
        return np.sqrt(np.diagonal(np.linalg.inv(told), axis1=1, axis2=2))

    def shift(self, whitened: Float64[np.ndarray, "n 66"], parallax: Float64[np.ndarray, " n"] | float = 0.0) -> Five:
        """How far whitened flux differences (and a parallax that is off, mas) move the best-fitting parameters, to first order."""
        pull = np.einsum("nbp,nb->np", self.parameters, whitened)
        pull[:, 4] += self.parallax_weight * parallax
        return np.asarray(np.linalg.solve(self.information(), pull[..., None])[..., 0])


ABUNDANCES, EVERYTHING = slice(0, 3), slice(0, 5)


def sky_response(
    stars: Stars,
    typical: Typical,
    whitening: Float64[np.ndarray, "n 66 66"],
    parallax_error: Float64[np.ndarray, " n"],
    sampling: Sampling,
    alpha_gain: float,
) -> Response:
    """The sky's response at the stars' true labels; some 10 ms a star."""
    parts = []
    with threadpool_limits(1, "blas"):
        for start in range(0, len(stars), _BLOCK):
            rows = slice(start, start + _BLOCK)
            parts.append(_block(stars.take(rows), typical.slope[rows], whitening[rows], sampling, alpha_gain))
    return Response(np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]), parallax_error**-2.0)


def _block(
    stars: Stars, slope: Float64[np.ndarray, "n 5 3"], whitening: Float64[np.ndarray, "n 66 66"], sampling: Sampling, alpha_gain: float
) -> tuple[Float64[np.ndarray, "n 66 5"], Float64[np.ndarray, "n 66 5"]]:
    flux = true_fluxes(stars, sampling, alpha_gain)
    slopes = response(lambda some: true_fluxes(some, sampling, alpha_gain), stars, _SLOPES)
    by = {name: slopes[:, SKY_PARAMETERS.index(name)] for name in _SLOPES}
    hidden = np.stack([by["alpha_m"], by["c_fe"], by["n_fe"], flux, by["rv"]], axis=2)  # flux goes as R^2, and R^2 as the mass
    # logg at a given mass is radius: R^2 falls as 10^-logg
    own = np.stack([1000 * by["teff"], by["feh"], by["logg"] - np.log(10.0) * flux], axis=2) + hidden @ slope
    own = np.concatenate([own, by["ebv"][..., None], (2 * flux / stars.parallax[:, None])[..., None]], axis=2)
    return whitening @ own, whitening @ hidden
