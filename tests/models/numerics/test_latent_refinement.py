"""Refinement finds the exact minimum where there is one, star by star, and never makes a star worse."""

import torch

from models.numerics.latent_refinement import refine

GENERATOR = torch.Generator().manual_seed(5)
A = torch.randn(2, 8, generator=GENERATOR, dtype=torch.float64)
X = torch.randn(20, 8, generator=GENERATOR, dtype=torch.float64)
WEIGHT = torch.rand(20, 8, generator=GENERATOR, dtype=torch.float64) * 10
START = torch.zeros(20, 2, dtype=torch.float64)


def linear(z: torch.Tensor) -> torch.Tensor:
    return z @ A


def curved(z: torch.Tensor) -> torch.Tensor:
    return torch.sin(z @ A) + 0.3 * (z @ A) ** 2


def test_a_linear_decoder_gives_the_ridge_solution_and_its_covariance() -> None:
    found = refine(linear, START, X, WEIGHT)
    for i in range(len(X)):
        normal = A @ torch.diag(WEIGHT[i]) @ A.T + torch.eye(2, dtype=torch.float64)
        expected = torch.linalg.solve(normal, A @ (WEIGHT[i] * X[i]))
        torch.testing.assert_close(found.latent[i], expected, rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(found.covariance[i], torch.linalg.inv(normal), rtol=1e-8, atol=1e-10)


def test_a_curved_decoder_ends_where_the_gradient_is_zero() -> None:
    true = torch.randn(20, 2, generator=GENERATOR, dtype=torch.float64) * 0.3
    x = curved(true)
    z = refine(curved, true + 0.1, x, WEIGHT, steps=60).latent.requires_grad_(True)
    objective = (WEIGHT * (x - curved(z)) ** 2).sum() + (z**2).sum()
    (gradient,) = torch.autograd.grad(objective, z)
    assert gradient.abs().max() < 1e-5


def test_no_star_gets_worse_and_the_objective_is_the_one_told() -> None:
    start = torch.randn(20, 2, generator=GENERATOR, dtype=torch.float64) * 3

    def objective(z: torch.Tensor) -> torch.Tensor:
        return (WEIGHT * (X - curved(z)) ** 2).sum(dim=1) + (z**2).sum(dim=1)

    found = refine(curved, start, X, WEIGHT, steps=10)
    assert (found.objective <= objective(start)).all()
    torch.testing.assert_close(found.objective, objective(found.latent))


def test_weight_zero_leaves_the_prior() -> None:
    found = refine(linear, START + 2, X, torch.zeros_like(WEIGHT))
    torch.testing.assert_close(found.latent, torch.zeros_like(START), rtol=0, atol=1e-6)


def test_a_star_that_is_not_finite_disturbs_no_other() -> None:
    expected = refine(curved, START, X, WEIGHT)
    x, weight = X.clone(), WEIGHT.clone()
    x[3, 2], weight[5, 1] = torch.nan, torch.inf
    found = refine(curved, START, x, weight)
    others = [i for i in range(len(X)) if i not in (3, 5)]
    torch.testing.assert_close(found.latent[others], expected.latent[others], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.latent[[3, 5]], START[[3, 5]])
