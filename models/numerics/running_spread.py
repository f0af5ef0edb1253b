"""A number against what is usual at a star's brightness or signal-to-noise: median and upper spread as functions of another number.

(y - median(x)) / spread(x), spread the distance from the median to the 84 % quantile, both measured in bins of equally many stars of a sample,
linear between the bins' middles and constant beyond the first and last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

STARS_IN_BIN = 100
MOST_BINS = 20


@dataclass(frozen=True, eq=False)
class RunningSpread:
    """Median and spread at ``at``, which rises."""

    at: Float64[Tensor, " bins"]
    median: Float64[Tensor, " bins"]
    spread: Float64[Tensor, " bins"]

    @classmethod
    def measured(cls, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Self:
        """Of a sample, both numbers finite; bins of 100 stars or more, one bin where there are fewer than 200."""
        order = np.argsort(x, kind="stable")
        bins = np.array_split(order, int(np.clip(len(x) // STARS_IN_BIN, 1, MOST_BINS)))
        at = np.array([np.median(x[each]) for each in bins])
        median, high = np.array([np.quantile(y[each], (0.5, 0.84)) for each in bins]).T
        rising = np.concatenate([[True], np.diff(at) > 0])
        spread = np.maximum(high - median, 1e-9 * np.maximum(np.abs(median), 1.0))
        return cls(*(torch.from_numpy(each[rising]) for each in (at, median, spread)))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The relation of stored tensors."""
        return cls(tensors["at"], tensors["median"], tensors["spread"])

    def tensors(self) -> dict[str, Tensor]:
        """What to store."""
        return {"at": self.at, "median": self.median, "spread": self.spread}

    def standardised(self, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """How far above the median each y is, in spreads, at its x."""
        at = self.at.numpy()
        return np.asarray((y - np.interp(x, at, self.median.numpy())) / np.interp(x, at, self.spread.numpy()))
