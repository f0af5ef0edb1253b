"""Inference on simulated stars of a model of black bodies: right within its errors, for each star by itself, with a value for every odd one."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from models.forward.bands import N_XP
from models.forward.inference.bounds import Bounds
from models.forward.inference.fitting import fit_stars
from models.forward.inference.inference import Estimates, infer
from models.forward.inference.minima import APART
from models.forward.objective import LabelPrior, PopulationPrior, StarObjective
from models.forward.observed.observations import KnownLabels, Observations
from models.forward.parameters import EXT, PARALLAX, linear
from models.numerics.threads import one_thread


def assert_same(one, other):
    for each in fields(Estimates):
        assert torch.equal(getattr(one, each.name).nan_to_num(nan=-9e9), getattr(other, each.name).nan_to_num(nan=-9e9)), each.name


@pytest.mark.parametrize("xi", [False, True])
def test_parameters_are_recovered_within_their_errors(black_bodies, observe, xi):
    version = black_bodies(xi)
    observed, truth = observe(version, 300)
    found = infer(version, observed)
    assert found.converged.all() and torch.isfinite(found.loss).all()
    pull = (found.parameters - linear(truth)) / found.covariance.diagonal(dim1=1, dim2=2).sqrt()
    width = 1.4826 * (pull - pull.median(0).values).abs().median(0).values
    # the prior says more than the stars do about xi, and little about the others
    assert ((width[:5] > 0.7) & (width[:5] < 1.25)).all() and (width[5:] < 1.25).all()
    assert 50 < found.chi2.median() < 75


def test_no_start_at_the_truth_finds_anything_better(black_bodies, observe):
    version = black_bodies()
    observed, truth = observe(version, 300, seed=3)
    found = infer(version, observed)
    bounds = Bounds.around(version.type_prior, 5)
    near_truth = fit_stars(version.flux_model, observed, PopulationPrior(version.type_prior), truth, bounds=bounds)
    assert (found.loss < near_truth.value + 0.01).all()


def test_what_is_reported_belongs_to_the_point_that_is_reported(black_bodies, observe):
    version = black_bodies()
    observed, _ = observe(version, 40)
    found = infer(version, observed)
    objective = StarObjective(version.flux_model, observed, PopulationPrior(version.type_prior))
    assert found.loss == pytest.approx(objective.loss(found.variables), rel=1e-12)
    assert found.chi2 == pytest.approx(objective.chi2(found.variables), rel=1e-9)
    assert found.flux == pytest.approx(version.flux_model.flux(found.variables), rel=1e-12)
    assert found.ln_prior == pytest.approx(version.type_prior.ln_density(found.variables[:, :3]), rel=1e-12)
    gradient = objective.terms(found.variables)[1]
    newton = torch.linalg.solve(objective.terms(found.variables)[2], gradient[..., None])[..., 0]
    assert ((gradient * newton).sum(1) < 0.01).all()  # what a further step would gain


def test_a_star_s_estimates_do_not_depend_on_its_companions_to_the_last_bit(black_bodies, observe):
    version = black_bodies()
    observed, _ = observe(version, 300, seed=5)
    with one_thread():
        together = infer(version, observed)
        order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
        assert_same(together.take(order), infer(version, observed.take(order)))
        for some in (slice(0, 1), slice(7, 40), slice(250, 300)):
            assert_same(together.take(some), infer(version, observed.take(some)))


def test_an_empty_batch_gives_no_estimates(black_bodies, observe):
    version = black_bodies()
    found = infer(version, observe(version, 3)[0].take(slice(0)))
    assert len(found) == 0 and found.covariance.shape == (0, 5, 5)


def without(observed, *bands):
    """The stars without these bands."""
    flux, error, whitening = observed.flux.clone(), observed.flux_error.clone(), observed.whitening.clone()
    for band in bands:
        flux[:, band], error[:, band] = 0.0, torch.inf
        whitening[:, band], whitening[:, :, band] = 0.0, 0.0
    return replace(observed, flux=flux, flux_error=error, whitening=whitening)


ALL = range(66)
ODD = {
    "zero flux": (lambda o: replace(o, flux=0 * o.flux), True),
    "negative flux": (lambda o: replace(o, flux=-o.flux), True),
    "half of the flux negative": (lambda o: replace(o, flux=o.flux * torch.tensor([1.0, -1.0]).repeat(33)), True),
    "one band": (lambda o: without(o, *ALL[1:]), True),
    "no infrared": (lambda o: without(o, *range(N_XP, 66)), True),
    "no BP": (lambda o: without(o, *range(25)), True),
    "nothing but a parallax": (lambda o: without(o, *ALL), True),
    "nothing at all": (lambda o: replace(without(o, *ALL), parallax=0 * o.parallax, parallax_error=o.parallax_error * torch.inf), True),
    "negative parallax": (lambda o: replace(o, parallax=-3 * o.parallax), True),
    "absent parallax": (lambda o: replace(o, parallax=0 * o.parallax, parallax_error=o.parallax_error * torch.inf), True),
    "a million times too bright": (lambda o: replace(o, flux=1e6 * o.flux), True),
    "a million times too faint": (lambda o: replace(o, flux=1e-6 * o.flux), True),
    "flux not a number": (lambda o: replace(o, flux=o.flux * torch.nan), False),
    "whitening not a number": (lambda o: replace(o, whitening=o.whitening * torch.nan), False),
}


def test_every_odd_star_has_a_value_or_none_and_the_others_go_on(black_bodies, observe):
    version = black_bodies()
    ordinary, _ = observe(version, 20, seed=9)
    odd = [change(ordinary.take(slice(4, 5))) for change, _ in ODD.values()]
    everyone = [ordinary, *odd, ordinary.take(slice(0, 1))]
    with one_thread():
        found = infer(version, Observations(*(torch.cat([getattr(each, name.name) for each in everyone]) for name in fields(Observations))))
        assert_same(found.take(slice(20)), infer(version, ordinary))
        assert_same(found.take(slice(0, 1)), found.take(slice(20 + len(odd), None)))  # duplicates agree
    for (name, (_, has_value)), loss, variables, converged in zip(
        ODD.items(), found.loss[20:], found.variables[20:], found.converged[20:], strict=False
    ):
        assert torch.isfinite(loss) == has_value, name
        assert torch.isfinite(variables).all(), name
        if not has_value:
            assert not converged, name
    covariance = found.covariance[20 : 20 + len(odd)][[value for _, value in ODD.values()]]
    assert torch.isfinite(covariance).all() and (torch.linalg.eigvalsh(covariance) >= 0).all()
    # what the data do not hold back ends at a wall, and is not called converged
    assert not found.converged[20 + list(ODD).index("nothing at all")]


def test_without_extinction_the_estimate_is_small_and_positive(black_bodies, observe):
    version = black_bodies()
    observed, truth = observe(version, 100, seed=11)
    truth[:, EXT] = -30.0
    seen = observed.flux / version.flux_model.flux(observe(version, 100, seed=11)[1]) * version.flux_model.flux(truth)
    found = infer(version, replace(observed, flux=seen))
    sigma = found.covariance[:, EXT, EXT].sqrt()
    ext = torch.exp(found.variables[:, EXT])
    assert found.converged.double().mean() > 0.95
    assert (ext > 0).all() and (ext < 5 * sigma).double().mean() > 0.9  # -2 ln ext pushes it up to about one sigma


def test_training_stars_are_fitted_to_fluxes_and_labels_each_by_itself(black_bodies, observe):
    version = black_bodies()
    observed, truth = observe(version, 70, seed=13)
    values = linear(truth)
    labels = KnownLabels(values[:, :3] + 0.01, torch.full((70, 3), 0.05).double(), values[:, EXT], torch.full((70,), 0.02).double())
    start = truth + 0.1
    with one_thread():
        found = fit_stars(version.flux_model, observed, LabelPrior(labels), start)
        alone = fit_stars(version.flux_model, observed.take(slice(5, 6)), LabelPrior(labels.take(slice(5, 6))), start[5:6])
    assert found.converged.all()
    assert torch.equal(found.variables[5:6], alone.variables)
    objective = StarObjective(version.flux_model, observed, LabelPrior(labels))
    assert (found.value <= objective.loss(truth) + 1e-9).all()
    assert np.allclose(found.value, objective.loss(found.variables))
    assert (linear(found.variables)[:, PARALLAX] / values[:, PARALLAX] - 1).abs().median() < 0.05


def test_a_second_answer_is_told(black_bodies, observe):
    """A spectrum of two bands fits a cool star without dust as well as a hot one behind it, or a dwarf nearby as well as a giant far away."""
    version = black_bodies()
    observed, _ = observe(version, 200, seed=15)
    observed = without(observed, *(band for band in ALL if band not in (10, 50)))
    observed = replace(observed, parallax=0 * observed.parallax, parallax_error=observed.parallax_error * torch.inf)
    found = infer(version, observed)
    several = found.n_minima > 1
    assert several.any()
    assert torch.isnan(found.runner_up[~several]).all() and torch.isnan(found.runner_up_delta[~several]).all()
    assert torch.isfinite(found.runner_up[several]).all()
    assert ((found.runner_up_delta[several] >= 0) & (found.runner_up_delta[several] < 4.1)).all()
    objective = StarObjective(version.flux_model, observed, PopulationPrior(version.type_prior), Bounds.around(version.type_prior, 5))
    delta = (objective.loss(found.runner_up) - found.loss)[several]
    assert delta == pytest.approx(found.runner_up_delta[several], abs=1e-6)
    _, _, curvature = objective.terms(found.variables)
    apart = found.runner_up - found.variables
    rise = 0.5 * torch.einsum("ni,nij,nj->n", apart, curvature, apart)[several]
    assert (rise > APART).all(), "the second answer is the first one again"
