"""Where a source stands at another epoch: uniform motion in space, as the Gaia catalogue defines its proper motions.

Perspective is taken into account where parallax and radial velocity are known; without them the motion is that of a star without radial
velocity. Hipparcos and Tycho Catalogues (ESA SP-1200), volume 1, section 1.5.5; light-travel time is left out, as there.
"""

import numpy as np
from jaxtyping import Float64

Vector = Float64[np.ndarray, " n"]

MAS = np.pi / 180.0 / 3_600_000.0
"""Radians in a milliarcsecond."""
AU_PER_YEAR = 4.740470463533349
"""One astronomical unit per Julian year in km/s (IAU 2012)."""


def at_epoch(
    ra: Vector, dec: Vector, pmra: Vector, pmdec: Vector, parallax: Vector, radial_velocity: Vector, years: Vector
) -> tuple[Vector, Vector]:
    """ra and dec (degrees, ICRS) after some ``years``. pmra (with cos(dec)) and pmdec mas/yr, parallax mas, radial velocity km/s.

    What is NaN counts as 0; so does a negative parallax.
    """
    lon, lat = np.radians(ra), np.radians(dec)
    east = np.nan_to_num(pmra) * MAS * years
    north = np.nan_to_num(pmdec) * MAS * years
    away = 1.0 + np.maximum(np.nan_to_num(parallax), 0.0) * MAS * np.nan_to_num(radial_velocity) / AU_PER_YEAR * years
    # In the axes outwards, east and north at the star: only the two angles to these axes change, so nearby positions keep all their digits.
    along = away * np.cos(lat) - north * np.sin(lat)
    new_ra = (np.degrees(lon + np.arctan2(east, along))) % 360.0
    new_dec = np.degrees(np.arctan2(away * np.sin(lat) + north * np.cos(lat), np.hypot(along, east)))
    still = (east == 0.0) & (north == 0.0)
    return np.where(still, ra, np.where(new_ra >= 360.0, 0.0, new_ra)), np.where(still, dec, new_dec)


def separation(ra: Vector, dec: Vector, other_ra: Vector, other_dec: Vector) -> Vector:
    """Distance in arcsec between positions in degrees, by the haversine formula, which keeps its digits at small distances."""
    lat, other = np.radians(dec), np.radians(other_dec)
    h = np.sin((other - lat) / 2.0) ** 2 + np.cos(lat) * np.cos(other) * np.sin(np.radians(other_ra - ra) / 2.0) ** 2
    return np.asarray(np.degrees(2.0 * np.arcsin(np.sqrt(np.minimum(h, 1.0)))) * 3600.0)
