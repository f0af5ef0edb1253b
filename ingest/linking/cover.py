"""Ranges of source_id that hold every source that may stand within reach of a position, for many positions at once.

Most rows of a block lie well inside one level-12 pixel, whose range is then all that is needed; the others get the ranges of their cone
(catalog.healpix.cone_ranges). The reach covers the survey's radius, how far sources stand outside the pixel of their identifier, and how far
ordinary proper motions have carried them since; sources beyond either are held apart (ingest.linking.stray).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from catalog.healpix import SHIFT, cone_ranges, pixel_of
from ingest.linking.epoch import at_epoch

_SAMPLES = 8


@dataclass(frozen=True)
class Ranges:
    """m ranges, first inclusive and last exclusive, each of a row of the block."""

    row: Int64[np.ndarray, " m"]
    first: Int64[np.ndarray, " m"]
    last: Int64[np.ndarray, " m"]


def covering_ranges(ra: Float64[np.ndarray, " n"], dec: Float64[np.ndarray, " n"], reach: float) -> Ranges:
    """Ranges for n positions in degrees and a reach in degrees; a position that is NaN has none."""
    there = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    pixel = pixel_of(ra[there], dec[there])
    inside = _far_from_edges(ra[there], dec[there], pixel, reach)
    rows, first, last = [there[inside]], [pixel[inside] << SHIFT], [(pixel[inside] + 1) << SHIFT]
    edge_rows: list[int] = []
    edge_ranges: list[tuple[int, int]] = []
    for row in there[~inside].tolist():
        ranges = cone_ranges(float(ra[row]), float(dec[row]), reach)
        edge_rows += [row] * len(ranges)
        edge_ranges += ranges
    edges = np.array(edge_ranges, np.int64).reshape(-1, 2)
    return Ranges(
        np.concatenate([*rows, np.array(edge_rows, np.int64)]), np.concatenate([*first, edges[:, 0]]), np.concatenate([*last, edges[:, 1]])
    )


def _far_from_edges(ra: np.ndarray, dec: np.ndarray, pixel: np.ndarray, reach: float) -> np.ndarray:
    """Whether an octagon about each position lies in its pixel: its circle is twice the reach, so it holds the reach with a wide margin."""
    inside = np.ones(len(ra), bool)
    nothing, one = np.zeros(len(ra)), np.ones(len(ra))
    for angle in 2.0 * np.pi * np.arange(_SAMPLES) / _SAMPLES:
        step = 2.0 * reach * 3_600_000.0
        there = at_epoch(ra, dec, one * step * np.sin(angle), one * step * np.cos(angle), nothing, nothing, one)
        inside &= pixel_of(*there) == pixel
    return inside
