"""Steps along directions that fluxes do not see leave every flux as it is and bring stars and network to where noisy labels want them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from models.forward.flux_model import FluxModel
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.parameters import linear
from models.forward.training.gauge import flux_values, gauge_step


@pytest.fixture
def model(learnable_stars: Callable[..., Any]) -> FluxModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = FluxModel(learnable_stars(1).wavelengths).double()
    model.centre.copy_(torch.tensor([5.7, -0.2, 3.3]))
    model.scale.copy_(torch.tensor([0.8, 0.25, 0.8]))
    return model.requires_grad_(False)


def seen(model: FluxModel, variables: torch.Tensor, parallax: torch.Tensor) -> Observations:
    flux = model.flux(variables)
    bands = flux.shape[1]
    return Observations(flux, 0.01 * flux, torch.eye(bands).double() / (0.01 * flux)[:, :, None], parallax, 0.02 * parallax)


def test_no_flux_changes_and_labels_without_errors_are_met(model: FluxModel, learnable_stars: Callable[..., Any]) -> None:
    here = learnable_stars(200).variables
    matrix = torch.tensor([[1.1, 0.05, 0.0], [0.0, 0.9, 0.02], [-0.1, 0.0, 1.05]]).double()
    wanted_types = (here[:, :3] - 4) @ matrix.T + 4.1
    wanted = torch.cat([wanted_types, torch.log(1.2 * torch.exp(here[:, 3:4]) + 0.02), here[:, 4:] + 0.05], dim=1)
    tiny = torch.full((200,), 1e-6).double()
    labels = KnownLabels(wanted_types, tiny[:, None].expand(200, 3), torch.exp(wanted[:, 3]), tiny)
    before = model.flux(here)
    observed = seen(model, here, torch.exp(wanted[:, 4]))
    moved, figures = gauge_step(model, observed, labels, linear(here), torch.full_like(here, 1e-8), here)
    assert torch.allclose(model.flux(moved), before, rtol=1e-10)
    assert torch.allclose(moved, wanted, atol=1e-8)
    assert figures["ext"] == pytest.approx(1 / 1.2)


def test_neither_noise_of_labels_nor_scatter_of_fluxes_moves_the_scale(model: FluxModel, learnable_stars: Callable[..., Any]) -> None:
    stars = learnable_stars(4000, label_error=2.0)
    generator = torch.Generator().manual_seed(1)
    values = linear(stars.variables) + 0.03 * torch.randn(4000, 5, generator=generator, dtype=torch.float64)  # more than the variances say
    observed = seen(model, stars.variables, stars.observed.parallax)
    _, figures = gauge_step(model, observed, stars.labels, values, torch.full_like(values, 1e-6), stars.variables)
    for name in ("ext", "teff", "feh", "logg", "parallax"):
        assert figures[name] == pytest.approx(1.0, abs=0.02), name
    assert figures["ext_zero"] == pytest.approx(0.0, abs=0.004)


@pytest.mark.parametrize("why", ["few stars", "labels that are all error", "a wild scale", "values that are not finite"])
def test_labels_that_cannot_tell_leave_stars_and_network_alone(model: FluxModel, learnable_stars: Callable[..., Any], why: str) -> None:
    stars = learnable_stars(30 if why == "few stars" else 200)
    labels, values = stars.labels, linear(stars.variables)
    if why == "labels that are all error":
        labels = KnownLabels(labels.type, 10 * torch.ones(200, 3).double(), labels.ext, torch.ones(200).double())
    if why == "a wild scale":
        values[:, :4] *= 3
    if why == "values that are not finite":
        values[7, :4] = torch.nan
    weights = [parameter.clone() for name, parameter in model.named_parameters() if name != "output.bias"]
    observed = seen(model, stars.variables, torch.exp(stars.variables[:, 4]))
    moved, figures = gauge_step(model, observed, labels, values, torch.full_like(values, 1e-4), stars.variables)
    assert torch.allclose(moved, stars.variables, atol=1e-9)
    assert all(
        torch.equal(before, after)
        for before, after in zip(weights, [p for name, p in model.named_parameters() if name != "output.bias"], strict=True)
    )
    assert figures["ext"] == figures["teff"] == 1.0


def test_one_step_gives_the_values_of_fluxes_and_parallax_alone(model: FluxModel, learnable_stars: Callable[..., Any]) -> None:
    truth = learnable_stars(50).variables
    observed = seen(model, truth, torch.exp(truth[:, 4]))
    near = truth + 1e-5
    values, variance = flux_values(model, observed, near)
    assert torch.allclose(values, linear(truth), atol=2e-6)
    assert bool((variance > 0).all())
