"""Batched least squares: known minima are found, and where a start ends depends on nothing but itself."""

import pytest
import torch

from models.numerics.least_squares import TILE, Minimum, batched_least_squares, descend, tiles

STEP = (1.0, 1.0)


class Valleys:
    """f = (a - x)^2 + b (y - x^2)^2 for each row's a and b: Rosenbrock's curved valley, with its minimum 0 at (a, a^2)."""

    def __init__(self, a, b):
        self.a, self.b = a, b

    def __len__(self):
        return len(self.a)

    def take(self, index):
        return Valleys(self.a[index], self.b[index])

    def terms(self, variables):
        x, y = variables.unbind(1)
        root = torch.sqrt(self.b)
        residual = torch.stack([self.a - x, root * (y - x**2)], 1)
        jacobian = torch.stack([torch.stack([-torch.ones_like(x), torch.zeros_like(x)], 1), torch.stack([-2 * root * x, root], 1)], 1)
        return (residual**2).sum(1), 2 * (jacobian * residual[..., None]).sum(1), 2 * jacobian.transpose(1, 2) @ jacobian


def valleys(n, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    a = torch.rand(n, generator=generator, dtype=dtype) * 2 - 1
    return Valleys(a, 10 ** (torch.rand(n, generator=generator, dtype=dtype) * 2)), torch.randn(n, 2, generator=generator, dtype=dtype)


def assert_same(one, other):
    for name in ("variables", "value", "curvature", "iterations", "converged"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 1200])
def test_every_minimum_is_found_whatever_the_size_of_the_batch(n):
    problem, start = valleys(n)
    found = batched_least_squares(problem, start, largest_step=STEP, tolerance=1e-10)
    assert found.converged.all() and (found.value < 1e-9).all()
    assert torch.stack([problem.a, problem.a**2], 1) == pytest.approx(found.variables, abs=1e-3)


def test_where_a_start_ends_does_not_depend_on_its_companions_or_their_order():
    problem, start = valleys(700)
    together = batched_least_squares(problem, start, largest_step=STEP)
    order = torch.randperm(700, generator=torch.Generator().manual_seed(2))
    assert_same(together.take(order), batched_least_squares(problem.take(order), start[order], largest_step=STEP))
    for some in (slice(3, 4), slice(100, 131)):
        assert_same(together.take(some), batched_least_squares(problem.take(some), start[some], largest_step=STEP))


def test_starts_name_their_functions():
    problem, start = valleys(40)
    of = torch.arange(40).repeat_interleave(3)[:100]
    starts = start[of] + 0.1 * torch.arange(100)[:, None] / 100
    assert_same(
        batched_least_squares(problem, starts, of=of, largest_step=STEP), batched_least_squares(problem.take(of), starts, largest_step=STEP)
    )


def test_a_later_call_goes_on_where_an_earlier_one_ended():
    problem, start = valleys(64)
    begun = descend(problem, Minimum.of(problem, start), largest_step=STEP, tolerance=1e-10, iterations=2, leave=False)
    assert (begun.iterations == 2).all() and not begun.converged.any()
    ended = batched_least_squares(problem, begun, largest_step=STEP, tolerance=1e-10)
    at_once = batched_least_squares(problem, start, largest_step=STEP, tolerance=1e-10)
    assert ended.variables == pytest.approx(at_once.variables, abs=1e-12)
    assert torch.equal(ended.iterations, at_once.iterations)


def test_a_leap_saves_the_last_look():
    problem, start = valleys(64)
    steps = []
    for leap in (False, True):
        found = batched_least_squares(problem, start, largest_step=STEP, tolerance=1e-6, leap=leap)
        assert found.converged.all()
        steps.append(problem.terms(found.variables)[0].mean())
    assert steps[1] < steps[0]  # the step that was promised is taken


def test_what_is_not_finite_is_told_and_disturbs_nobody():
    problem, start = valleys(33)
    clean = batched_least_squares(problem, start, largest_step=STEP)
    broken = Valleys(problem.a.clone(), problem.b.clone())
    broken.a[5] = torch.nan
    found = batched_least_squares(broken, start, largest_step=STEP)
    assert torch.isinf(found.value[5]) and not found.converged[5] and torch.equal(found.variables[5], start[5])
    others = torch.arange(33) != 5
    assert_same(clean.take(others), found.take(others))


def test_steps_are_no_longer_than_they_may_be():
    problem, _ = valleys(16)
    start = torch.full((16, 2), 30.0, dtype=torch.float64)
    moved = descend(problem, Minimum.of(problem, start), largest_step=(0.5, 2.0), iterations=1)
    assert ((moved.variables - start).abs() <= torch.tensor([0.5, 2.0]) + 1e-12).all()
    assert (moved.variables != start).any()


@pytest.mark.parametrize("n", [0, 1, 16, 30])
def test_tiles_are_full(n):
    filled = tiles(torch.arange(7, 7 + n))
    assert len(filled) % TILE == 0 and torch.equal(filled[:n], torch.arange(7, 7 + n)) and (filled[n:] == 7).all()
