"""How one confidence classifier learns: Adam on the binary cross entropy, slower on a plateau, until the withheld stars' loss no longer falls.

Appendix B of Zhang, Green & Rix 2023, with the settings as the paper has them or quicker ones for samples that are not millions of stars.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from catalog.errors import RunError, UsageError
from models.forward.confidence.confidence import classifier
from models.learning.training import REPORT_SECONDS
from models.spec import Progress, Report

BALANCES = ("weights", "sampling", "none")
LABEL_BINS = 30
"""In which examples are balanced (the authors' code)."""
LEAST_GAIN = 1e-4
"""By which the withheld stars' loss must fall to count as falling (the authors' code)."""


@dataclass(frozen=True)
class Recipe:
    """How a classifier learns. ``plateau`` and ``patience`` are epochs without a smaller loss of the withheld stars.

    ``balance``: ``weights`` gives examples weights such that common labels and good estimates do not outweigh the rest; ``sampling`` drops examples to
    the same effect (the authors' code); ``none`` takes all as they are.
    """

    batch: int
    learning_rate: float
    plateau: int
    patience: int
    epochs: int
    dropout: float
    l2: float
    balance: str

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """The recipe in a version's settings."""
        return cls(**{name: settings[f"confidence_{name}"] for name in cls.__dataclass_fields__})


def learn(
    inputs: Float64[Tensor, "n 86"],
    good: Bool[np.ndarray, " n"],
    label: Float[np.ndarray, " n"],
    withheld: Bool[np.ndarray, " n"],
    recipe: Recipe,
    seed: int,
    report: Report,
) -> tuple[nn.Sequential, dict[str, Any]]:
    """A classifier of standardised features, learnt from the stars that are not withheld; figures of its training.

    It has the weights of the epoch with the smallest cross entropy of the withheld stars, weighted like the others. ``label`` is the survey's value.
    """
    generator = torch.Generator().manual_seed(seed)
    random = np.random.default_rng(seed)
    weight = example_weights(good, label, recipe.balance, random)
    if recipe.balance == "sampling":  # few stars are withheld: they are all looked at, with the weights that sampling has on average
        weight[withheld] = example_weights(good, label, "weights", random)[withheld]
    x, y, w = inputs.float(), torch.from_numpy(good).float(), torch.from_numpy(weight).float()
    taken, kept = (torch.from_numpy(np.flatnonzero(each & (weight > 0))) for each in (~withheld, withheld))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = classifier(recipe.dropout)
        optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
        hidden = [layer.weight for layer in list(network)[:-1] if isinstance(layer, nn.Linear)]
        smallest, best, since, lowered = math.inf, dict(network.state_dict()), 0, 0
        began = reported = time.monotonic()
        for epoch in range(1, recipe.epochs + 1):
            network.train()
            order = taken[torch.randperm(len(taken), generator=generator)]
            for rows in order.split(recipe.batch):
                loss = cross_entropy(network, x[rows], y[rows], w[rows])
                optimiser.zero_grad(set_to_none=True)
                (loss + recipe.l2 * sum((each**2).sum() for each in hidden)).backward()
                optimiser.step()
            network.eval()
            with torch.no_grad():
                seen = float(cross_entropy(network, x[kept], y[kept], w[kept]))
            if not math.isfinite(seen):
                raise RunError(f"the loss of a confidence classifier became {seen} in epoch {epoch}: lower confidence_learning_rate.")
            since, lowered = since + 1, lowered + 1
            if seen < smallest - LEAST_GAIN:
                smallest, since, lowered = seen, 0, 0
                best = {name: value.clone() for name, value in network.state_dict().items()}
            if lowered == recipe.plateau:
                lowered = 0
                for group in optimiser.param_groups:
                    group["lr"] /= 10
            now = time.monotonic()
            if now - reported >= REPORT_SECONDS:
                reported = now
                rate = epoch * len(taken) / (now - began)
                report(Progress(epoch, recipe.epochs, seen, rate, (recipe.epochs - epoch) * len(taken) / rate))
            if since == recipe.patience:
                break
    network.load_state_dict(best)
    return network.double().requires_grad_(False).eval(), {"epochs": epoch, "withheld_loss": smallest}


def cross_entropy(network: nn.Module, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of the binary cross entropy."""
    return (nn.functional.binary_cross_entropy_with_logits(network(x)[:, 0], y, reduction="none") * weight).sum() / weight.sum()


def example_weights(
    good: Bool[np.ndarray, " n"], label: Float[np.ndarray, " n"], balance: str, random: np.random.Generator
) -> Float64[np.ndarray, " n"]:
    """Weight of each example: less in bins of the label with more stars than 70 % of the bins have; good ones together at most twice the bad.

    ``sampling`` turns the weights into chances to be taken.
    """
    if balance not in BALANCES:
        raise UsageError(f"there is no confidence_balance {balance!r}: it is {', '.join(BALANCES)}.")
    if balance == "none":
        return np.ones(len(good))
    edges = np.linspace(label.min(), label.max(), LABEL_BINS + 1)
    which = np.clip(np.searchsorted(edges, label, side="right") - 1, 0, LABEL_BINS - 1)
    count = np.bincount(which, minlength=LABEL_BINS)
    weight = np.minimum(np.percentile(count[count > 0], 70) / count[which], 1.0)
    if balance == "sampling":
        weight = (random.random(len(good)) < weight).astype(np.float64)
    excess = 2 * weight[~good].sum() / weight[good].sum()
    if balance == "sampling":
        return np.asarray(weight * (~good | (random.random(len(good)) < excess)))
    return np.asarray(np.where(good, min(excess, 1.0), 1.0) * weight)
