"""Steps along directions that no flux can tell apart: scale and zero point of extinction, of parallax, and of stellar types.

f = exp(NN(type)) parallax^2 exp(-ext R) stays what it is when ext becomes a ext + b, R becomes R / a and the output's biases take up (b / a) R; when
parallaxes are multiplied by k and the biases take up -2 ln k; and when types go through an affine map that the first layer undoes. Nearly so when types shift with ext and R takes
up what that does to ln f: extinction then trades with temperature, and in all bands alike with luminosity. Only the labels know where on such a
direction stars and network belong.

Descent of L_model and L_star goes there slowly, and not quite to the right place: what a type does not say (mass, alpha, R_V) scatters extinctions and
types as the fluxes see them by more than the fluxes' errors allow, and a network that believes those errors gives the whole scale up to the scatter.
So these steps ask for the straight line of the flux's own values F over the true ones, which is that over the labels once the labels' known
errors are taken out of their variance (Fuller 1987, Measurement Error Models, section 1.2): it depends neither on the scatter of F nor on the stars'
prior. F are the values that the fluxes and the parallax alone would have, one linear step away from the stars' best ones.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.forward.flux_model import FluxModel
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.parameters import EXT, N_TYPE, PARALLAX, TYPE, linear

LEAST_EXT = 1e-4
"""Where an extinction ends that a zero point below would carry to zero."""
CLIP = 4.0
"""Stars that differ from their labels by so many robust sigma do not count. Any gentler weights would take off part of the labels' errors, too."""
LARGEST_EXT_ERROR = 0.1
"""mag: reddenings known less well than those of stars of high quality (Zhang, Green & Rix 2023, Eq. 15) take no part."""
FEWEST = 50
"""Stars that a step wants."""
LEAST_RELIABILITY = 0.3
"""Share of the labels' variance that must be true differences: with less, a line through them says nothing."""
LARGEST_DRIFT = 3.0
"""Of a type in its scale, per mag of reddening: likewise."""
LARGEST_FACTOR = 1.5
"""A scale that would change by more than this, or its inverse, is left alone: something else is wrong."""


@torch.no_grad()
def flux_values(
    model: FluxModel, observed: Observations, variables: Float[Tensor, "n p"]
) -> tuple[Float[Tensor, "n p"], Float[Tensor, "n p"]]:
    """Parameters in linear units as fluxes and parallax alone would have them, and their variances: one Gauss-Newton step from ``variables``."""
    flux, jacobian = model.flux_and_jacobian(variables)
    values = linear(variables)
    slopes = jacobian.clone()
    slopes[..., EXT : PARALLAX + 1] /= values[:, None, EXT : PARALLAX + 1]
    whitened = observed.whitening @ torch.cat([slopes, (flux - observed.flux)[..., None]], dim=2)
    products = whitened.transpose(1, 2) @ whitened
    information, gradient = products[:, :-1, :-1].clone(), products[:, :-1, -1].clone()
    weight = observed.parallax_error**-2
    information[:, PARALLAX, PARALLAX] += weight
    gradient[:, PARALLAX] += weight * (values[:, PARALLAX] - observed.parallax)
    information += 1e-3 * torch.eye(information.shape[1]).to(information)  # a parameter that nothing is known of stays where it is
    covariance = torch.linalg.inv(information)
    return values - (covariance @ gradient[..., None])[..., 0], covariance.diagonal(dim1=1, dim2=2)


@torch.no_grad()
def gauge_step(
    model: FluxModel, observed: Observations, labels: KnownLabels, values: Float[Tensor, "n p"], variance: Float[Tensor, "n p"], variables: Float[Tensor, "n p"]
) -> tuple[Float[Tensor, "n p"], dict[str, float]]:  # fmt: skip
    """Move model (in place) and stars (returned) to where ``values`` lie on the labels; also by what factors and how far, for the record.

    ``values`` and ``variance`` are those of :func:`flux_values`. A step that the labels cannot tell is left out, and then its factor is 1.
    """
    moved = variables.clone()
    matrix, drift = _types(model, labels, values, variance, moved)
    ext, zero = _extinctions(model, labels, values, variance, moved)
    parallax = _parallaxes(model, observed, moved)
    teff, feh, logg = matrix.diagonal().tolist()
    return moved, {"ext": ext, "ext_zero": zero, "parallax": parallax, "teff": teff, "feh": feh, "logg": logg} | {
        f"{name}_by_ext": slope for name, slope in zip(TYPE, drift.tolist(), strict=True)
    }


def _reddened_less(model: FluxModel, drift: Float[Tensor, " 3"], variables: Float[Tensor, "n p"]) -> None:
    """Take out of R what makes types drift with extinction, by ``drift`` a mag.

    This direction is not exact: what a type does to ln f depends on the type, and R takes its mean over the stars, by the squares of their
    extinctions. The stars' next fit takes the rest.
    """
    ext = torch.exp(variables[:, EXT])
    weight = ext**2 / (ext**2).sum()
    extinction = torch.exp(model.ln_extinction)
    change = torch.zeros_like(extinction)
    for block in torch.split(torch.arange(len(ext)), 1024):
        by_type = model.ln_flux_and_slopes(variables[block, :N_TYPE].to(model.centre))[1]  # (n, 3, bands)
        change += torch.einsum("n,njb,j->b", weight[block].to(by_type), by_type, drift.to(by_type))
    model.ln_extinction.copy_(torch.log(torch.maximum(extinction - change, extinction / LARGEST_FACTOR)))


