"""The training loop takes the steps it was told, falls along a cosine, and reports them."""

import math

import pytest
import torch
from torch import nn

from catalog.errors import RunError
from models.learning.training import Recipe, fit, repeatable

RECIPE = Recipe(steps=40, batch=16, learning_rate=0.05, final_learning_rate=1e-4, weight_decay=0.0)


def trained(recipe: Recipe, stars: int = 50, spoil: float = 0.0):
    x = torch.linspace(-1, 1, stars)[:, None]
    seen, reports = [], []
    with repeatable(3) as generator:
        network = nn.Linear(1, 1)

        def loss(batch, generator):
            seen.append(len(batch[0]))
            return ((network(batch[0]) - batch[1]) ** 2).mean() + (spoil if len(seen) == 3 else 0.0)

        figures = fit(network, loss, (x, 2 * x + 1), recipe, generator, reports.append)
    return network, seen, reports, figures


def test_it_takes_the_steps_it_was_told_with_whole_batches() -> None:
    network, seen, reports, figures = trained(RECIPE)
    assert seen == [16] * 40
    assert (reports[-1].step, reports[-1].steps) == (40, 40)
    assert reports[-1].seconds_left == 0
    assert figures["steps"] == 40
    assert not network.training


def test_a_sample_smaller_than_a_batch_is_one_batch() -> None:
    assert trained(RECIPE, stars=7)[1] == [7] * 40


def test_it_learns_a_line() -> None:
    network, *_ = trained(Recipe(400, 16, 0.05, 1e-4, 0.0))
    assert network.weight.item() == pytest.approx(2, abs=0.02)
    assert network.bias.item() == pytest.approx(1, abs=0.02)


def test_the_learning_rate_falls_along_half_a_cosine(monkeypatch) -> None:
    rates = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self, *a, **k: (rates.append(self.param_groups[0]["lr"]), step(self, *a, **k))[1])
    trained(RECIPE)
    assert rates[0] == RECIPE.learning_rate
    assert rates == sorted(rates, reverse=True)
    assert rates[20] == pytest.approx((RECIPE.learning_rate + RECIPE.final_learning_rate) / 2, rel=1e-6)
    assert rates[-1] < 2 * RECIPE.final_learning_rate


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_training_with_its_step(bad: float) -> None:
    with pytest.raises(RunError, match="at step 3 of 40"):
        trained(RECIPE, spoil=bad)
