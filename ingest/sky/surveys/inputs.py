"""The stars as every survey gets them, and what is true of the rows that a survey makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64

from catalog.errors import DataError
from ingest.sky.labels import StellarLabels
from ingest.sky.oddities import Kind
from ingest.sky.stars import Stars
from ingest.sky.wavelengths import NIR_BANDS

Index = np.ndarray[Any, np.dtype[Any]]
Vector = Float64[np.ndarray, " n"]

NO_STAR = -1
"""In ``SurveyTruth.identified_as``: the row carries no identifier."""


@dataclass(frozen=True, eq=False)
class SurveyInput:
    """n simulated stars. Magnitudes are apparent, reddened and free of noise; DataError unless all arrays have length n."""

    source_id: Int64[np.ndarray, " n"]
    ra: Vector
    """Degrees, ICRS, epoch J2016.0."""
    dec: Vector
    labels: StellarLabels
    """True labels."""
    ebv: Vector
    """True E(B-V), mag."""
    distance: Vector
    """kpc."""
    parallax: Vector
    """Catalogue value, mas, with its error and zero point."""
    parallax_error: Vector
    pmra: Vector
    """mas/yr, with cos(dec)."""
    pmdec: Vector
    radial_velocity: Vector
    """True, km/s."""
    g: Vector
    bp: Vector
    rp: Vector
    j: Vector
    h: Vector
    ks: Vector
    w1: Vector
    w2: Vector
    kind: Int8[np.ndarray, " n"]
    """``ingest.sky.oddities.Kind``."""
    missing: Bool[np.ndarray, "n 5"]
    """Bands J, H, Ks, W1, W2 in which nothing was measured."""
    counterpart: Int64[np.ndarray, " n"]
    """Index of the star whose rows of the surveys this one gets: its own, but for wrong cross-matches."""

    def __post_init__(self) -> None:
        for name in ARRAYS:
            dtype = {"source_id": np.int64, "counterpart": np.int64, "kind": np.int8, "missing": np.bool_}.get(name, np.float64)
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype))
        shapes = {name: getattr(self, name).shape for name in ARRAYS}
        n = len(self.labels)
        wrong = {name: shape for name, shape in shapes.items() if shape != ((n, 5) if name == "missing" else (n,))}
        if wrong:
            raise DataError(f"The arrays of {n} stars have that length, but {', '.join(wrong)} have {sorted(set(wrong.values()))}.")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def on_grid(self) -> Bool[np.ndarray, " n"]:
        """Stars whose spectra a survey's pipeline can make sense of."""
        return self.kind == Kind.STAR

    @staticmethod
    def of(stars: Stars, magnitudes: Mapping[str, Vector], parallax: Vector, parallax_error: Vector) -> "SurveyInput":
        """Simulated stars with the apparent magnitudes of their light (G, BP, RP, J, H, Ks, W1, W2) and their catalogue parallaxes, mas.

        Wrong cross-matches with a star that is not among them are none.
        """
        n = len(stars)
        order = np.argsort(stars.source_id, kind="stable")
        place = np.clip(np.searchsorted(stars.source_id, stars.wrong_match, sorter=order), 0, max(n - 1, 0))
        found = order[place] if n else order
        counterpart = np.where(stars.source_id[found] == stars.wrong_match, found, np.arange(n))
        bands: dict[str, Any] = {band.lower(): magnitudes[band] for band in ("G", "BP", "RP", *NIR_BANDS)}
        same = ("source_id", "ra", "dec", "labels", "ebv", "distance", "pmra", "pmdec", "radial_velocity", "kind")
        return SurveyInput(
            **{name: getattr(stars, name) for name in same}, **bands, parallax=parallax, parallax_error=parallax_error,
            missing=stars.missing_nir, counterpart=counterpart,
        )  # fmt: skip

    def take(self, index: Index) -> "SurveyInput":
        """The stars of an index or a mask; a star whose counterpart is not among them gets its own."""
        arrays = {name: getattr(self, name)[index] for name in ARRAYS}
        rows = np.arange(len(self))[index]
        place = np.full(len(self), NO_STAR)
        place[rows[::-1]] = np.arange(len(rows))[::-1]
        here = place[arrays["counterpart"]]
        own = (arrays["counterpart"] == rows) | (here == NO_STAR)
        return SurveyInput(**{**arrays, "counterpart": np.where(own, np.arange(len(rows)), here)}, labels=self.labels.take(index))


ARRAYS = tuple(field.name for field in fields(SurveyInput) if field.name != "labels")
"""The names of the arrays of a SurveyInput."""


@dataclass(frozen=True, eq=False)
class SurveyTruth:
    """What is true of each row of a survey's file. It stands in the truth table and is never read by ingest or models."""

    star: Int64[np.ndarray, " rows"]
    """The star that was observed, as an index into the survey's input."""
    identified_as: Int64[np.ndarray, " rows"]
    """The star whose identifier or position the row carries; NO_STAR where it carries none."""
    outlier: Bool[np.ndarray, " rows"]
    """The labels or magnitudes are off by far more than their errors say."""

    @property
    def wrong_match(self) -> Bool[np.ndarray, " rows"]:
        """The row's identifier is that of another star."""
        return (self.identified_as != NO_STAR) & (self.identified_as != self.star)

    def take(self, index: Index) -> "SurveyTruth":
        """The rows of an index or a mask."""
        return SurveyTruth(self.star[index], self.identified_as[index], self.outlier[index])


def other_star(n: int, rng: np.random.Generator) -> Int64[np.ndarray, " n"]:
    """For each of n stars another one, never itself where there is more than one."""
    return (np.arange(n) + 1 + rng.integers(max(n - 1, 1), size=n)) % max(n, 1)
