"""One classifier's training: what it learns, when it stops, how examples are balanced."""

import dataclasses

import numpy as np
import pytest
import torch

from catalog.errors import RunError, UsageError
from models.forward.confidence.classifier_fit import Recipe, example_weights, learn
from models.forward.confidence.features import FEATURES
from models.forward.settings import CHOICES

RECIPE = Recipe.from_settings({choice.name: choice.ours for choice in CHOICES})
PAPER = Recipe.from_settings({choice.name: choice.paper for choice in CHOICES})


def examples(n: int, seed: int) -> tuple[torch.Tensor, np.ndarray, np.ndarray, np.ndarray]:
    """Inputs of which the third tells good from bad, labels, and a fifth withheld."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, len(FEATURES)))
    good = random.random(n) < 1 / (1 + np.exp(-2 - 4 * x[:, 2]))
    return torch.from_numpy(x), good, random.uniform(4, 7, n), np.arange(n) % 5 == 0


def test_the_papers_recipe_is_available() -> None:
    assert Recipe(4096, 1e-3, 256, 1024, 4096, 0.1, 1e-3, "sampling") == PAPER


@pytest.mark.parametrize("balance", ["weights", "sampling", "none"])
def test_a_classifier_learns_which_feature_tells_good_from_bad(balance: str) -> None:
    x, good, label, withheld = examples(1_500, 1)
    recipe = dataclasses.replace(RECIPE, balance=balance, epochs=25, batch=64)
    network, figures = learn(x, good, label, withheld, recipe, 3, lambda progress: None)
    other, truth, _, _ = examples(2_000, 2)
    score = network(other)[:, 0].detach().numpy()
    assert np.mean(score[truth][:, None] > score[~truth][None, :]) > 0.85  # area under the curve; 0.93 is the best there is
    assert 1 <= figures["epochs"] <= 25 and np.isfinite(figures["withheld_loss"])


def test_the_same_seed_gives_the_same_classifier_and_leaves_torchs_own_numbers_alone() -> None:
    x, good, label, withheld = examples(300, 1)
    recipe = dataclasses.replace(RECIPE, epochs=3)
    before = torch.random.get_rng_state()
    first, again = (learn(x, good, label, withheld, recipe, 3, lambda progress: None)[0] for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))


def test_training_stops_when_the_withheld_stars_gain_nothing_more() -> None:
    x, _, label, withheld = examples(300, 1)
    noise = np.random.default_rng(9).random(300) < 0.5
    recipe = dataclasses.replace(RECIPE, plateau=2, patience=4, epochs=400)
    _, figures = learn(x, noise, label, withheld, recipe, 3, lambda progress: None)
    assert figures["epochs"] < 100


def test_a_loss_that_is_not_finite_is_an_error_with_advice() -> None:
    x, good, label, withheld = examples(300, 1)
    x[7, 3] = torch.nan
    with pytest.raises(RunError, match="loss of a confidence classifier became nan in epoch 1"):
        learn(x, good, label, withheld, RECIPE, 3, lambda progress: None)


def test_weights_even_out_labels_and_hold_good_ones_to_twice_the_bad() -> None:
    random = np.random.default_rng(1)
    label = np.concatenate([random.normal(5, 0.1, 9_000), random.uniform(4, 7, 1_000)])
    good = random.random(10_000) < 0.95
    weight = example_weights(good, label, "weights", random)
    assert weight[good].sum() == pytest.approx(2 * weight[~good].sum())
    assert (weight > 0).all() and weight.max() == 1
    rare, common = (np.mean(weight[~good & each]) for each in (label > 6, abs(label - 5) < 0.1))
    assert rare == 1 and common < 0.1


def test_sampling_keeps_as_many_as_the_weights_say() -> None:
    random = np.random.default_rng(1)
    label, good = random.normal(5, 0.5, 20_000), random.random(20_000) < 0.9
    weight = example_weights(good, label, "weights", random)
    taken = example_weights(good, label, "sampling", random)
    assert set(np.unique(taken)) == {0.0, 1.0}
    assert taken.sum() == pytest.approx(weight.sum(), rel=0.05)
    assert taken[good].sum() == pytest.approx(2 * taken[~good].sum(), rel=0.1)


def test_bad_ones_in_plenty_leave_the_good_ones_whole() -> None:
    random = np.random.default_rng(1)
    good = np.arange(1_000) % 2 == 0
    assert (example_weights(good, np.full(1_000, 5.0), "weights", random)[good] == 1).all()


def test_an_unknown_balance_is_refused() -> None:
    with pytest.raises(UsageError, match="no confidence_balance 'even': it is weights, sampling, none"):
        example_weights(np.array([True, False]), np.zeros(2), "even", np.random.default_rng(1))