def _extinctions(
    model: FluxModel, labels: KnownLabels, values: Float[Tensor, "n p"], variance: Float[Tensor, "n p"], variables: Float[Tensor, "n p"]
) -> tuple[float, float]:  # fmt: skip
    known = labels.ext_error < LARGEST_EXT_ERROR
    line = _line(labels.ext[known, None], labels.ext_error[known, None], values[known, EXT], variance[known, EXT], labels.ext[known])
    if line is None or not 1 / LARGEST_FACTOR < float(line[0][0]) < LARGEST_FACTOR:
        return 1.0, 0.0
    scale, zero = float(line[0][0]), float(line[1])
    variables[:, EXT] = torch.log(((torch.exp(variables[:, EXT]) - zero) / scale).clamp(min=LEAST_EXT))
    model.output.bias.sub_(zero * torch.exp(model.ln_extinction))
    model.ln_extinction.add_(math.log(scale))
    return scale, zero


def _parallaxes(model: FluxModel, observed: Observations, variables: Float[Tensor, "n p"]) -> float:
    here, error = torch.exp(variables[:, PARALLAX]), observed.parallax_error
    weight = error**-2 * ((here - observed.parallax).abs() < CLIP * error)
    if int((weight > 0).sum()) < FEWEST:
        return 1.0
    factor = float((weight * here * observed.parallax).sum() / (weight * here**2).sum())
    if not 1 / LARGEST_FACTOR < factor < LARGEST_FACTOR:
        return 1.0
    variables[:, PARALLAX] += math.log(factor)
    model.output.bias.sub_(2 * math.log(factor))
    return 1 / factor


def _types(
    model: FluxModel, labels: KnownLabels, values: Float[Tensor, "n p"], variance: Float[Tensor, "n p"], variables: Float[Tensor, "n p"]
) -> tuple[Float[Tensor, "3 3"], Float[Tensor, " 3"]]:  # fmt: skip
    centre, scale = model.centre.to(variables), model.scale.to(variables)
    matrix, zero, drift = torch.eye(N_TYPE).to(variables), torch.zeros(N_TYPE).to(variables), torch.zeros(N_TYPE).to(variables)
    known = torch.isfinite(labels.type_error).all(1)
    reddened = known & (labels.ext_error < LARGEST_EXT_ERROR)
    with_ext = int(reddened.sum()) >= max(FEWEST, int(known.sum()) // 2)
    known = reddened if with_ext else known
    given, error = (labels.type[known] - centre) / scale, labels.type_error[known] / scale
    expected = given
    if with_ext:
        given = torch.cat([given, labels.ext[known, None]], dim=1)
        error = torch.cat([error, labels.ext_error[known, None]], dim=1)
    seen, spread = (values[known, :N_TYPE] - centre) / scale, variance[known, :N_TYPE] / scale**2
    for each in range(N_TYPE):
        line = _line(given, error, seen[:, each], spread[:, each], expected[:, each])
        if line is not None:
            matrix[each], zero[each] = line[0][:N_TYPE], line[1]
            drift[each] = line[0][N_TYPE] if with_ext else 0.0
    factors = torch.linalg.svdvals(matrix)
    if not (1 / LARGEST_FACTOR < float(factors[-1]) <= float(factors[0]) < LARGEST_FACTOR and float(drift.abs().max()) < LARGEST_DRIFT):
        return torch.eye(N_TYPE), torch.zeros(N_TYPE)
    if bool((drift != 0).any()):
        _reddened_less(model, drift * scale, variables)
    ext = torch.exp(variables[:, EXT : EXT + 1])
    here = (variables[:, :N_TYPE] - centre) / scale - zero - ext * drift
    variables[:, :N_TYPE] = centre + scale * (here @ torch.linalg.inv(matrix).T)
    first = model.hidden[0]
    assert isinstance(first, nn.Linear)
    first.bias.add_((first.weight.to(variables) @ zero).to(first.bias))
    first.weight.copy_((first.weight.to(variables) @ matrix).to(first.weight))
    return matrix, drift * scale


def _line(
    x: Float[Tensor, "n k"], error: Float[Tensor, "n k"], y: Float[Tensor, " n"], variance: Float[Tensor, " n"], expected: Float[Tensor, " n"]
) -> tuple[Float[Tensor, " k"], Float[Tensor, ""]] | None:  # fmt: skip
    """Slopes and zero of y over what x would be without its errors; None where there are too few stars or x is mostly error.

    Stars weigh by what is known of y; not at all where it is far from ``expected``, its label.
    """
    difference = y - expected
    if len(y) < FEWEST or not bool(torch.isfinite(difference).all()):
        return None
    offset = difference - difference.median()
    spread = torch.sqrt(variance + (1.4826 * offset.abs().median()) ** 2)
    weight = spread**-2 * (offset.abs() < CLIP * spread)
    weight = weight / weight.sum()
    x_mean, y_mean = weight @ x, weight @ y
    dx, dy = x - x_mean, y - y_mean
    seen = (dx * weight[:, None]).T @ dx
    true = seen - torch.diag(weight @ error**2)
    if float((true.diagonal() / seen.diagonal()).min()) < LEAST_RELIABILITY or float(torch.linalg.eigvalsh(true)[0]) <= 0:
        return None
    slopes = torch.linalg.solve(true, (dx * weight[:, None]).T @ dy)
    return slopes, y_mean - slopes @ x_mean
