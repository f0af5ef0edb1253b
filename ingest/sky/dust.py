"""Reddening E(B-V) along each line of sight: a smooth layer times patches of dust.

The layer is a double exponential about the plane (scale height and length near those of Drimmel & Spergel 2001, ApJ 556, 181; 0.28
mag/kpc at the Sun in the plane). The patches are log-normal cells of the sky, 7 degrees wide with a spread of 0.45 in ln E and within
them of 0.9 degrees with 0.12, so neighbours on the sky share their dust at every distance and E never falls along a line of sight.
"""

from dataclasses import dataclass
from typing import Any

import healpy as hp
import numpy as np
from jaxtyping import Float64

from ingest.sky.draws import Draws
from ingest.sky.galaxy import R_SUN, cylinder_radius, galactocentric

Vector = Float64[np.ndarray, " n"]

PER_KPC, HEIGHT, LENGTH = 0.28, 0.125, 3.5
_LARGE, _SMALL = (8, 0.45), (64, 0.12)
"""HEALPix nside and spread of ln E of the two patchworks."""
_MEAN = -0.1


@dataclass(frozen=True, eq=False)
class DustMap:
    """The dust of one simulated sky."""

    large: Float64[np.ndarray, " 768"]
    small: Float64[np.ndarray, " 49152"]

    @staticmethod
    def drawn(draws: Draws) -> "DustMap":
        """The patches of a seed."""
        (coarse, wide), (fine, narrow) = _LARGE, _SMALL
        return DustMap(
            wide * draws.generator("dust large").standard_normal(hp.nside2npix(coarse)),
            narrow * draws.generator("dust small").standard_normal(hp.nside2npix(fine)),
        )

    def ebv(self, distance: Vector, longitude: Vector, latitude: Vector) -> Vector:
        """E(B-V) in mag at a distance in kpc towards Galactic coordinates in radians."""
        sky = np.degrees(longitude), np.degrees(latitude)
        patch = self.large[hp.ang2pix(_LARGE[0], *sky, lonlat=True)] + self.small[hp.ang2pix(_SMALL[0], *sky, lonlat=True)]
        return np.asarray(layer(distance, longitude, latitude) * np.exp(patch + _MEAN))


def layer(distance: Vector, longitude: Vector, latitude: Vector, steps: int = 48) -> Vector:
    """E(B-V) of the smooth layer: dE/ds integrated in equal steps of the logarithm of the distance, which follow the thin layer near the Sun."""
    distance = np.asarray(distance, np.float64)
    # substitution s = exp(g) - s0, ds = (s + s0) dg: midpoints close together near the Sun, where the dust is
    s0 = 0.1
    reach = np.log1p(distance / s0)
    total = np.zeros_like(distance)
    for k in range(steps):
        s = s0 * np.expm1(reach * (k + 0.5) / steps)
        total += (s + s0) * _per_kpc(s, longitude, latitude)
    return total * reach / steps


def _per_kpc(s: Any, longitude: Vector, latitude: Vector) -> Vector:
    x = galactocentric(s, longitude, latitude)
    radius = cylinder_radius(x)
    return np.asarray(PER_KPC * np.exp(-np.abs(x[2]) / HEIGHT - (radius - R_SUN) / LENGTH))
