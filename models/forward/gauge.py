"""Steps along directions that no flux can tell apart: scale and zero point of extinction, of parallax, and of stellar types.

f = exp(NN(type)) parallax^2 exp(-ext R) stays what it is when ext becomes a ext + b, R becomes R / a and the output's biases take up (b / a) R; when
parallaxes are multiplied by k and the biases take up -2 ln k; and when types go through an affine map that the first layer undoes. Only the labels
know where on such a direction stars and network belong, and where labels are known less well than fluxes, descent star by star goes there very
slowly: what the first phase learns from noisy labels (too flat a dependence, as in any regression on noisy variables) would stay. These steps go there
at once: each is the weighted least-squares fit of the measured labels by the stars' present values, so L_star's label terms can only fall.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.forward.flux_model import FluxModel
from models.forward.observations import KnownLabels
from models.forward.parameters import EXT, N_TYPE, PARALLAX

LEAST_EXT = 1e-4
"""Where an extinction ends that a zero point below would carry to zero."""
CLIP = 3.0
"""Stars that differ from their labels by so many sigma and more lose weight."""
FEWEST = 20
"""Stars that a step wants."""


@torch.no_grad()
def gauge_step(
    model: FluxModel,
    labels: KnownLabels,
    parallax: Float[Tensor, " n"],
    parallax_error: Float[Tensor, " n"],
    variables: Float[Tensor, "n p"],
) -> Float[Tensor, "n p"]:
    """Move model (in place) and stars (returned) along the directions that leave the fluxes as they are, to where they fit the labels best."""
    moved = variables.clone()
    _extinctions(model, labels, moved)
    _parallaxes(model, parallax, parallax_error, moved)
    _types(model, labels, moved)
    return moved


def _weights(difference: Float[Tensor, " n"], error: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Inverse variances, less for stars that are far off (Cauchy's weights); 0 without a measurement."""
    return error**-2 / (1 + (difference / (CLIP * error)) ** 2)


def _extinctions(model: FluxModel, labels: KnownLabels, variables: Float[Tensor, "n p"]) -> None:
    ext = torch.exp(variables[:, EXT])
    weight = _weights(ext - labels.ext, labels.ext_error)
    if int((weight > 0).sum()) < FEWEST:
        return
    scale, zero = _fitted(ext[:, None], labels.ext, weight)
    factor = float(scale[0])
    if not 0.5 < factor < 2.0:  # the labels say nothing of the scale: all stars have the same extinction
        return
    variables[:, EXT] = torch.log((factor * ext + zero).clamp(min=LEAST_EXT))
    model.ln_extinction.sub_(math.log(factor))
    model.output.bias.add_(float(zero) * torch.exp(model.ln_extinction))


def _parallaxes(model: FluxModel, parallax: Float[Tensor, " n"], error: Float[Tensor, " n"], variables: Float[Tensor, "n p"]) -> None:
    here = torch.exp(variables[:, PARALLAX])
    weight = _weights(here - parallax, error)
    if int((weight > 0).sum()) < FEWEST:
        return
    step = torch.log((weight * here * parallax).sum() / (weight * here**2).sum())
    if bool(torch.isfinite(step)):
        variables[:, PARALLAX] += step
        model.output.bias.sub_(2 * float(step))


def _types(model: FluxModel, labels: KnownLabels, variables: Float[Tensor, "n p"]) -> None:
    centre, scale = model.centre.to(variables), model.scale.to(variables)
    here, wanted, error = (variables[:, :N_TYPE] - centre) / scale, (labels.type - centre) / scale, labels.type_error / scale
    matrix, zero = torch.eye(N_TYPE).to(variables), torch.zeros(N_TYPE).to(variables)
    for each in range(N_TYPE):
        weight = _weights(here[:, each] - wanted[:, each], error[:, each])
        if int((weight > 0).sum()) >= FEWEST:
            matrix[each], zero[each] = _fitted(here, wanted[:, each], weight)
    if not bool(torch.isfinite(matrix).all()) or float(torch.linalg.cond(matrix)) > 10.0:
        return
    variables[:, :N_TYPE] = centre + scale * (here @ matrix.T + zero)
    first = model.hidden[0]
    assert isinstance(first, nn.Linear)
    first.weight.copy_((first.weight.to(variables) @ torch.linalg.inv(matrix)).to(first.weight))
    first.bias.sub_((first.weight.to(variables) @ zero).to(first.bias))


def _fitted(x: Float[Tensor, "n k"], y: Float[Tensor, " n"], weight: Float[Tensor, " n"]) -> tuple[Float[Tensor, " k"], Float[Tensor, ""]]:
    """Slopes and intercept of the weighted linear regression of y on x."""
    root = weight.sqrt()[:, None]
    design = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    solution = torch.linalg.lstsq(design * root, y[:, None] * root).solution[:, 0]
    return solution[:-1], solution[-1]
