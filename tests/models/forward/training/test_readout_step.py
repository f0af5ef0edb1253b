"""The Gauss-Newton step of last layer and extinction curve is that of all its unknowns and all stars' parameters together."""

from collections.abc import Callable
from typing import Any

import torch
from torch.func import jacrev

from models.forward.flux_model import FluxModel
from models.forward.objective import LabelPrior, StarObjective
from models.forward.observed.observations import Observations
from models.forward.training.readout_step import ReadoutEquations, features_of, take_step
from models.numerics.least_squares import batched_least_squares

Near = tuple[FluxModel, StarObjective, Observations, torch.Tensor]


def near_the_truth(stars: Any) -> Near:
    """A model whose last layer and curve are somewhat off those that made the fluxes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = FluxModel(stars.wavelengths, 4, 2).double().requires_grad_(False)
        model.centre.copy_(torch.tensor([5.7, -0.2, 3.3]))
        model.scale.copy_(torch.tensor([0.8, 0.25, 0.8]))
        variables = stars.variables
        flux = model.flux(variables)
        observed = Observations(
            flux, 0.01 * flux, torch.eye(12).double() / (0.01 * flux)[:, :, None], torch.exp(variables[:, 4]), stars.observed.parallax_error
        )
        for each in (model.output.weight, model.output.bias, model.ln_extinction):
            each += 0.03 * torch.randn(each.shape)
    return model, StarObjective(model, observed, LabelPrior(stars.labels)), observed, variables


def test_the_step_solves_the_whole_system(learnable_stars: Callable[..., Any]) -> None:
    stars = learnable_stars(12)
    model, problem, observed, variables = near_the_truth(stars)
    equations = ReadoutEquations.empty(model)
    for part in (slice(0, 5), slice(5, 12)):
        equations.add(problem.take(part), observed.take(part), variables[part], 0.0, with_curvature=True)
    step = equations.step(torch.zeros_like(model.output.weight), 1.0, 0.0)

    names = ("output.weight", "output.bias", "ln_extinction")
    inside = {name: dict(model.named_parameters())[name] for name in names}

    def flux(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        return _flux(model, parameters, variables)

    by = jacrev(flux)(inside)
    extinction = torch.exp(model.ln_extinction)
    columns = torch.cat(
        [by["output.weight"], by["output.bias"][..., None], (by["ln_extinction"] / extinction)[..., None]], dim=3
    )  # (n, bands, bands, features)
    n, bands, _, width = columns.shape
    size = bands * width
    _, slope, curvature = problem.terms(variables)
    _, jacobian = model.flux_and_jacobian(variables)
    total = torch.zeros(size + 5 * n, size + 5 * n).double()
    force = torch.zeros(size + 5 * n).double()
    for star in range(n):
        white = observed.whitening[star]
        net, own = white @ columns[star].reshape(bands, size), white @ jacobian[star]
        place = slice(size + 5 * star, size + 5 * star + 5)
        total[:size, :size] += net.T @ net
        total[:size, place] = net.T @ own
        total[place, :size] = own.T @ net
        total[place, place] = curvature[star] / 2
        force[:size] += net.T @ (white @ (model.flux(variables)[star] - observed.flux[star]))
        force[place] = slope[star] / 2
    held = torch.zeros(bands, width).double()
    held[:, :4] = 1.0
    total[range(size), range(size)] += held.reshape(-1)
    expected = torch.linalg.solve(total, -force)[:size].reshape(bands, width)
    assert torch.allclose(step, expected, rtol=1e-5, atol=1e-8)


def _flux(model: FluxModel, parameters: dict[str, torch.Tensor], variables: torch.Tensor) -> torch.Tensor:
    hidden = (variables[:, :3] - model.centre) / model.scale
    for layer in model.hidden:
        hidden = torch.tanh(layer(hidden))
    ln_flux = hidden @ parameters["output.weight"].T + parameters["output.bias"]
    return torch.exp(ln_flux + 2 * variables[:, 4:5] - torch.exp(variables[:, 3:4] + parameters["ln_extinction"]))


def test_steps_with_the_stars_following_reach_the_joint_minimum(learnable_stars: Callable[..., Any]) -> None:
    stars = learnable_stars(200)
    model, problem, observed, variables = near_the_truth(stars)

    def at_their_best(start: torch.Tensor) -> torch.Tensor:
        return batched_least_squares(problem, start, largest_step=[0.5] * start.shape[1], tolerance=1e-8).variables

    variables = at_their_best(variables)
    values = [float(problem.loss(variables).mean())]
    for _ in range(4):
        equations = ReadoutEquations.empty(model)
        equations.add(problem, observed, variables, 0.0, with_curvature=True)
        assert equations.gradient.shape == (12, features_of(model))
        take_step(model, equations.step(torch.zeros_like(model.output.weight), 1e-6, 1e-6))
        variables = at_their_best(variables)
        values.append(float(problem.loss(variables).mean()))
    assert values[0] - values[-1] > 5
    assert values[3] - values[4] < 0.05 * (values[0] - values[-1])
