"""The slope of xi is learnt from reddened stars, at the size at which xi is standard normal, and xi then tells each star's curve."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from catalog.errors import DataError
from models.forward.flux_model import FluxModel
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.parameters import EXT, XI, linear
from models.forward.training.extinction_shape import factor, fit_slope
from models.forward.training.training_stars import TrainingStars
from models.forward.version import ForwardVersion

Observe = Callable[..., tuple[Observations, torch.Tensor]]


def test_a_factor_is_found_at_its_scale_wherever_it_starts() -> None:
    random = np.random.default_rng(0)
    truth = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    design = torch.from_numpy(random.standard_normal((4000, 3)))
    xi, noise = (torch.from_numpy(random.standard_normal(4000)) for _ in range(2))
    seen = (design @ truth) * xi + noise
    for start in (0.05 * truth, 10 * truth, torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64)):
        found, mean, variance = factor(seen[:, None] * design, design[:, :, None] * design[:, None, :], start)
        assert torch.allclose(found * torch.sign(found @ truth), truth, atol=0.1)
        assert float((mean**2 + variance).mean()) == pytest.approx(1.0, abs=0.05)


def training_stars(version: ForwardVersion, observe: Observe, n: int) -> tuple[TrainingStars, torch.Tensor]:
    """Stars with xi of spread 1 behind curves that bend, as with R(V) of 3.1 +- 0.3, and labels."""
    random = np.random.default_rng(3)
    observed, truth = observe(version, n)
    observed.flux.sub_(version.flux_model.flux(truth))
    truth[:, XI] = torch.from_numpy(random.standard_normal(n))
    observed.flux.add_(version.flux_model.flux(truth))
    known = torch.tensor([0.05, 0.05, 0.08, 0.03], dtype=torch.float64)
    values = linear(truth)[:, : EXT + 1] + known * torch.from_numpy(random.standard_normal((n, 4)))
    error = known.expand(n, 4)
    labels = KnownLabels(values[:, :EXT], error[:, :EXT], values[:, EXT], error[:, EXT])
    start = truth.clone()
    start[:, XI] = 0.0
    return TrainingStars(observed, labels, start, {"logarithmic_terms": False}, torch.device("cpu")), truth


def test_the_slope_is_the_sky_s_and_xi_follows_it(black_bodies: Callable[..., ForwardVersion], observe: Observe) -> None:
    version = black_bodies(xi=True)
    model = FluxModel(version.wavelengths, xi=True).requires_grad_(False)
    stars, truth = training_stars(version, observe, 300)
    model.load_state_dict(version.flux_model.state_dict())
    slope = version.flux_model.extinction_slope * version.flux_model.slope_mask
    model.extinction_slope.zero_()
    index = torch.arange(len(stars))
    figures = fit_slope(model, stars, index, version.wavelengths, torch.from_numpy(0.01 * np.sqrt(version.wavelengths / 550)))
    found = (model.extinction_slope * model.slope_mask).double()
    assert float(torch.corrcoef(torch.stack([found[:64], slope[:64]]))[0, 1]) > 0.98
    # What changes all of the curve alike is ext's; and tanh(xi), learnt as if it were xi, has a spread of 0.63.
    assert float((found[60] - found[0]) / (slope[60] - slope[0])) == pytest.approx(0.63, abs=0.12)
    assert torch.equal(found[-2:], torch.zeros(2).double())
    assert figures["stars"] > 100 and figures["known"] > 0.5
    reddened = truth[:, EXT] > np.log(0.2)
    stars.refine(model, index)
    assert float(torch.corrcoef(torch.stack([stars.variables[reddened, XI], truth[reddened, XI]]))[0, 1]) > 0.8


def test_too_few_reddened_stars_are_told(black_bodies: Callable[..., ForwardVersion], observe: Observe) -> None:
    version = black_bodies(xi=True)
    stars, _ = training_stars(version, observe, 100)
    stars.variables[:, EXT] = np.log(0.1)
    with pytest.raises(DataError, match=r"only 0 of 100 training stars have ext above 0\.2"):
        fit_slope(version.flux_model, stars, torch.arange(100), version.wavelengths, torch.ones(len(version.wavelengths)))
