"""The training loop of the small networks: AdamW under one cosine of the learning rate, a fixed number of steps, one progress report.

The number of steps is fixed, not the time, so that the same sample, configuration and seed give the same weights on machines of one
kind, however busy. A training takes minutes at most: one that was killed is simply done again, and ends in the same weights.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from catalog.errors import RunError
from models.numerics.devices import CPU, device_class
from models.numerics.threads import one_thread
from models.spec import Progress, Report

Loss = Callable[[tuple[Tensor, ...], torch.Generator], Tensor]
"""Mean loss of a batch of stars; draws all its random numbers from the generator."""

REPORT_SECONDS = 0.5
MEMORY = 0.98
"""Weight of the past in the running loss that is reported."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. The learning rate falls as half a cosine from the first to the last step."""

    steps: int
    batch: int
    learning_rate: float
    final_learning_rate: float
    weight_decay: float

    @classmethod
    def from_configuration(cls, settings: Mapping[str, Any]) -> "Recipe":
        """The recipe in a stored configuration; settings of the model beside it are left alone."""
        return cls(**{name: settings[name] for name in cls.__dataclass_fields__})


@contextlib.contextmanager
def repeatable(seed: int, device: torch.device = CPU) -> Iterator[torch.Generator]:
    """One thread and one seed for what happens inside, the caller's settings again afterwards; gives a generator of that seed on the device."""
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # initial weights are drawn on the CPU, so that they are the same on every device
        yield torch.Generator(device).manual_seed(seed)


def fit(
    network: nn.Module, loss: Loss, data: tuple[Tensor, ...], recipe: Recipe, generator: torch.Generator, report: Report
) -> dict[str, float | str]:
    """Train ``network`` in place on ``data`` (tensors with one row a star), on the generator's device; figures of the training.

    Each epoch goes once through the stars in a new order; a last partial batch is dropped (its batch statistics would be noise). RunError
    if the loss is not finite.
    """
    device = generator.device
    network.to(device)
    data = tuple(tensor.to(device) for tensor in data)
    stars = len(data[0])
    batch = min(recipe.batch, stars)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    network.train()
    began = reported = time.monotonic()
    running = math.nan
    order, at = torch.empty(0, dtype=torch.int64, device=device), 0
    for step in range(1, recipe.steps + 1):
        if at + batch > len(order):
            order, at = torch.randperm(stars, generator=generator, device=device), 0
        chosen = order[at : at + batch]
        at += batch
        cosine = (1 + math.cos(math.pi * (step - 1) / recipe.steps)) / 2
        for group in optimiser.param_groups:
            group["lr"] = recipe.final_learning_rate + (recipe.learning_rate - recipe.final_learning_rate) * cosine
        value = loss(tuple(tensor[chosen] for tensor in data), generator)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        seen = value.item()
        if not math.isfinite(seen):
            raise RunError(
                f"the loss became {seen} at step {step} of {recipe.steps}: lower the learning rate, or look for stars with wild input."
            )
        running = seen if math.isnan(running) else MEMORY * running + (1 - MEMORY) * seen
        now = time.monotonic()
        if now - reported >= REPORT_SECONDS or step == recipe.steps:
            reported = now
            rate = step * batch / (now - began)
            report(Progress(step, recipe.steps, running, rate, (recipe.steps - step) * batch / rate))
    network.eval()
    return {
        "final_loss": running, "steps": recipe.steps, "seconds": round(time.monotonic() - began, 1), "device": device_class(device),
    }  # fmt: skip
