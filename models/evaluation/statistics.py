"""Differences between estimates and a reference, in numbers that outliers do not move: whole samples and bins of them.

The scatter of a set of numbers is 1.4826 times their median absolute deviation from their median, the standard deviation where they are Gaussian.
Where no number is finite, a statistic is NaN and the count 0; nothing here raises on an empty sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

MAD_TO_SIGMA = 1.4826
PERCENTILES = (15.0, 50.0, 84.0)
"""As the paper's figures draw them."""
FEWEST = 10
"""Stars that a bin must have to be reported."""
OUTLIER = 5.0
"""An outlier lies further than this many scatters from the median, where a Gaussian has one in 1.7 million."""


def scatter(values: Float[np.ndarray, " n"]) -> float:
    """1.4826 times the median absolute deviation from the median, of the finite values."""
    finite = values[np.isfinite(values)]
    return float(MAD_TO_SIGMA * np.median(np.abs(finite - np.median(finite)))) if len(finite) else float("nan")


@dataclass(frozen=True)
class Spread:
    """A set of differences: how many, their median (``bias``), scatter, percentiles, and the share of outliers."""

    n: int
    bias: float
    scatter: float
    p15: float
    p84: float
    outliers: float

    @classmethod
    def of(cls, differences: Float[np.ndarray, " n"]) -> "Spread":
        """The spread of the finite ones."""
        finite = differences[np.isfinite(differences)]
        if len(finite) == 0:
            return cls(0, *[float("nan")] * 5)
        low, middle, high = np.percentile(finite, PERCENTILES)
        width = scatter(finite)
        far = np.abs(finite - middle) > OUTLIER * width if width > 0 else np.zeros(len(finite), bool)
        return cls(len(finite), float(middle), width, float(low), float(high), float(far.mean()))


@dataclass(frozen=True)
class Agreement:
    """Estimates of one parameter beside a reference: differences (estimate minus reference) in their own unit, and three ways normalised.

    ``pull_*`` is the difference over the quadrature of both errors: 0 and 1 where errors are right. ``reference_scatter`` is the scatter of the
    difference over the reference's error alone, as the paper's figure 8 shows it. ``bound_ratio`` is the scatter of the difference over the bound
    of each of the ``bound_n`` stars that have one, NaN where these are fewer than FEWEST. All are NaN where no such number is given.
    """

    n: int
    bias: float
    scatter: float
    p15: float
    p84: float
    outliers: float
    pull_bias: float
    pull_width: float
    beyond_3: float
    reference_scatter: float
    bound_ratio: float
    bound_n: int

    @classmethod
    def of(cls, differences: "Differences", among: Bool[np.ndarray, " n"] | None = None) -> "Agreement":
        """The agreement of the stars that are chosen by the mask (of all if there is none)."""
        chosen = slice(None) if among is None else among
        spread = Spread.of(differences.difference[chosen])
        pull = differences.pull[chosen]
        finite = pull[np.isfinite(pull)]
        with np.errstate(divide="ignore", invalid="ignore"):
            in_reference = differences.difference[chosen] / differences.reference_error[chosen]
            in_bounds = differences.difference[chosen] / differences.bound[chosen]
        bounded = int(np.isfinite(in_bounds).sum())
        return cls(
            **asdict(spread),
            pull_bias=float(np.median(finite)) if len(finite) else float("nan"),
            pull_width=scatter(pull),
            beyond_3=float((np.abs(finite) > 3).mean()) if len(finite) else float("nan"),
            reference_scatter=scatter(in_reference),
            bound_ratio=scatter(in_bounds) if bounded >= FEWEST else float("nan"),
            bound_n=bounded,
        )


