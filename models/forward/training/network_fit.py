"""One step of the network: the objective of a batch of stars (Zhang, Green & Rix 2023, Eq. 12), its optimisers, and where it starts.

    L_model = mean over stars of cap(chi_f^2) + penalty / n_W sum W^2

Their Eq. 12 prints the norm of the weights; their text ("unit weights add one to chi_f^2") and their code mean its square. The cap, k asinh(chi2 / k),
is that of their later code: chi2 itself where it is small, its logarithm where it is large, so that a star which no model fits pulls no harder
than others. It also lets the network start far from any star.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.parameters import EXT, PARALLAX
from models.forward.training.phases import Phase

MOMENTUM = 0.5
"""Of their gradient descent."""


def weight_norm(model: FluxModel) -> Tensor:
    """Mean square of the network's weights, biases left out."""
    weights = [layer.weight for layer in (*model.hidden, model.output)]
    total = torch.stack([(weight**2).sum() for weight in weights]).sum()
    return total / sum(weight.numel() for weight in weights)


def capped(chi2: Float[Tensor, " n"], cap: float) -> Float[Tensor, " n"]:
    """``cap`` asinh(chi2 / cap); chi2 itself without a cap (0)."""
    return cap * torch.asinh(chi2 / cap) if cap else chi2


def cap_weight(chi2: Float[Tensor, " n"], cap: float) -> Float[Tensor, " n"]:
    """Derivative of ``capped`` by chi2."""
    return (1 + (chi2 / cap) ** 2) ** -0.5 if cap else torch.ones_like(chi2)


def fluxes_chi2(model: FluxModel, observed: Observations, variables: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
    """chi_f^2 of each star (Eq. 4), with gradients to the network."""
    difference = model.flux(variables) - observed.flux
    return (torch.bmm(observed.whitening, difference[..., None])[..., 0] ** 2).sum(1)


def optimiser_of(model: FluxModel, phase: Phase) -> torch.optim.Optimizer:
    """The phase's optimiser of everything that the network learns."""
    if phase.network == "sgd":
        return torch.optim.SGD(model.parameters(), lr=phase.network_rate, momentum=MOMENTUM)
    return torch.optim.Adam(model.parameters(), lr=phase.network_rate, betas=(0.9, 0.99))


def network_step(
    model: FluxModel, optimiser: torch.optim.Optimizer, observed: Observations, variables: Float[Tensor, "n p"],
    *, rate: float, cap: float, penalty: float, clip: float,
) -> tuple[float, float]:  # fmt: skip
    """Move the network down L_model of these stars; L_model and the median chi_f^2 before the step. ``clip`` bounds the gradient's norm.

    Infinities, and no step, where L_model is not finite.
    """
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    chi2 = fluxes_chi2(model, observed, variables)
    loss = capped(chi2, cap).mean() + penalty * weight_norm(model)
    if not bool(torch.isfinite(loss)):
        return math.inf, math.inf
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimiser.step()
    return float(loss.detach()), float(chi2.detach().median())


@torch.no_grad()
def start_network(
    model: FluxModel, observed: Observations, labels: KnownLabels, variables: Float[Tensor, "n p"], index: Int[Tensor, " m"]
) -> None:  # fmt: skip
    """Give the network its scale of types and its mean fluxes, those of some of the stars at their measured values.

    Centre: medians; scale: half the range between the 16th and the 84th percentile. The output's biases: mean ln flux at 1 kpc without extinction,
    over the stars with a positive flux in the band.
    """
    types, here = np.asarray(labels.type[index].double().cpu()), variables[index].to(model.centre)
    low, centre, high = np.quantile(types, [0.16, 0.5, 0.84], axis=0)
    model.centre.copy_(torch.from_numpy(centre))
    model.scale.copy_(torch.from_numpy(np.maximum((high - low) / 2, 1e-3)))
    flux, known = observed.flux[index].to(model.centre), torch.isfinite(observed.flux_error[index]) & (observed.flux[index] > 0)
    depth = torch.exp(here[:, EXT : EXT + 1]) * torch.exp(model.ln_extinction)
    ln_flux = torch.where(known, torch.log(flux.clamp(min=1e-30)) - 2 * here[:, PARALLAX : PARALLAX + 1] + depth, 0.0)
    model.output.bias.copy_(ln_flux.sum(0) / known.sum(0).clamp(min=1))
