"""Gauss-Newton steps of the network's last layer and of the extinction curve together, with every star's parameters eliminated.

ln f of a band is linear in the units of the last hidden layer and in the extinction: f_b = parallax^2 exp(w_b . h(type) + bias_b - ext R_b). So the
second derivatives of the sum of chi_f^2 by (w, bias, R) are, for each star, the product of a matrix over bands and one over the features (h, 1, -ext),
and cost no more than a few matrix products. With C^-1 the inverse covariance of a star's fluxes, J their derivatives by the star's own parameters
and H the curvature of L_star, the matrix over bands is C^-1 - C^-1 J H^-1 J^T C^-1: what is left for the network once the star has moved to its
best place (Golub & Pereyra 1973, variable projection). Fluxes know a star's place better than its labels do, so descent with stars in alternation
creeps where network and all stars would have to move together, as along the zero point and scale of extinction; this step goes there. xi, zero
until all of this is done (extinction_shape), has no part in it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.objective import StarObjective
from models.forward.observed.observations import Observations
from models.forward.parameters import EXT, N_TYPE
from models.forward.training.network_fit import cap_weight

LARGEST_FALL = 3.0
"""By what factor R of a band may shrink in one step."""


@dataclass(eq=False)
class ReadoutEquations:
    """The normal equations of n stars: ``gradient`` (bands, features) and ``curvature`` (bands, features, bands, features), half the derivatives."""

    gradient: Float[Tensor, "bands features"]
    curvature: Float[Tensor, "bands features bands features"]

    @classmethod
    def empty(cls, model: FluxModel) -> "ReadoutEquations":
        """Of no stars; float64."""
        shape = (model.n_bands, features_of(model))
        like = model.ln_extinction.detach().double()
        return cls(like.new_zeros(shape), like.new_zeros((*shape, *shape)))

    @torch.no_grad()
    def add(
        self, problem: StarObjective, observed: Observations, variables: Float[Tensor, "n p"], cap: float, *, with_curvature: bool
    ) -> None:
        """Add stars that are near their best parameters; ``problem`` is the objective of those ``observed``."""
        model = problem.model
        flux, jacobian = model.flux_and_jacobian(variables)
        _, slope, curvature = problem.terms(variables)
        inverse = observed.whitening.transpose(1, 2) @ observed.whitening  # C^-1, (n, bands, bands)
        weight = cap_weight(problem.chi2(variables), cap)
        pulled = inverse @ jacobian  # (n, bands, p)
        solved = torch.linalg.solve(curvature / 2, torch.cat([pulled.transpose(1, 2), (slope / 2)[..., None]], dim=2))  # (n, p, bands + 1)
        force = (inverse @ (flux - observed.flux)[..., None])[..., 0] - (pulled @ solved[..., -1:])[..., 0]
        units = features(model, variables)
        self.gradient += ((weight[:, None] * flux * force).T @ units).double()
        if with_curvature:
            left = (inverse - pulled @ solved[..., :-1]) * (weight[:, None] * flux)[:, :, None] * flux[:, None, :]
            bands, width = self.gradient.shape
            product = left.reshape(len(flux), -1).T @ (units[:, :, None] * units[:, None, :]).reshape(len(flux), -1)
            self.curvature += product.reshape(bands, bands, width, width).permute(0, 2, 1, 3).double()

    def step(self, anchor: Float[Tensor, "bands units"], stiffness: float, damping: float) -> Float[Tensor, "bands features"]:
        """The step in (weights, bias, R), ``damping`` times the diagonal added to the curvature.

        ``anchor``: where the weights are held with the curvature ``stiffness``, less where they are.
        """
        size = self.gradient.numel()
        matrix = self.curvature.reshape(size, size)
        matrix = (matrix + matrix.T) / 2
        held, force = torch.zeros_like(self.gradient), self.gradient.clone()
        units = anchor.shape[1]
        held[:, :units] = stiffness
        force[:, :units] -= stiffness * anchor
        diagonal = matrix.diagonal() * damping + held.reshape(-1) + 1e-12 * matrix.diagonal().max()
        solution, _ = torch.linalg.solve_ex(matrix + torch.diag(diagonal), -force.reshape(-1))
        return solution.reshape(self.gradient.shape)


def features_of(model: FluxModel) -> int:
    """Number of features: hidden units, 1, -ext."""
    return int(model.output.in_features) + 2


@torch.no_grad()
def features(model: FluxModel, variables: Float[Tensor, "n p"]) -> Float[Tensor, "n features"]:
    """What ln f of every band is linear in."""
    hidden = (variables[:, :N_TYPE] - model.centre) / model.scale
    for layer in model.hidden:
        hidden = torch.tanh(layer(hidden))
    ext = torch.exp(variables[:, EXT : EXT + 1])
    return torch.cat([hidden, torch.ones_like(ext), -ext], dim=1)


@torch.no_grad()
def take_step(model: FluxModel, step: Float[Tensor, "bands features"]) -> None:
    """Move the last layer and ln R, in place."""
    step = step.to(model.output.weight)
    units = int(model.output.in_features)
    model.output.weight.add_(step[:, :units])
    model.output.bias.add_(step[:, units])
    extinction = torch.exp(model.ln_extinction)
    model.ln_extinction.copy_(torch.log(torch.maximum(extinction + step[:, units + 1], extinction / LARGEST_FALL)))
