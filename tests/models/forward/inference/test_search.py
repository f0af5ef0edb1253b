"""Starts lie where they should, minima are told apart, and the box holds its stars."""

import numpy as np
import pytest
import torch

from models.forward.inference.bounds import EXT_RANGE, PARALLAX_RANGE, Bounds
from models.forward.inference.minima import distinct_minima, worth_following
from models.forward.inference.starts import EXT_LIMITS, StartGrid
from models.forward.parameters import EXT, PARALLAX
from models.numerics.threads import one_thread


@pytest.fixture(scope="module")
def grid(black_bodies):
    version = black_bodies()
    return StartGrid.of(version.flux_model, version.type_prior, groups=16, members=32, soft=0.01)


def test_a_start_has_the_extinction_and_parallax_that_suit_its_type_best(black_bodies, observe, grid):
    version = black_bodies()
    observed, _ = observe(version, 8)
    observed.parallax_error.fill_(torch.inf)
    start = grid.best(observed, 1)[0][:, 0]
    weight = 1 / ((observed.flux_error / observed.flux) ** 2 + grid.soft**2)
    for row in range(8):
        design = torch.stack([-grid.extinction, torch.ones_like(grid.extinction)], 1) * weight[row, :, None].sqrt()
        difference = (torch.log(observed.flux[row]) - version.flux_model.ln_flux(start[row : row + 1, :3])[0]) * weight[row].sqrt()
        ext, brightness = torch.linalg.lstsq(design, difference[:, None]).solution[:, 0]
        clamped = ext.clamp(*EXT_LIMITS)
        assert torch.exp(start[row, EXT]) == pytest.approx(float(clamped), rel=1e-6)
        if clamped == ext:
            assert start[row, PARALLAX] == pytest.approx(float(brightness) / 2, abs=1e-6)


def test_starts_are_near_the_truth_and_spread_over_groups_of_types(black_bodies, observe, grid):
    observed, truth = observe(black_bodies(), 200, seed=4)
    starts, above = grid.best(observed, 8)
    assert (above[:, 0] == 0).all() and (above.diff(dim=1) >= 0).all()
    nearest = ((starts[..., :3] - truth[:, None, :3]) / torch.tensor([0.3, 0.4, 0.5])).square().sum(2).amin(1)
    assert nearest.median() < 3
    group_of = {tuple(each): group for group, members in enumerate(grid.types.tolist()) for each in members}
    for star in starts[:20].tolist():
        assert len({group_of[tuple(start[:3])] for start in star}) == 8


def test_the_grid_belongs_to_the_version_and_groups_are_of_near_types(black_bodies, grid):
    version = black_bodies()
    again = StartGrid.of(version.flux_model, version.type_prior, groups=16, members=32, soft=0.01)
    assert torch.equal(again.types, grid.types) and torch.equal(again.ln_flux, grid.ln_flux)
    within = grid.types.std(1).mean(0)
    assert (within < 0.8 * grid.types.flatten(0, 1).std(0)).all()


def test_starts_do_not_depend_on_companions(black_bodies, observe, grid):
    observed, _ = observe(black_bodies(), 320, seed=6)
    single, stars = grid.to(dtype=torch.float32), observed.to(dtype=torch.float32)
    with one_thread():
        assert torch.equal(single.best(stars, 4)[0][160:176], single.best(stars.take(slice(160, 176)), 4)[0])


IDENTITY = 2 * torch.eye(1).double()  # of the loss: one sigma is a distance of one
CASES = {
    "one minimum, found thrice": ([0.0, 0.1, -0.2], [5.0, 5.001, 5.002], [True] * 3, 1, -1),
    "two of equal loss": ([0.0, 10.0, 0.1], [5.0, 5.5, 5.01], [True] * 3, 2, 1),
    "the second is too high": ([0.0, 10.0], [5.0, 9.5], [True] * 2, 1, -1),
    "the second never converged": ([0.0, 10.0], [5.0, 5.5], [True, False], 1, -1),
    "three": ([10.0, 0.0, 20.0], [6.0, 5.0, 7.0], [True] * 3, 3, 0),
    "nothing is finite": ([0.0, 1.0], [np.inf, np.inf], [False] * 2, 1, -1),
}


@pytest.mark.parametrize("case", CASES)
def test_minima_are_counted(case):
    points, loss, converged, count, second = CASES[case]
    k = len(points)
    found = distinct_minima(
        torch.tensor(points).double().view(1, k, 1), torch.tensor([loss]).double(), IDENTITY.expand(1, k, 1, 1), torch.tensor([converged])
    )
    assert found.count.item() == count and found.second.item() == second
    assert found.best.item() == int(np.argmin(loss))


FOLLOWED = {
    "in the basin of a better one": ([0.0, 3.0], [10.0, 19.0], [True, False]),
    "lower than that basin explains": ([0.0, 30.0], [10.0, 19.0], [True, True]),
    "too high to become the best": ([0.0, 30.0], [10.0, 100.0], [True, False]),
}


@pytest.mark.parametrize("case", FOLLOWED)
def test_starts_that_lead_elsewhere_are_followed(case):
    points, loss, expected = FOLLOWED[case]
    k = len(points)
    order, meant = worth_following(
        torch.tensor(points).double().view(1, k, 1), torch.tensor([loss]).double(), IDENTITY.expand(1, k, 1, 1), most=k
    )
    assert order.tolist() == [[0, 1]] and meant.tolist() == [expected]


@pytest.mark.parametrize("xi", [False, True])
def test_the_box_holds_every_type_of_the_prior_and_any_star(black_bodies, xi):
    version = black_bodies(xi)
    bounds = Bounds.around(version.type_prior, version.flux_model.n_parameters)
    drawn = version.type_prior.draw(2000, torch.Generator().manual_seed(1))
    assert ((drawn > bounds.lower[:3]) & (drawn < bounds.upper[:3])).double().mean() > 0.9999
    assert torch.exp(bounds.lower[EXT : PARALLAX + 1]) == pytest.approx(torch.tensor([EXT_RANGE[0], PARALLAX_RANGE[0]]).double())
    assert torch.exp(bounds.upper[EXT : PARALLAX + 1]) == pytest.approx(torch.tensor([EXT_RANGE[1], PARALLAX_RANGE[1]]).double())
    assert len(bounds.lower) == (6 if xi else 5)
