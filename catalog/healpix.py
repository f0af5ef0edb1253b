"""HEALPix over source_id: the ranges of identifiers that cover a cone, and how far a source lies outside its own pixel.

A Gaia source_id holds the nested HEALPix pixel of level 12 above its lowest 35 bits (Gaia data model, gaia_source.source_id). That
pixel is the one of the detection: real sources lie up to 5.5 arcsec outside it, so a cone must be padded by the largest offset.
HEALPix: Gorski et al. 2005, ApJ 622, 759.

healpy is imported where a pixel is asked for, not before: it brings astropy's coordinates and matplotlib along, half of a command's start.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from catalog.errors import DataError, UsageError
from catalog.spherical_polygon import SphericalPolygon

LEVEL = 12
NSIDE = 1 << LEVEL
COARSEST_LEVEL = 3
"""Level of the pixels that cover the widest cones."""
SHIFT = 35
"""Bits of a source_id below its pixel."""
END = (12 * NSIDE * NSIDE) << SHIFT
"""One more than the largest source_id."""
ARCSEC = 1.0 / 3600.0
MAX_PADDING = 10.0 * ARCSEC
"""The largest padding of a cone, degrees; sources further outside their pixel are listed one by one."""

MARGIN = 0.02 * ARCSEC
"""Added to every cone: more than the error of sampled pixel edges (0.01 arcsec) and of rounding."""
_EDGE_SAMPLES = 32
_PIXEL_SIZE_LEVEL_0 = float(np.degrees(np.sqrt(np.pi / 3.0)))
_ROWS_AT_A_TIME = 4096


def cone_ranges(ra: float, dec: float, radius: float, padding: float = 0.0) -> list[tuple[int, int]]:
    """Ranges of source_id, first inclusive and last exclusive, that hold every source of a cone, ascending and apart.

    All in degrees. ``padding`` is the largest pixel_offset of the sources that are looked for. The ranges also hold sources outside
    the cone: test the distance of each. Pixels are about a third of the radius wide, which gives 5 to 20 ranges for most cones.
    UsageError for a position or radius that is not on the sky.
    """
    if not (np.isfinite(ra) and -90.0 <= dec <= 90.0):
        raise UsageError(f"The position ({ra}, {dec}) is not on the sky: dec lies between -90 and 90 degrees.")
    if not (np.isfinite(radius) and radius >= 0.0 and np.isfinite(padding) and padding >= 0.0):
        raise UsageError(f"A cone has a radius and padding of zero or more degrees, not {radius} and {padding}.")
    reach = radius + padding + MARGIN
    if reach >= 180.0:
        return [(0, END)]
    level, pixels = _cone_pixels(ra, dec, reach)
    return _joined(pixels << _shift(level), (pixels + 1) << _shift(level))


def polygon_ranges(polygon: SphericalPolygon, padding: float = 0.0, most: int = 60) -> list[tuple[int, int]]:
    """Ranges of source_id, as ``cone_ranges`` gives them, that hold every source within ``padding`` degrees of a polygon.

    Begins with the pixels of the cone around the polygon. Pixels that its border may pass are divided as long as half of all
    area lies in them and no more than ``most`` ranges come of it.
    """
    import healpy as hp

    reach = padding + MARGIN
    if polygon.radius + reach >= 180.0:
        return [(0, END)]
    level, pixels = _cone_pixels(*polygon.middle, polygon.radius + reach)
    first, last = np.empty(0, np.int64), np.empty(0, np.int64)
    ranges: list[tuple[int, int]] = []
    while True:
        away = polygon.separation(np.stack(hp.pix2ang(1 << level, pixels, nest=True, lonlat=True), axis=1)) - reach
        size = float(np.degrees(hp.max_pixrad(1 << level)))
        within, border = pixels[away <= -size], pixels[np.abs(away) < size]
        first, last = np.concatenate((first, within << _shift(level))), np.concatenate((last, (within + 1) << _shift(level)))
        found = _joined(np.concatenate((first, border << _shift(level))), np.concatenate((last, (border + 1) << _shift(level))))
        if ranges and len(found) > most:
            return ranges
        ranges = found
        area = int((last - first).sum()), len(border) << _shift(level)
        if level == LEVEL or area[1] <= area[0]:
            return ranges
        level += 1
        pixels = (4 * border[:, None] + np.arange(4)).reshape(-1)


def _cone_pixels(ra: float, dec: float, reach: float) -> tuple[int, Int64[np.ndarray, " pixels"]]:
    """The level of pixels about a third of the reach (degrees) wide, and those that a cone touches, ascending."""
    import healpy as hp

    level = int(np.clip(np.ceil(np.log2(3.0 * _PIXEL_SIZE_LEVEL_0 / reach)), COARSEST_LEVEL, LEVEL))
    centre = hp.ang2vec(ra % 360.0, dec, lonlat=True)
    if reach > 90.0:
        return level, _coarse_pixels(centre, reach)
    return level, np.sort(hp.query_disc(1 << level, centre, np.radians(reach), inclusive=True, fact=4, nest=True)).astype(np.int64)


def _shift(level: int) -> int:
    """Bits of a source_id below its pixel of a level."""
    return SHIFT + 2 * (LEVEL - level)


def _joined(first: Int64[np.ndarray, " n"], last: Int64[np.ndarray, " n"]) -> list[tuple[int, int]]:
    """Ranges that do not overlap, ascending; those that meet become one."""
    order = np.argsort(first)
    first, last = first[order], last[order]
    begins = np.concatenate(([True], first[1:] != last[:-1])) if len(first) else np.zeros(0, bool)
    ends = np.concatenate((begins[1:], [True])) if len(first) else begins
    return list(zip(first[begins].tolist(), last[ends].tolist(), strict=True))


def _coarse_pixels(centre: Float64[np.ndarray, " 3"], reach: float) -> Int64[np.ndarray, " pixels"]:
    """Pixels of the coarsest level whose centre is no further than the cone's reach and a pixel's radius, for cones beyond 90 degrees.

    There healpy's query_disc, version 1.20.1, loses up to 64 of 768 pixels (seen at ra 0, dec 0 from 135 degrees on).
    """
    import healpy as hp

    nside = 1 << COARSEST_LEVEL
    centres = np.stack(hp.pix2vec(nside, np.arange(hp.nside2npix(nside)), nest=True), axis=1)
    limit = min(np.radians(reach) + hp.max_pixrad(nside), np.pi)
    return np.flatnonzero(centres @ centre >= np.cos(limit))


def pixel_of(ra: Float64[np.ndarray, " n"], dec: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """The nested pixel of level 12 of each position (degrees), which must be on the sky."""
    import healpy as hp

    return np.asarray(hp.ang2pix(NSIDE, ra, dec, nest=True, lonlat=True), np.int64)


def pixel_offset(
    source_id: Int64[np.ndarray, " n"], ra: Float64[np.ndarray, " n"], dec: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """Angular distance in degrees between each position (degrees) and the level-12 pixel of its source_id; 0 inside.

    Pixel edges are sampled at 32 points a side, which is right to 0.01 arcsec. DataError for an identifier or position that cannot be.
    """
    import healpy as hp

    source_id, ra, dec = np.asarray(source_id, np.int64), np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    wrong = ~(np.isfinite(ra) & (np.abs(dec) <= 90.0) & (source_id >= 0) & (source_id < END))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"Source {source_id[row]} at ({ra[row]}, {dec[row]}): the identifier or the position is not on the sky.")
    pixel = source_id >> SHIFT
    offset = np.zeros(len(source_id))
    outside = np.flatnonzero(pixel_of(ra, dec) != pixel)
    for start in range(0, len(outside), _ROWS_AT_A_TIME):
        rows = outside[start : start + _ROWS_AT_A_TIME]
        position = hp.ang2vec(ra[rows], dec[rows], lonlat=True).reshape(-1, 3)
        offset[rows] = _distance_to_edge(pixel[rows], position)
    return offset


def _distance_to_edge(pixel: Int64[np.ndarray, " n"], position: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, " n"]:
    """Distance in degrees from unit vectors to the sampled edges of pixels.

    Between samples 1.6 arcsec apart the chord lies within 1e-6 arcsec of the great circle, so straight segments serve.
    """
    import healpy as hp

    corners: np.ndarray[Any, Any] = hp.boundaries(NSIDE, pixel, step=_EDGE_SAMPLES, nest=True)
    start = np.moveaxis(corners.reshape(len(pixel), 3, -1), 1, 2)  # (n, samples, 3)
    side = np.roll(start, -1, axis=1) - start
    towards = position[:, None, :] - start
    along = np.clip((towards * side).sum(axis=2) / (side * side).sum(axis=2), 0.0, 1.0)
    chord = np.linalg.norm(towards - along[:, :, None] * side, axis=2).min(axis=1)
    return np.degrees(2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)))
