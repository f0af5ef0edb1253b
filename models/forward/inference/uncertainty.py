"""What fluxes and parallax say of a star's parameters: Fisher information and its inverse (Zhang, Green & Rix 2023, Eqs. 21 to 23).

In linear units (teff in kK), 5 x 5 or with xi 6 x 6. Their Eq. 22 prints sigma_plx^2 where 1/sigma_plx^2 is meant. The prior is left out, as
theirs is.
"""

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.observed.observations import Observations
from models.forward.parameters import EXT, PARALLAX

EIGENVALUE_FLOOR = 1e-10
"""Smallest eigenvalue of an information matrix, of the largest, after scaling its diagonal to one: directions of which less is known are given the
variance of the floor."""


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
    """Inverse of positive semi-definite matrices, scaled to a diagonal of one, with EIGENVALUE_FLOOR; symmetric and positive semi-definite.

    By Cholesky's factors where these show that no eigenvalue is below the floor, else by the eigenvalues. NaN for a matrix that is not finite.
    """
    n, p, _ = information.shape
    identity = torch.eye(p, dtype=information.dtype, device=information.device).expand(n, p, p)
    finite = torch.isfinite(information).flatten(1).all(1)
    scale = torch.sqrt(torch.diagonal(information, dim1=1, dim2=2))
    scale = torch.where(scale > 0, scale, 1.0)
    scaled = torch.where(finite[:, None, None], information / scale[:, :, None] / scale[:, None, :], identity)
    lower, failed = torch.linalg.cholesky_ex(scaled)
    root = torch.linalg.solve_triangular(torch.where((failed == 0)[:, None, None], lower, identity), identity, upper=False)
    # the smallest eigenvalue is at least 1 / |root|^2, the largest at most p
    low = finite & ((failed > 0) | ~((root**2).sum((1, 2)) * p < 1 / EIGENVALUE_FLOOR))
    for i in torch.nonzero(low)[:, 0].tolist():  # one by one: the bits of an eigendecomposition depend on where in memory a matrix lies
        values, vectors = torch.linalg.eigh(scaled[i].clone())
        values = values.clamp(min=EIGENVALUE_FLOOR * float(values[-1].clamp(min=1.0)))
        root[i] = (vectors / torch.sqrt(values)).T
    product = root.transpose(1, 2) @ root / scale[:, :, None] / scale[:, None, :]
    return torch.where(finite[:, None, None], 0.5 * (product + product.transpose(1, 2)), torch.nan)


def correlations(covariance: Float64[np.ndarray, "n p p"]) -> Float64[np.ndarray, "n p p"]:
    """Pearson's correlations of covariance matrices."""
    error = np.sqrt(np.einsum("nii->ni", covariance))
    ratio: Float64[np.ndarray, "n p p"] = covariance / error[:, :, None] / error[:, None, :]
    return ratio
