"""What fluxes and parallax say of a star's parameters: Fisher information and its inverse (Zhang, Green & Rix 2023, Eqs. 21 to 23).

In linear units (teff in kK), 5 x 5 or with xi 6 x 6. Their Eq. 22 prints sigma_plx^2 where 1/sigma_plx^2 is meant. The prior is left out, as
theirs is.
"""

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.observations import Observations
from models.forward.parameters import EXT, PARALLAX

EIGENVALUE_FLOOR = 1e-10
"""Smallest eigenvalue of an information matrix, of the largest, both after scaling its diagonal to one: what is known less well than this is
given the variance of the floor, a very large one."""


def in_linear_units(information: Float[Tensor, "n p p"], variables: Float[Tensor, "n p"]) -> Float[Tensor, "n p p"]:
    """The information by the solver's variables, ln ext and ln parallax among them, as information by ext and parallax."""
    scale = torch.ones_like(variables)
    scale[:, EXT : PARALLAX + 1] = torch.exp(-variables[:, EXT : PARALLAX + 1])
    return information * scale[:, :, None] * scale[:, None, :]


@torch.no_grad()
def flux_information(model: FluxModel, observed: Observations, variables: Float[Tensor, "n p"]) -> Float[Tensor, "n p p"]:
    """J^T C^-1 J of the fluxes alone (Eq. 21), in linear units, at the solver's variables."""
    _, rows = model.flux_and_slopes(variables)
    whitened = torch.bmm(rows, observed.whitening.transpose(1, 2))
    return in_linear_units(torch.bmm(whitened, whitened.transpose(1, 2)), variables)


def with_parallax(information: Float[Tensor, "n p p"], observed: Observations) -> Float[Tensor, "n p p"]:
    """The information with the measured parallax's own (Eq. 22)."""
    information = information.clone()
    information[:, PARALLAX, PARALLAX] += observed.parallax_error**-2
    return information


def inverse(information: Float[Tensor, "n p p"]) -> Float[Tensor, "n p p"]:
    """Inverse of positive semi-definite matrices by their eigenvalues after scaling, with EIGENVALUE_FLOOR; exactly symmetric."""
    scale = torch.sqrt(torch.diagonal(information, dim1=1, dim2=2))
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    values, vectors = torch.linalg.eigh(information / scale[:, :, None] / scale[:, None, :])
    values = torch.maximum(values, EIGENVALUE_FLOOR * values[:, -1:]).clamp(min=torch.finfo(values.dtype).tiny)
    root = vectors / torch.sqrt(values)[:, None, :] / scale[:, :, None]
    product = root @ root.transpose(1, 2)
    return 0.5 * (product + product.transpose(1, 2))


def correlations(covariance: Float64[np.ndarray, "n p p"]) -> Float64[np.ndarray, "n p p"]:
    """Pearson's correlations of covariance matrices."""
    error = np.sqrt(np.einsum("nii->ni", covariance))
    ratio: Float64[np.ndarray, "n p p"] = covariance / error[:, :, None] / error[:, None, :]
    return ratio

