"""Extinctions beside other maps, and maps of their own: stars behind the dust (figure 20), other catalogues (21), slices in distance (22 and 23)."""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from models.forward.evaluation.estimates import EstimatedStars
from models.forward.parameters import PARAMETERS

HEIGHT, LATITUDE = 0.4, 10.0
"""Stars behind nearly all dust are further than so many kpc from the plane and so many degrees from it (section 5.3)."""
MAGELLANIC = ((280.47, -32.89, 8.0), (302.81, -44.33, 6.0))
"""Galactic longitude, latitude and radius in degrees of the Large and the Small Cloud, which figure 20 leaves out."""
SLICES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Edges of the slices, kpc; the paper's figures 22 and 23 have finer ones, for 220 million stars."""
LARGEST_EXT, LARGEST_EXT_ERROR, LARGEST_PARALLAX_ERROR = 10.0, 0.04, 0.1
"""Stars of the maps: ext below, its error below, the parallax's relative error below (section 5.4)."""
NSIDES = (64, 32, 16, 8, 4, 2)
FEWEST = 10
"""Stars that a pixel must have; where the finest pixels have fewer, coarser ones stand in their place."""


def behind_dust(stars: EstimatedStars, longitude: Float[np.ndarray, " n"], latitude: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which reliable stars lie behind nearly all dust of their sightline, by the estimated parallax, away from the Magellanic Clouds."""
    distance = 1.0 / stars.parameter("parallax")
    high = np.abs(distance * np.sin(np.radians(latitude))) > HEIGHT
    chosen = stars.reliable & high & (np.abs(latitude) > LATITUDE)
    for centre_l, centre_b, radius in MAGELLANIC:
        cosine = np.sin(np.radians(latitude)) * np.sin(np.radians(centre_b)) + np.cos(np.radians(latitude)) * np.cos(
            np.radians(centre_b)
        ) * np.cos(np.radians(longitude - centre_l))
        chosen &= cosine < np.cos(np.radians(radius))
    return chosen


def mappable(stars: EstimatedStars) -> Bool[np.ndarray, " n"]:
    """Which stars the maps are made of (section 5.4): a good fit, an extinction and a distance that are known well."""
    ext, parallax = (PARAMETERS.index(name) for name in ("ext", "parallax"))
    return (
        (stars.loss <= 5.0 * stars.n_bands)
        & (stars.values[:, ext] < LARGEST_EXT)
        & (stars.errors[:, ext] < LARGEST_EXT_ERROR)
        & (stars.errors[:, parallax] < LARGEST_PARALLAX_ERROR * stars.values[:, parallax])
    )


@dataclass(frozen=True, eq=False)
class Slice:
    """Mean extinction out to a range of distances and its increase over the slice before, per pixel of nside NSIDES[0] (nested, Galactic); NaN: unknown."""

    nearest: float
    farthest: float
    stars: int
    mean: Float[np.ndarray, " pixels"]
    increase: Float[np.ndarray, " pixels"]


def slices(
    stars: EstimatedStars, longitude: Float[np.ndarray, " n"], latitude: Float[np.ndarray, " n"], chosen: Bool[np.ndarray, " n"]
) -> list[Slice]:
    """Inverse-variance-weighted mean extinction of the stars in each range of distance, and how much it is above that of the range before."""
    import healpy

    found: list[Slice] = []
    known = chosen & np.isfinite(longitude)
    distance = 1.0 / stars.parameter("parallax")
    before = np.zeros(healpy.nside2npix(NSIDES[0]))
    for nearest, farthest in itertools.pairwise(SLICES):
        inside = known & (distance >= nearest) & (distance < farthest)
        pixel = healpy.ang2pix(NSIDES[0], longitude[inside], latitude[inside], nest=True, lonlat=True)
        error = stars.errors[inside, PARAMETERS.index("ext")]
        mean = adaptive_mean(pixel, stars.parameter("ext")[inside], error**-2.0)
        found.append(Slice(nearest, farthest, int(inside.sum()), mean, mean - before))
        before = mean
    return found


def adaptive_mean(
    pixel: np.ndarray, value: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " pixels"]:  # fmt: skip
    """Weighted mean in each nested pixel of NSIDES[0], of the smallest of the nested NSIDES that holds FEWEST stars; NaN where none does."""
    n = 12 * NSIDES[0] ** 2
    mean = np.full(n, np.nan)
    for nside in NSIDES:
        children = (NSIDES[0] // nside) ** 2
        coarse = pixel // children
        size = 12 * nside**2
        count = np.bincount(coarse, minlength=size)
        total = np.bincount(coarse, weights=weight, minlength=size)
        with np.errstate(divide="ignore", invalid="ignore"):
            here = np.where(count >= FEWEST, np.bincount(coarse, weights=weight * value, minlength=size) / total, np.nan)
        mean = np.where(np.isnan(mean), np.repeat(here, children), mean)
    return mean
