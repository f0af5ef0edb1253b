"""Stars fitted from given starts: the search in float32, the finish in float64."""

import copy
from collections.abc import Iterator
from dataclasses import fields

import torch
from jaxtyping import Float
from torch import Tensor

from models.forward.bounds import Bounds
from models.forward.flux_model import FluxModel
from models.forward.objective import StarObjective, StarPrior
from models.forward.observations import Observations
from models.numerics.least_squares import Minimum, batched_least_squares

BLOCK = 256
"""Stars at a time: their whitening matrices in float32 then fit into a cache."""
LARGEST_STEP = (0.8, 0.8, 0.8, 1.5, 1.0, 1.0)
"""Of each of the solver's variables."""
STEPS, FINAL_STEPS = 60, 12
"""At most, in float32 and in float64."""


def blocks(n: int) -> Iterator[slice]:
    """Slices of BLOCK stars."""
    return (slice(first, min(first + BLOCK, n)) for first in range(0, n, BLOCK))


def minimise(objective: StarObjective, start: Float[Tensor, "n p"], iterations: int = STEPS, *, leave: bool = True) -> Minimum:
    """Each row's minimum next to its start, in the objective's own precision."""
    return batched_least_squares(objective, start, largest_step=LARGEST_STEP[: start.shape[1]], iterations=iterations, leave=leave)


def finish(objective: StarObjective, near: Minimum) -> Minimum:
    """Float64 from where float32 ended: converged is what float64 says, iterations are summed."""
    end = minimise(objective, near.variables.double(), FINAL_STEPS)
    return Minimum(end.variables, end.value, end.curvature, near.iterations + end.iterations, end.converged)


@torch.no_grad()
def fit_stars(
    model: FluxModel,
    observed: Observations,
    prior: StarPrior,
    start: Float[Tensor, "n p"],
    *,
    bounds: Bounds | None = None,
    iterations: int = STEPS,
    device: str | torch.device = "cpu",
) -> Minimum:
    """Each star's minimum next to its start (the solver's variables) under any prior; float64 on the CPU."""
    place = torch.device(device)
    exact_model = copy.deepcopy(model).to(device=place, dtype=torch.float64).requires_grad_(False)
    fast_model = copy.deepcopy(exact_model).float()
    exact_bounds = bounds.to(device=place, dtype=torch.float64) if bounds is not None else None
    fast_bounds = exact_bounds.to(dtype=torch.float32) if exact_bounds is not None else None
    n, p = start.shape
    found = Minimum.nothing(n, p)
    for block in blocks(n):
        seen = observed.take(block).to(device=place, dtype=torch.float64)
        known = prior.take(torch.arange(block.start, block.stop)).to(device=place, dtype=torch.float64)
        fast = StarObjective(fast_model, seen.to(dtype=torch.float32), known.to(dtype=torch.float32), fast_bounds)
        near = minimise(fast, start[block].to(device=place, dtype=torch.float32), iterations)
        end = finish(StarObjective(exact_model, seen, known, exact_bounds), near)
        found.put(torch.arange(block.start, block.stop), Minimum(*(getattr(end, each.name).cpu() for each in fields(Minimum))))
    return found
