"""The slope of xi, by which extinction curves differ from star to star: learnt from reddened stars once network and mean curve are done.

A model without xi leaves of a star's fluxes f, where its parameters are at their best, r = -f ext R slope xi + J d + noise, d the shift of its
parameters. With xi standard normal this is factor analysis with one factor, so slope and its scale follow by expectation and maximisation
(Dempster, Laird & Rubin 1977): each star's xi with mean and variance, then the slope's linear equations. Descent of L_model in slope and xi
together would not do: xi^2 falls without end as the slope grows, and stars without extinction pull the slope towards whatever else the network
cannot tell. For the same reason the slope is a quadratic in ln wavelength, zero in W1 and W2: dust bends its curve smoothly (Gordon et al. 2023),
free bands follow what the network misses in lines.
"""

import copy

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from catalog.errors import DataError
from models.forward.flux_model import REFERENCE_WAVELENGTH, FluxModel
from models.forward.parameters import EXT, XI
from models.forward.training.training_stars import BLOCK, TrainingStars

LEAST_EXT = 0.2
"""mag: stars with less say little of their dust."""
FEWEST = 30
"""Of such stars."""
DEGREE = 2
"""Of the polynomial in ln wavelength: of degree 1 it changes the exponent of a power law."""
ROUNDS = 200
SMALL_CHANGE = 1e-3
"""Of the slope in a round, by its own size: the last."""


@torch.no_grad()
def fit_slope(
    model: FluxModel, stars: TrainingStars, index: Int[Tensor, " m"], wavelengths: Float[np.ndarray, " bands"], first: Float[Tensor, " bands"]
) -> dict[str, float]:  # fmt: skip
    """Give a model whose slope is zero its slope, in place, from the reddened ones of these stars, and what was found, for the record.

    ``first``: the slope to start from; its sign says which way xi counts. DataError with fewer than FEWEST reddened stars. Found: their number, the
    share of xi's variance that their fluxes tell, and the spread of their xi.
    """
    reddened = index[torch.exp(stars.variables[index, EXT]) > LEAST_EXT]
    require_reddened(len(reddened), len(index))
    stars.variables[reddened, XI] = 0.0
    stars.refine(model, reddened)
    basis = _smooth(wavelengths) * model.slope_mask.double().cpu()[:, None]
    gradient, curvature = _equations(model, stars, reddened, basis)
    scale = curvature.diagonal(dim1=1, dim2=2).mean(0).rsqrt()  # coefficients of like weight
    gradient, curvature = gradient * scale, curvature * scale[:, None] * scale
    start = torch.linalg.lstsq(basis * scale, (first.double().cpu() * model.slope_mask.double().cpu())[:, None]).solution[:, 0]
    coefficients, mean, variance = factor(gradient, curvature, start)
    slope = basis @ (scale * coefficients)
    if float((slope - slope.mean()) @ (first.double().cpu() - first.double().cpu().mean())) < 0:
        slope = -slope
    model.extinction_slope.copy_(slope.to(model.extinction_slope))
    return {"stars": len(reddened), "known": round(float(1 - variance.mean()), 4), "spread": round(float(mean.std()), 4)}


def require_reddened(found: int, of: int) -> None:
    """DataError if these are too few."""
    if found < FEWEST:
        raise DataError(
            f"only {found} of {of} training stars have ext above {LEAST_EXT:g}: the shape of the extinction curve wants {FEWEST} or more. "
            f"Ingest stars behind more dust, or train with xi=false."
        )


def factor(
    gradient: Float[Tensor, "n k"], curvature: Float[Tensor, "n k k"], start: Float[Tensor, " k"]
) -> tuple[Float[Tensor, " k"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Coefficients c of one factor, with each star's mean and variance of its standard normal xi.

    -2 ln p of star i is c^T curvature_i c xi^2 - 2 gradient_i^T c xi and a constant.
    """
    coefficients = start
    mean = variance = torch.empty(0)
    for _ in range(ROUNDS):
        variance = 1 / (1 + torch.einsum("j,njk,k->n", coefficients, curvature, coefficients))
        mean = variance * (gradient @ coefficients)
        matrix = torch.einsum("n,njk->jk", mean**2 + variance, curvature)
        before, coefficients = coefficients, torch.linalg.solve(matrix, mean @ gradient)
        if float((coefficients - before).norm()) < SMALL_CHANGE * float(coefficients.norm()):
            break
    return coefficients, mean, variance


def _smooth(wavelengths: Float[np.ndarray, " bands"]) -> Float[Tensor, "bands k"]:
    return torch.from_numpy(np.log(wavelengths / REFERENCE_WAVELENGTH)[:, None] ** np.arange(DEGREE + 1))


def _equations(
    model: FluxModel, stars: TrainingStars, index: Int[Tensor, " m"], basis: Float[Tensor, "bands k"]
) -> tuple[Float[Tensor, "m k"], Float[Tensor, "m k k"]]:
    """What each star's fluxes say of the coefficients of slope times xi, with its own parameters eliminated (see readout_step); float64, CPU."""
    exact = copy.deepcopy(model).double()
    gradients, curvatures = [], []
    for block in torch.split(index, BLOCK):
        observed, labels, here = stars.take(block, torch.float64)
        problem = stars.problem(exact, observed, labels)
        flux, jacobian = exact.flux_and_jacobian(here)
        _, pull, stiffness = problem.terms(here)
        depth = -torch.exp(here[:, EXT, None]) * torch.exp(exact.ln_extinction) * flux
        whitened = observed.whitening @ torch.cat([depth[..., None] * basis.to(depth), jacobian, (observed.flux - flux)[..., None]], dim=2)
        products = whitened.transpose(1, 2) @ whitened
        k = basis.shape[1]
        cross = products[:, :k, k:-1]
        followed = cross @ torch.linalg.solve(
            stiffness / 2, torch.cat([cross.transpose(1, 2), pull[..., None] / 2], dim=2)
        )  # (m, k, k + 1)
        # A star that the model does not fit counts as if its errors were larger.
        weight = (exact.n_bands / products[:, -1, -1]).clamp(max=1.0)
        gradients.append((weight[:, None] * (products[:, :k, -1] + followed[..., -1])).cpu())
        curvatures.append((weight[:, None, None] * (products[:, :k, :k] - followed[..., :-1])).cpu())
    return torch.cat(gradients), torch.cat(curvatures)
