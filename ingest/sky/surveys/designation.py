"""Names made of positions as 2MASS makes them, positions at other epochs, and the identifiers of the same stars in Gaia DR2."""

import numpy as np
from jaxtyping import Float64, Int64

from catalog.healpix import ARCSEC
from ingest.sky.surveys.inputs import SurveyInput

Vector = Float64[np.ndarray, " n"]

EPOCH = 2016.0
"""The epoch of the input's positions."""
DR2_RENUMBERED = 0.03
"""Share of stars whose number in Gaia DR2 was another one."""


def at_epoch(stars: SurveyInput, epoch: float) -> tuple[Vector, Vector]:
    """Positions in degrees moved along the proper motions; to first order, which is below 1 mas over 20 years away from the poles."""
    years = (epoch - EPOCH) * ARCSEC / 1000.0
    return shifted(stars.ra, stars.dec, stars.pmra * years, stars.pmdec * years)


def shifted(ra: Vector, dec: Vector, east: Vector, north: Vector) -> tuple[Vector, Vector]:
    """Positions moved by small steps to the east (along the great circle) and north, all in degrees."""
    scale = np.maximum(np.cos(np.radians(dec)), 1e-6)
    new_dec = np.clip(dec + north, -90.0, 90.0)
    new_ra = (ra + east / scale) % 360.0
    return np.where(new_ra >= 360.0, 0.0, new_ra), new_dec


def two_mass_name(ra: Vector, dec: Vector) -> np.ndarray:
    """hhmmssss+ddmmsss, positions cut off and not rounded, as the 2MASS Explanatory Supplement (II.2.a) makes designations."""
    time = np.floor(np.asarray(ra) / 15.0 * 360_000.0).astype(np.int64) % (24 * 360_000)
    arc = np.floor(np.abs(dec) * 36_000.0).astype(np.int64)
    h, m, s = time // 360_000, time // 6_000 % 60, time % 6_000
    d, am, a = arc // 36_000, arc // 600 % 60, arc % 600
    sign = np.where(np.asarray(dec) < 0, "-", "+")
    rows = zip(h.tolist(), m.tolist(), s.tolist(), sign.tolist(), d.tolist(), am.tolist(), a.tolist(), strict=True)
    return np.array([f"{h:02d}{m:02d}{s:04d}{sign}{d:02d}{am:02d}{a:03d}" for h, m, s, sign, d, am, a in rows], "U16")


def gaia_dr2_source_id(source_id: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """The stars' numbers in Gaia DR2: mostly the same, in the rest another number within the pixel.

    It depends on nothing but the number, so all surveys of a sky agree. [assumed] the share: of real stars a few in a hundred changed.
    """
    mixed = _mixed(source_id)
    renumbered = (mixed % np.uint64(10_000)).astype(np.int64) < DR2_RENUMBERED * 10_000
    other = (source_id >> 35 << 35) | ((mixed >> np.uint64(39)).astype(np.int64) << 7)
    return np.where(renumbered, other, source_id)


def _mixed(values: Int64[np.ndarray, " n"]) -> np.ndarray:
    """splitmix64 of 64-bit numbers (Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        x = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(x ^ (x >> np.uint64(31)))
