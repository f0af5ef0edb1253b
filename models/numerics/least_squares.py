"""Many small non-linear least-squares problems at once: Levenberg-Marquardt with an analytic gradient and a positive definite curvature.

Each problem has its own damping (Marquardt's: in proportion to the curvature's diagonal) and leaves the batch when it has converged. A problem
whose value is not finite keeps its best point and is reported as not converged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Problem(Protocol):
    """n functions of p variables each."""

    def __len__(self) -> int:
        """n."""
        ...

    def terms(self, variables: Float[Tensor, "n p"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n p"], Float[Tensor, "n p p"]]:
        """Value, gradient, and a positive definite approximation of the second derivatives."""
        ...

    def take(self, index: Tensor) -> Self:
        """Some of the n."""
        ...


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where each problem ended: variables, value, number of steps tried, whether the stopping rule was met."""

    variables: Float[Tensor, "n p"]
    value: Float[Tensor, " n"]
    iterations: Int[Tensor, " n"]
    converged: Bool[Tensor, " n"]


def batched_least_squares(
    problem: Problem, start: Float[Tensor, "n p"], *, largest_step: Sequence[float], tolerance: float = 1e-3, iterations: int = 60
) -> Minimum:
    """Minimise each function from its start.

    ``largest_step`` bounds each variable's change in one step. A problem has converged when the decrease that its quadratic model promises is below
    ``tolerance``, or the decrease of an accepted step is and the promise is below ten times that.
    """
    limit = start.new_tensor(largest_step)
    found, found_value = start.clone(), start.new_full((len(start),), torch.inf)
    tried = torch.zeros(len(start), dtype=torch.int64, device=start.device)
    converged = torch.zeros(len(start), dtype=torch.bool, device=start.device)
    at = torch.arange(len(start), device=start.device)
    here = start.clone()
    value, gradient, curvature = problem.terms(here)
    value = torch.where(torch.isfinite(value), value, torch.inf)
    damping = torch.full_like(value, 1e-2)
    for _ in range(iterations):
        if len(at) == 0:
            break
        diagonal = torch.diagonal(curvature, dim1=1, dim2=2)
        step = -torch.linalg.solve_ex(curvature + torch.diag_embed(damping[:, None] * diagonal), gradient[..., None])[0][..., 0]
        step = step / (step.abs() / limit).amax(1, keepdim=True).clamp(min=1.0)
        step = torch.where(torch.isfinite(step), step, torch.zeros_like(step))
        promised = -(gradient * step).sum(1) - 0.5 * torch.einsum("ni,nij,nj->n", step, curvature, step)
        there = here + step
        new_value, new_gradient, new_curvature = problem.terms(there)
        better = new_value < value
        decrease = value - new_value
        ratio = decrease / promised.clamp(min=1e-12)
        raised = damping * torch.where(ratio < 0.3, 2.0, 1.0)
        damping = torch.where(better, torch.where(ratio > 0.7, damping / 6, raised), damping * 5).clamp(1e-7, 1e8)
        done = (promised < tolerance) | (better & (decrease < tolerance) & (promised < 10 * tolerance))
        hopeless = damping > 1e6
        here = torch.where(better[:, None], there, here)
        value = torch.where(better, new_value, value)
        gradient = torch.where(better[:, None], new_gradient, gradient)
        curvature = torch.where(better[:, None, None], new_curvature, curvature)
        tried[at] += 1
        found[at], found_value[at] = here, value
        converged[at] = done & torch.isfinite(value)
        left = ~(done | hopeless)
        if not bool(left.all()):
            at, here, value, damping = at[left], here[left], value[left], damping[left]
            gradient, curvature = gradient[left], curvature[left]
            problem = problem.take(left)
    return Minimum(found, found_value, tried, converged)
