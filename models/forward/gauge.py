"""Directions of flux model and stars together that leave every flux as it is, and the steps along them that the stars' labels ask for.

    ext -> c ext + d            ln R falls by ln c, the output's biases rise by d R
    parallax -> k parallax      the output's biases fall by 2 ln k
    type -> A type + b          undone by the first layer

The fluxes know stars' parameters far better than their labels do, so where network and stars take turns (Zhang, Green & Rix 2023, section 3.2) both
stay where the first phase put them along these directions; and the first phase, which holds the stars at their noisy labels, makes extinction too weak
(the bias of a regression on a variable with errors: 20 % of R in 2,000 simulated stars). Each step here is the minimum of Eq. 14 along a direction,
over the stars that agree with their labels. It wants stars at their best under a network that fits them: while the network is rough, extinctions that
scatter by its errors would draw the slope towards zero, time after time.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.observations import KnownLabels, Observations
from models.forward.parameters import EXT, N_TYPE, PARALLAX

LEAST_EXT = 1e-4
"""What an extinction is kept above."""
AT_ODDS = 4.0
"""Sigma of a label beyond which a star says nothing of a direction: it may be a wrong match or a binary."""
LEAST_KNOWN = 20
"""Stars with a label from which a direction's step is taken."""


@torch.no_grad()
def settle(model: FluxModel, observed: Observations, labels: KnownLabels, variables: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
    """Move the model, in place, and the stars to the minimum of the labels' terms of Eq. 14 along the directions; the stars' new variables.

    ``variables`` are the solver's, on any device and in any precision; the arithmetic is float64 on the CPU.
    """
    moved = variables.detach().double().cpu().clone()
    _settle_types(model, labels, moved)
    _settle_ext(model, labels, moved)
    _settle_parallax(model, observed, moved)
    return moved.to(variables)


def _regression(
    target: Float[Tensor, " n"], error: Float[Tensor, " n"], now: Float[Tensor, " n"], columns: Float[Tensor, "n k"]
) -> Float[Tensor, " k"] | None:
    """Weighted least squares of a label on columns, without stars that are at odds with it ``now``; None where too few are left."""
    target, error = target.double().cpu(), error.double().cpu()
    known = torch.isfinite(error) & torch.isfinite(target) & ((now - target).abs() < AT_ODDS * error)
    if int(known.sum()) < LEAST_KNOWN:
        return None
    weight = 1 / error[known, None]
    return torch.linalg.lstsq(columns[known] * weight, target[known] * weight[:, 0]).solution


def _settle_types(model: FluxModel, labels: KnownLabels, variables: Float[Tensor, "n p"]) -> None:
    types = variables[:, :N_TYPE].clone()
    columns = torch.cat([types, torch.ones_like(types[:, :1])], dim=1)
    found = [_regression(labels.type[:, i], labels.type_error[:, i], types[:, i], columns) for i in range(N_TYPE)]
    if any(each is None for each in found):
        return
    mixing = torch.stack([each for each in found if each is not None])  # (3, 4): A and b
    matrix, offset = mixing[:, :N_TYPE], mixing[:, N_TYPE]
    if float(torch.linalg.det(matrix)) < 0.1:  # the network does not know types yet
        return
    variables[:, :N_TYPE] = types @ matrix.T + offset
    first = model.hidden[0]
    weight: Tensor = first.weight  # type: ignore[assignment]
    bias: Tensor = first.bias  # type: ignore[assignment]
    centre, scale = model.centre.double().cpu(), model.scale.double().cpu()
    back = torch.diag(1 / scale) @ torch.linalg.inv(matrix) @ torch.diag(scale)
    before = weight.double().cpu()
    bias += (before @ (back @ ((centre - offset) / scale) - centre / scale)).to(bias)
    weight.copy_((before @ back).to(weight))


def _settle_ext(model: FluxModel, labels: KnownLabels, variables: Float[Tensor, "n p"]) -> None:
    ext = torch.exp(variables[:, EXT])
    columns = torch.stack([ext, torch.ones_like(ext)], dim=1)
    # With xi the curve differs from star to star, and no bias can take an offset.
    found = _regression(labels.ext, labels.ext_error, ext, columns[:, :1] if model.has_xi else columns)
    if found is None or not 0.2 < float(found[0]) < 5.0:
        return
    factor, offset = found[0], found[1] if len(found) > 1 else torch.zeros_like(found[0])
    variables[:, EXT] = torch.log((factor * ext + offset).clamp(min=LEAST_EXT))
    model.ln_extinction.sub_(torch.log(factor).to(model.ln_extinction))
    model.output.bias.add_(offset.to(model.output.bias) * torch.exp(model.ln_extinction))


def _settle_parallax(model: FluxModel, observed: Observations, variables: Float[Tensor, "n p"]) -> None:
    parallax = torch.exp(variables[:, PARALLAX])
    found = _regression(observed.parallax, observed.parallax_error, parallax, parallax[:, None])
    if found is None or not 0.2 < float(found[0]) < 5.0:
        return
    variables[:, PARALLAX] += torch.log(found[0])
    model.output.bias.sub_(2 * torch.log(found[0]).to(model.output.bias))
