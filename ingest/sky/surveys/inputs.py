"""The stars as every survey gets them, and what is true of the rows that a survey makes of them."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64

from catalog.errors import DataError
from ingest.sky.labels import StellarLabels

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
    """0 is a star of the grid of model atmospheres; the other numbers are those of ``ingest.sky.oddities.Kind``."""

    def __post_init__(self) -> None:
        for name in ARRAYS:
            dtype = {"source_id": np.int64, "kind": np.int8}.get(name, np.float64)
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype))
        shapes = {name: getattr(self, name).shape for name in ARRAYS}
        wrong = {name: shape for name, shape in shapes.items() if shape != (len(self.labels),)}
        if wrong:
            raise DataError(
                f"The arrays of {len(self.labels)} stars have that length, but {', '.join(wrong)} have {sorted(set(wrong.values()))}."
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def on_grid(self) -> Bool[np.ndarray, " n"]:
        """Stars whose spectra a survey's pipeline can make sense of."""
        return self.kind == 0

    def take(self, index: Index) -> "SurveyInput":
        """The stars of an index or a mask."""
        return SurveyInput(**{name: getattr(self, name)[index] for name in ARRAYS}, labels=self.labels.take(index))


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
