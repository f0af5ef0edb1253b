"""How far a point is from a sample: the distance to its k-th nearest neighbour there, each axis in its own spread.

Large where the sample has nothing alike, whatever the sample's shape; no assumption of one cloud or of Gaussian edges.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.spatial import cKDTree
from torch import Tensor

NEIGHBOUR = 5
MOST_POINTS = 20_000
"""Of a sample that are kept."""


@dataclass(frozen=True, eq=False)
class NeighbourDistance:
    """The points of a sample divided by ``scale``, the axes' spreads."""

    points: Float64[Tensor, "m d"]
    scale: Float64[Tensor, " d"]

    @classmethod
    def measured(cls, sample: Float[np.ndarray, "n d"], seed: int) -> Self:
        """Of a sample of more than five points, all finite; of more than 20,000 so many are drawn."""
        low, high = np.quantile(sample, (0.16, 0.84), axis=0)
        scale = np.where(high > low, (high - low) / 2, 1.0)
        if len(sample) > MOST_POINTS:
            sample = sample[np.sort(np.random.default_rng(seed).permutation(len(sample))[:MOST_POINTS])]
        return cls(torch.from_numpy(np.ascontiguousarray(sample / scale)), torch.from_numpy(scale))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The sample of stored tensors."""
        return cls(tensors["points"], tensors["scale"])

    def tensors(self) -> dict[str, Tensor]:
        """What to store."""
        return {"points": self.points, "scale": self.scale}

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points.numpy())

    def of(self, points: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
        """Distance to the fifth nearest other point of the sample, in spreads; a point of the sample is not its own neighbour. NaN for points that are not finite."""
        finite = np.isfinite(points).all(axis=1)
        distance = np.full(len(points), np.nan)
        if finite.any():
            nearest, _ = self._tree.query(points[finite] / self.scale.numpy(), k=NEIGHBOUR + 1)
            itself = nearest[:, 0] == 0.0
            distance[finite] = np.where(itself, nearest[:, NEIGHBOUR], nearest[:, NEIGHBOUR - 1])
        return distance
