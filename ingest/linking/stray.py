"""Sources that need not stand near the pixel of their identifier at the survey's epoch: fast ones and far-displaced ones.

They are few (some 3e5 in Gaia DR3 are faster than 150 mas/yr), so all are held in memory, and every position is compared with all of them.
"""

import numpy as np
from jaxtyping import Float64
from scipy.spatial import KDTree

from ingest.linking.candidates import Candidates

_MARGIN = 1e-9
"""Added to chords on the unit sphere: rounding, 0.2 mas."""


class StraySources:
    """The stray sources of a release where they stand at one epoch; their ``row`` means nothing."""

    def __init__(self, sources: Candidates) -> None:
        self._sources = sources
        self._tree = KDTree(_directions(sources.ra, sources.dec)) if len(sources) else None

    def __len__(self) -> int:
        return len(self._sources)

    def near(self, ra: Float64[np.ndarray, " n"], dec: Float64[np.ndarray, " n"], radius: float) -> Candidates:
        """Pairs of positions (degrees; NaN for none) and stray sources within the radius (degrees), and a few just beyond it."""
        there = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
        if self._tree is None or not len(there):
            return self._sources.take(np.zeros(0, np.int64))
        found = self._tree.query_ball_point(_directions(ra[there], dec[there]), 2.0 * np.sin(np.radians(radius) / 2.0) + _MARGIN)
        sizes = np.array([len(each) for each in found])
        pairs = self._sources.take(np.concatenate([np.asarray(each, np.int64) for each in found]))
        return Candidates(np.repeat(there, sizes), pairs.source_id, pairs.ra, pairs.dec, pairs.g)


def _directions(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
