"""The objective's terms against automatic differentiation, term by term."""

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

from models.forward.bands import WAVELENGTHS
from models.forward.inference.bounds import Bounds
from models.forward.objective import LabelPrior, PopulationPrior, StarObjective
from models.forward.observed.observations import KnownLabels
from models.forward.parameters import EXT, XI, linear, logarithmic
from models.forward.type_prior import TypePrior
from models.numerics.threads import one_thread


def objective_of(kind, version, observed, truth):
    if kind == "labels":
        n = len(truth)
        errors = torch.full((n, 3), 0.1).double(), torch.linspace(0.03, 0.5, n).double()
        return StarObjective(
            version.flux_model, observed, LabelPrior(KnownLabels(truth[:, :3] + 0.02, errors[0], linear(truth)[:, EXT] * 1.1, errors[1]))
        )
    bounds = Bounds.around(version.type_prior, version.flux_model.n_parameters)
    return StarObjective(version.flux_model, observed, PopulationPrior(version.type_prior), bounds)


@pytest.mark.parametrize("kind", ["population", "labels"])
@pytest.mark.parametrize("xi", [False, True])
def test_value_and_gradient_are_those_of_the_loss(black_bodies, observe, kind, xi):
    version = black_bodies(xi)
    observed, truth = observe(version, 12)
    objective = objective_of(kind, version, observed, truth)
    variables = (truth + 0.05).requires_grad_()
    loss = objective.loss(variables)
    (gradient,) = torch.autograd.grad(loss.sum(), variables)
    value, slope, curvature = objective.terms(variables.detach())
    assert value == pytest.approx(loss.detach(), rel=1e-10)
    assert slope == pytest.approx(gradient, rel=1e-7, abs=1e-6 * gradient.abs().max().item())
    assert (torch.linalg.eigvalsh(curvature) > 0).all()


def test_beyond_the_box_there_is_a_wall_and_inside_nothing(black_bodies, observe):
    version = black_bodies()
    observed, truth = observe(version, 6)
    open_, walled = (
        StarObjective(version.flux_model, observed, PopulationPrior(version.type_prior), bounds)
        for bounds in (None, Bounds.around(version.type_prior, 5))
    )
    assert torch.equal(open_.loss(truth), walled.loss(truth))
    assert torch.equal(open_.terms(truth)[2], walled.terms(truth)[2])
    beyond = truth.clone()
    beyond[:, EXT] = 3.1  # ln 20 is 2.996
    variables = beyond.requires_grad_()
    (gradient,) = torch.autograd.grad(walled.loss(variables).sum(), variables)
    assert (walled.loss(variables) > open_.loss(variables) + 10).all()
    assert walled.terms(beyond.detach())[1] == pytest.approx(gradient, rel=1e-6, abs=1e-3)
    assert Bounds.around(version.type_prior, 5).outside(beyond).all()


def test_several_starts_of_a_star_are_as_many_rows_of_it(black_bodies, observe):
    version = black_bodies()
    observed, truth = observe(version, 16)
    prior = PopulationPrior(version.type_prior)
    variables = truth.repeat_interleave(3, 0) + 0.02 * torch.arange(48).double()[:, None] / 48
    together = StarObjective(version.flux_model, observed, prior, starts=3).terms(variables)
    apart = StarObjective(version.flux_model, observed.take(torch.arange(16).repeat_interleave(3)), prior).terms(variables)
    for one, other in zip(together, apart, strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("xi", [False, True])
def test_slopes_of_the_flux_are_its_derivatives(black_bodies, observe, xi):
    version = black_bodies(xi)
    _, truth = observe(version, 5)
    flux, jacobian = version.flux_model.flux_and_jacobian(truth)
    assert flux == pytest.approx(version.flux_model.flux(truth))
    automatic = torch.func.vmap(torch.func.jacrev(lambda row: version.flux_model.flux(row[None])[0]))(truth)
    assert jacobian == pytest.approx(automatic, rel=1e-8, abs=1e-8 * automatic.abs().max().item())


def test_xi_leaves_the_reddest_bands_as_they_are(black_bodies):
    model = black_bodies(True).flux_model
    extinction = model.extinction(logarithmic(torch.tensor([[5.0, 0, 4, 0.3, 1, xi] for xi in (-1.0, 0.0, 1.0)]).double()))
    assert (extinction[:, WAVELENGTHS > 3000] == extinction[1, WAVELENGTHS > 3000]).all()
    assert (extinction[2, :10] < extinction[1, :10]).all() and XI == 5


def test_the_prior_is_the_mixture_that_was_fitted_and_its_derivatives_are_exact():
    types = torch.randn(600, 3, generator=torch.Generator().manual_seed(1)).double() * torch.tensor([1.0, 0.3, 1.2]) + torch.tensor(
        [5.5, -0.2, 3.8]
    )
    prior = TypePrior.fitted(types.numpy(), 3, seed=0)
    theirs = GaussianMixture(3, covariance_type="full", reg_covar=1e-3, max_iter=300, random_state=0).fit(types.numpy())
    assert prior.ln_density(types) == pytest.approx(torch.from_numpy(theirs.score_samples(types.numpy())), rel=1e-9)
    some = types[:20]
    ln_density, slope, bend, excess = prior.ln_density_terms(some)
    assert ln_density == pytest.approx(prior.ln_density(some), rel=1e-10)
    one = lambda row: prior.ln_density(row[None])[0]  # noqa: E731
    assert slope == pytest.approx(torch.func.vmap(torch.func.grad(one))(some), rel=1e-8, abs=1e-8)
    assert bend - excess == pytest.approx(-torch.func.vmap(torch.func.hessian(one))(some), rel=1e-7, abs=1e-7)
    assert (torch.linalg.eigvalsh(bend) > 0).all() and (torch.linalg.eigvalsh(excess) > -1e-9).all()


def test_draws_follow_the_prior_and_its_cut_leaves_a_thousandth_out():
    types = torch.randn(600, 3, generator=torch.Generator().manual_seed(1)).double()
    prior = TypePrior.fitted(types.numpy(), 2, seed=0)
    drawn = prior.draw(20_000, torch.Generator().manual_seed(2))
    assert drawn.mean(0) == pytest.approx((prior.weights[:, None] * prior.means).sum(0), abs=0.05)
    assert torch.equal(drawn[:5], prior.draw(20_000, torch.Generator().manual_seed(2))[:5])
    cut = prior.quantile(0.001, torch.Generator().manual_seed(3))
    assert (prior.ln_density(drawn) < cut).double().mean() == pytest.approx(0.001, abs=0.001)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_types_prior_does_not_depend_on_its_place_in_the_batch_to_the_last_bit(dtype: torch.dtype) -> None:
    random = np.random.default_rng(4)
    means = random.normal([5.5, -0.3, 4.0], [0.8, 0.3, 0.8], (16, 3))
    factors = random.normal(size=(16, 3, 3))
    precisions = factors @ factors.transpose(0, 2, 1) + 4 * np.eye(3)
    prior = TypePrior(*(torch.from_numpy(each).to(dtype) for each in (np.full(16, 1 / 16), means, precisions)))
    types = torch.from_numpy(random.normal([5.5, -0.3, 4.0], [0.8, 0.3, 0.8], (272, 3))).to(dtype)
    with one_thread():
        whole = prior.ln_density_terms(types)
        for first in range(1, 16):
            part = prior.ln_density_terms(types[first : first + 256].clone())
            assert all(torch.equal(a, b[first : first + 256]) for a, b in zip(part, whole, strict=True)), first
