"""source_id of simulated stars: the HEALPix pixel of the position of detection, which for a few is not the pixel they stand in.

A Gaia source_id holds a level-12 nested pixel above 35 bits: 3 for the processing centre, 25 for a number within the pixel, 7 for a
component (Gaia data model, gaia_source.source_id). Real stars lie up to 5.5 arcsec outside their pixel: 8 of 1,457 and 78 of 24,440 real rows do.
"""

import healpy as hp
import numpy as np
from jaxtyping import Float64, Int64

from catalog.healpix import ARCSEC, NSIDE, SHIFT

_COMPONENT_BITS = 7
_NUMBER_BITS = 25
MAX_DISPLACEMENT = 5.5 * ARCSEC
"""The largest distance of a simulated star from its pixel, but for the far-displaced ones."""


def displaced(
    ra: Float64[np.ndarray, " n"],
    dec: Float64[np.ndarray, " n"],
    rng: np.random.Generator,
    *,
    share: float = 0.05,
    n_far: int = 0,
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Positions of detection in degrees, up to 5.5 arcsec from the true ones; ``share`` of the stars are displaced at all.

    A pixel is 52 arcsec wide, so at the default share about one star in 200 gets another pixel's number, as in the real catalogue. The
    first ``n_far`` stars are moved by more than a pixel's longest diagonal and 10 arcsec: they stand further outside theirs than any padding.
    """
    u = rng.random((len(ra), 3))
    offset = np.where(u[:, 0] < share, MAX_DISPLACEMENT * np.sqrt(u[:, 1]), 0.0)
    offset[:n_far] = np.degrees(2 * hp.max_pixrad(NSIDE)) + (11.0 + 20.0 * u[:n_far, 1]) * ARCSEC
    return moved(ra, dec, offset, 2 * np.pi * u[:, 2])


def moved(
    ra: Float64[np.ndarray, " n"], dec: Float64[np.ndarray, " n"], offset: Float64[np.ndarray, " n"], angle: Float64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Positions an ``offset`` (degrees) away along great circles whose position angles (radians, from north over east) are ``angle``."""
    lon, lat, s = np.radians(ra), np.radians(dec), np.radians(offset)
    east, north = np.sin(s) * np.sin(angle), np.sin(s) * np.cos(angle)
    x = np.cos(s) * np.cos(lat) - north * np.sin(lat)  # along the meridian's foot, east of it, and to the pole
    z = np.cos(s) * np.sin(lat) + north * np.cos(lat)
    still = offset == 0.0
    new_ra = (np.degrees(lon + np.arctan2(east, x))) % 360.0
    return np.where(still, ra, np.where(new_ra >= 360.0, 0.0, new_ra)), np.where(still, dec, np.degrees(np.arctan2(z, np.hypot(x, east))))


def source_ids(ra: Float64[np.ndarray, " n"], dec: Float64[np.ndarray, " n"], rng: np.random.Generator) -> Int64[np.ndarray, " n"]:
    """Identifiers of the stars detected at positions in degrees, no two alike; numbers within a pixel are random, as in reality."""
    pixel = hp.ang2pix(NSIDE, ra, dec, nest=True, lonlat=True).astype(np.int64)
    number = 1 + rng.integers((1 << _NUMBER_BITS) - 1, size=len(ra))
    while True:
        source_id = (pixel << SHIFT) | (number << _COMPONENT_BITS)
        later = np.ones(len(ra), bool)
        later[np.unique(source_id, return_index=True)[1]] = False
        if not later.any():
            return source_id
        number[later] = 1 + number[later] % ((1 << _NUMBER_BITS) - 1)
