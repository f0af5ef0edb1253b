"""Labels as a prior without the logarithmic terms of Eq. 14, so that the most probable extinction and parallax are those in linear units.

-2 ln ext of Zhang, Green & Rix 2023 (Eq. 14) moves a star of known reddening E +- s by about s^2 / E, always up. One star is hurt little; but where
reddenings are known less well than spectra tell them apart, the network gives way and its zero point of extinction moves by the mean of all the
stars' shifts: by 1.2 of a star's own error on simulated stars, 0.02 mag. -2 ln parallax does the same to luminosities, less.
"""

from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from models.forward.objective import LabelPrior
from models.forward.parameters import EXT, PARALLAX


class LinearLabelPrior(LabelPrior):
    """Gaussian terms of each star's known type and extinction, with the objective's -2 ln parallax - 2 ln ext taken back."""

    def value(self, variables: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
        """Sum of the squared normalised differences, and what takes the logarithms back."""
        return super().value(variables) + 2 * variables[:, PARALLAX] + 2 * variables[:, EXT]

    def add_terms(self, variables: Float[Tensor, "n p"], value: Tensor, gradient: Tensor, curvature: Tensor) -> None:
        """Add the terms and their derivatives; the objective's own constant curvature stays, which only shortens steps."""
        super().add_terms(variables, value, gradient, curvature)
        gradient[:, PARALLAX] += 2
        gradient[:, EXT] += 2

    def take(self, index: Tensor) -> Self:
        """The labels of some of the stars."""
        return type(self)(self.labels.take(index))

    def to(self, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Self:
        """The same on another device or in another precision."""
        return type(self)(self.labels.to(device=device, dtype=dtype))