@dataclass(frozen=True, eq=False)
class Differences:
    """Estimate minus reference of one parameter for n stars, with the errors of both and a bound; NaN where there is none.

    An ``error`` of the reference that is not given (a truth) is NaN: the pull then has the estimate's error alone.
    """

    difference: Float[np.ndarray, " n"]
    error: Float[np.ndarray, " n"]
    reference_error: Float[np.ndarray, " n"]
    bound: Float[np.ndarray, " n"]

    @property
    def pull(self) -> Float[np.ndarray, " n"]:
        """Difference over the quadrature of the errors."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.difference / np.hypot(self.error, np.nan_to_num(self.reference_error, nan=0.0))


@dataclass(frozen=True)
class Bins:
    """Intervals of one quantity: ``name`` with its unit in words, and the edges."""

    name: str
    edges: tuple[float, ...]

    def index(self, values: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The bin of each value, -1 outside all and where there is no value. The last bin holds its upper edge."""
        edges = np.asarray(self.edges)
        found = np.searchsorted(edges, values, side="right") - 1
        found = np.where(values == edges[-1], len(edges) - 2, found)
        return np.where(np.isfinite(values) & (found >= 0) & (found < len(edges) - 1), found, -1)

    def __iter__(self) -> Any:
        """Pairs of edges."""
        return iter(zip(self.edges[:-1], self.edges[1:], strict=True))


G_BINS = Bins("G [mag]", (0.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 21.0))
TEFF_BINS = Bins("teff [K]", (3000.0, 4000.0, 4500.0, 5000.0, 5500.0, 6000.0, 6500.0, 7500.0, 10000.0, 15000.0))


def binned(differences: Differences, by: Float[np.ndarray, " n"], bins: Bins) -> list[tuple[tuple[float, float], Agreement]]:
    """The agreement in each bin that has FEWEST stars or more, with the bin's edges."""
    index = bins.index(by)
    found = []
    for number, edges in enumerate(bins):
        agreement = Agreement.of(differences, index == number)
        if agreement.n >= FEWEST:
            found.append((edges, agreement))
    return found


def running_percentiles(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], edges: Float[np.ndarray, " k"], fewest: int = FEWEST
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "m 3"]]:
    """Centres of the intervals that have ``fewest`` stars or more, and the 15th, 50th and 84th percentile of y in each."""
    index = Bins("", tuple(edges)).index(np.where(np.isfinite(y), x, np.nan))
    centres, lines = [], []
    for number in range(len(edges) - 1):
        inside = y[index == number]
        if len(inside) >= fewest:
            centres.append((edges[number] + edges[number + 1]) / 2)
            lines.append(np.percentile(inside, PERCENTILES))
    return np.array(centres), np.array(lines).reshape(-1, 3)


def median_correlations(covariance: Float[np.ndarray, "n p p"]) -> Float[np.ndarray, "p p"]:
    """The median over stars of each Pearson correlation; stars without a finite, positive diagonal are left out."""
    diagonal = np.diagonal(covariance, axis1=1, axis2=2)
    usable = np.isfinite(covariance).all(axis=(1, 2)) & (diagonal > 0).all(axis=1)
    if not usable.any():
        return np.full(covariance.shape[1:], np.nan)
    sigma = np.sqrt(diagonal[usable])
    return np.asarray(np.median(covariance[usable] / (sigma[:, :, None] * sigma[:, None, :]), axis=0))


def without_nan(numbers: Mapping[str, Any] | Sequence[Any] | Any) -> Any:
    """The same with null for numbers that are not finite, as JSON and JSONB hold them; floats to six significant digits."""
    if isinstance(numbers, Mapping):
        return {str(name): without_nan(value) for name, value in numbers.items()}
    if isinstance(numbers, str | bytes) or numbers is None or isinstance(numbers, bool):
        return numbers
    if isinstance(numbers, Sequence | np.ndarray):
        return [without_nan(value) for value in numbers]
    if isinstance(numbers, float | np.floating):
        return float(f"{float(numbers):.6g}") if np.isfinite(numbers) else None
    if isinstance(numbers, np.integer):
        return int(numbers)
    return numbers
