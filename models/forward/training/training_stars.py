"""The stars that a flux model learns from, with their parameters of the moment: read in blocks, fitted, and measured against a model.

Observations may lie in a memory-mapped file; only a block of stars is in memory, on the device, at a time.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.objective import LabelPrior, StarObjective
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.parameters import EXT, N_TYPE, PARALLAX
from models.forward.training.linear_label_prior import LinearLabelPrior
from models.numerics.least_squares import Minimum, batched_least_squares

BLOCK = 1024
"""Stars at a time."""
HIGH_QUALITY_TYPE_ERROR = (0.2, 0.2, 0.2)
"""kK, dex, dex (Zhang, Green & Rix 2023, Eq. 15)."""
HIGH_QUALITY_EXT_ERROR = 0.1
HIGH_QUALITY_PARALLAX_RATIO = 10.0
LARGEST_STEP = (0.8, 0.8, 0.8, 1.5, 1.0, 1.0)
"""Of the solver in (teff, feh, logg, ln ext, ln parallax, xi)."""
LEAST_EXT, LEAST_PARALLAX = 1e-4, 1e-4
"""No star's extinction or parallax falls below, measured or fitted; their logarithms would fall for ever where the best value is zero or less."""
ITERATIONS = 60
"""Of the solver, where a star is to be at its best."""


def high_quality(observed: Observations, labels: KnownLabels) -> Bool[Tensor, " n"]:
    """The stars with the better measurements (Zhang, Green & Rix 2023, Eq. 15)."""
    types = (labels.type_error < labels.type_error.new_tensor(HIGH_QUALITY_TYPE_ERROR)).all(1)
    return types & (observed.parallax > HIGH_QUALITY_PARALLAX_RATIO * observed.parallax_error) & (labels.ext_error < HIGH_QUALITY_EXT_ERROR)


def measured_variables(observed: Observations, labels: KnownLabels, n_parameters: int) -> Float[Tensor, "n p"]:
    """The solver's variables at their measured values; an unknown reddening is the others' median."""
    variables = torch.zeros(len(observed), n_parameters, dtype=labels.type.dtype, device=labels.type.device)
    known = torch.isfinite(labels.ext_error)
    ext = torch.where(known, labels.ext, labels.ext[known].median() if bool(known.any()) else 0.1)
    variables[:, :N_TYPE] = labels.type
    variables[:, EXT] = torch.log(ext.clamp(min=10 * LEAST_EXT))
    variables[:, PARALLAX] = torch.log(observed.parallax.clamp(min=10 * LEAST_PARALLAX))
    return variables


def tempered(observed: Observations, temperature: float) -> Observations:
    """The same with all errors of the fluxes larger by the square root of ``temperature`` (1 or more)."""
    root = math.sqrt(temperature)
    return replace(observed, flux_error=observed.flux_error * root, whitening=observed.whitening / root)


@dataclass(eq=False)
class TrainingStars:
    """n stars: what is known of them, and ``variables``, their parameters of the moment (float64, on the CPU)."""

    observed: Observations
    labels: KnownLabels
    variables: Float[Tensor, "n p"]
    settings: Mapping[str, Any]
    device: torch.device

    def __len__(self) -> int:
        return len(self.observed)

    def take(self, index: Int[Tensor, " m"], dtype: torch.dtype = torch.float32) -> tuple[Observations, KnownLabels, Float[Tensor, "m p"]]:
        """Some of the stars on the device."""
        observed = self.observed.take(index).to(device=self.device, dtype=dtype)
        labels = self.labels.take(index).to(device=self.device, dtype=dtype)
        return observed, labels, self.variables[index].to(device=self.device, dtype=dtype)

    def put(self, index: Int[Tensor, " m"], variables: Float[Tensor, "m p"]) -> None:
        """Keep new parameters of some of the stars."""
        kept = variables.detach().double().cpu()
        kept[:, EXT].clamp_(min=math.log(LEAST_EXT))
        kept[:, PARALLAX].clamp_(min=math.log(LEAST_PARALLAX))
        self.variables[index] = kept

    def problem(self, model: FluxModel, observed: Observations, labels: KnownLabels) -> StarObjective:
        """L_star of stars (Eq. 14), with its logarithmic terms or without."""
        prior = LabelPrior(labels) if self.settings["logarithmic_terms"] else LinearLabelPrior(labels)
        return StarObjective(model, observed, prior)

    @torch.no_grad()
    def fit(
        self, model: FluxModel, observed: Observations, labels: KnownLabels, start: Float[Tensor, "m p"], iterations: int = ITERATIONS
    ) -> Minimum:
        """Where the solver takes stars from a start."""
        limits = LARGEST_STEP[: start.shape[1]]
        return batched_least_squares(self.problem(model, observed, labels), start, largest_step=limits, iterations=iterations)

    def refine(self, model: FluxModel, index: Int[Tensor, " m"], temperature: float = 1.0) -> None:
        """Move stars to their best parameters."""
        for block in torch.split(index, BLOCK):
            observed, labels, here = self.take(block)
            self.put(block, self.fit(model, tempered(observed, temperature), labels, here).variables)

    @torch.no_grad()
    def measured(self, model: FluxModel, index: Int[Tensor, " m"]) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
        """chi_f^2 and L_star of each star, in float64 on the CPU."""
        chi2, loss = [], []
        for observed, labels, here in self.blocks(index):
            problem = self.problem(model, observed, labels)
            chi2.append(problem.chi2(here).double().cpu())
            loss.append(problem.loss(here).double().cpu())
        return torch.cat(chi2), torch.cat(loss)

    def blocks(self, index: Int[Tensor, " m"]) -> Iterator[tuple[Observations, KnownLabels, Float[Tensor, "b p"]]]:
        """The stars, block by block."""
        for block in torch.split(index, BLOCK):
            yield self.take(block)
