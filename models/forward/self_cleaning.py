"""Self-cleaning: which training stars are at odds with the model that was learnt from them (Zhang, Green & Rix 2023, section 3.2, phase 4).

Most of them are unresolved binaries: twice as bright as one star of their type and parallax. Outliers are the stars whose best parameters lie
more than so many sigma from the measured teff, feh, logg or parallax, and those with a flux more than so many sigma from the model's in any band.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.observations import KnownLabels, Observations
from models.forward.parameters import N_TYPE, PARALLAX


@dataclass(frozen=True, eq=False)
class Outliers:
    """Which of n stars are outliers, by each of the two rules."""

    by_parameters: Bool[Tensor, " n"]
    by_flux: Bool[Tensor, " n"]

    @property
    def either(self) -> Bool[Tensor, " n"]:
        """Outliers by one rule or both."""
        return self.by_parameters | self.by_flux

    def counts(self) -> dict[str, Any]:
        """Numbers and shares, as the paper gives them (21.4 %, 6.9 %, together 24.7 %)."""
        stars = len(self.by_flux)
        found: dict[str, Any] = {"stars": stars}
        for name, mask in (("by_parameters", self.by_parameters), ("by_flux", self.by_flux), ("removed", self.either)):
            found |= {name: int(mask.sum()), f"{name}_share": round(float(mask.double().mean()), 4)}
        return found


def parameter_tension(observed: Observations, labels: KnownLabels, variables: Float[Tensor, "n p"]) -> Float[Tensor, "n 4"]:
    """(best - measured) / sigma of teff, feh, logg and parallax."""
    types = (variables[:, :N_TYPE] - labels.type) / labels.type_error
    parallax = (torch.exp(variables[:, PARALLAX]) - observed.parallax) / observed.parallax_error
    return torch.cat([types, parallax[:, None]], dim=1)


def flux_tension(model: FluxModel, observed: Observations, variables: Float[Tensor, "n p"]) -> Float[Tensor, "n bands"]:
    """(model - observed) / sigma of each flux; 0 for missing bands."""
    return (model.flux(variables) - observed.flux) / observed.flux_error


def outliers(model: FluxModel, observed: Observations, labels: KnownLabels, variables: Float[Tensor, "n p"], sigma: float) -> Outliers:
    """The outliers among stars whose parameters are at their best for this model (Eq. 14)."""
    parameters = parameter_tension(observed, labels, variables).abs().amax(1) > sigma
    flux = flux_tension(model, observed, variables).abs().amax(1) > sigma
    return Outliers(parameters.cpu(), flux.cpu())
