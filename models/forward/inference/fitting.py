"""Stars fitted from given starts: the search in float32, the finish in float64."""

import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.forward.flux_model import FluxModel
from models.forward.inference.bounds import Bounds
from models.forward.objective import StarObjective, StarPrior
from models.forward.observed.observations import Observations
from models.numerics.least_squares import Minimum, batched_least_squares, descend

STARS = 2048
"""Stars at a time: what float32 copies of whitening matrices (17 kB a star) take of the memory."""
LARGEST_STEP = (0.8, 0.8, 0.8, 1.5, 1.0, 1.0)
"""Of each of the solver's variables."""
LOOSE, TIGHT = 1e-2, 1e-3
"""Promised decrease of the loss, -2 ln posterior, at which float32 takes its last step, and below which float64 takes none."""
STEPS, FINAL_STEPS = 60, 12
"""At most, in float32 and in float64."""


def minimise(
    objective: StarObjective, start: Float[Tensor, "m p"] | Minimum, of: Int[Tensor, " m"] | None = None, iterations: int = STEPS
) -> Minimum:
    """The minimum next to each start, in float32; ``of``: which star each start is of. It goes on where an earlier call ended."""
    return batched_least_squares(objective, start, of=of, largest_step=LARGEST_STEP, tolerance=LOOSE, iterations=iterations, leap=True)


def one_step(objective: StarObjective, state: Minimum) -> Minimum:
    """A step of each row of the objective, of which there are full tiles."""
    return descend(objective, state, largest_step=LARGEST_STEP, tolerance=LOOSE, iterations=1, leap=True, leave=False)


def finish(objective: StarObjective, near: Minimum, of: Int[Tensor, " m"] | None = None) -> Minimum:
    """Float64 from where float32 ended: converged is what float64 says, iterations are summed."""
    end = batched_least_squares(
        objective, near.variables.double(), of=of, largest_step=LARGEST_STEP, tolerance=TIGHT, iterations=FINAL_STEPS
    )
    end.iterations.add_(near.iterations)
    return end


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
    found = Minimum.at(start.double().cpu())
    for first in range(0, len(start), STARS):
        part = slice(first, first + STARS)
        seen = observed.take(part).to(device=place, dtype=torch.float64)
        known = prior.take(part).to(device=place, dtype=torch.float64)
        fast = StarObjective(fast_model, seen.to(dtype=torch.float32), known.to(dtype=torch.float32), fast_bounds)
        near = minimise(fast, start[part].to(device=place, dtype=torch.float32), iterations=iterations)
        end = finish(StarObjective(exact_model, seen, known, exact_bounds), near)
        found.put(part, end.to(device=torch.device("cpu")))
    return found
