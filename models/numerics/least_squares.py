"""Many small non-linear least-squares problems at once: Levenberg-Marquardt with an analytic gradient and a positive definite curvature.

Each problem has its own damping (Marquardt's: in proportion to the curvature's diagonal) and leaves the batch when it has converged. A problem
whose value is not finite keeps its best point and is reported as not converged. Where a problem ends does not depend on its companions: what is
done to it depends on its own numbers alone, and the batch always has a multiple of TILE rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

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


TILE = 16
"""Matrix products with a matrix that all rows share take rows in tiles, and may sum what is left over in another order; full tiles make the result
of a row independent of how many rows there are, to the last bit (MKL on x86; a test checks it on the machine at hand)."""
HOPELESS = 1e6
"""Damping at which steps are so short that nothing better is in reach of this precision."""
SHRINK = 0.8
"""The batch is made smaller when fewer than this share of it are still moving: making it smaller copies the data of the rest."""


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where each problem ended: variables, value, curvature there, number of steps tried, whether the stopping rule was met."""

    variables: Float[Tensor, "n p"]
    value: Float[Tensor, " n"]
    curvature: Float[Tensor, "n p p"]
    iterations: Int[Tensor, " n"]
    converged: Bool[Tensor, " n"]

    @classmethod
    def nothing(cls, n: int, p: int) -> Self:
        """Zeros in float64 to be filled by ``put``."""
        return cls(
            torch.zeros(n, p, dtype=torch.float64), torch.zeros(n, dtype=torch.float64), torch.zeros(n, p, p, dtype=torch.float64),
            torch.zeros(n, dtype=torch.int64), torch.zeros(n, dtype=torch.bool),
        )  # fmt: skip

    def grouped(self, k: int) -> Self:
        """The problems in groups of k: every field has the shape (n / k, k, ...)."""
        return type(self)(*(getattr(self, each.name).unflatten(0, (len(self.value) // k, k)) for each in fields(self)))

    def take(self, index: Any) -> Self:
        """Some of the problems."""
        return type(self)(*(getattr(self, each.name)[index] for each in fields(self)))

    def put(self, at: Any, those: "Minimum") -> None:
        """Set the rows ``at``."""
        for each in fields(self):
            getattr(self, each.name)[at] = getattr(those, each.name)


@torch.no_grad()
def batched_least_squares(
    problem: Problem,
    start: Float[Tensor, "n p"],
    *,
    largest_step: Sequence[float],
    tolerance: float = 1e-3,
    iterations: int = 60,
    leave: bool = True,
) -> Minimum:
    """Minimise each function from its start.

    Without ``leave`` all stay in the batch until the end: for a few steps from starts that share their data, which leaving would copy.

    ``largest_step`` bounds each variable's change in one step. A problem has converged when the decrease that its quadratic model promises is below
    ``tolerance``, or the decrease of an accepted step is and the promise is below ten times that.
    """
    n = len(start)
    rows = torch.arange(n, device=start.device)
    if n % TILE:
        filled = torch.cat([rows, rows.new_zeros(-n % TILE)])
        problem, start = problem.take(filled), start[filled]
    limit = start.new_tensor(largest_step)
    at = torch.arange(len(start), device=start.device)
    value, gradient, curvature = problem.terms(start)
    value = torch.where(torch.isfinite(value), value, torch.inf)
    found = Minimum(start.clone(), value.clone(), curvature.clone(), torch.zeros_like(at), at < 0)
    here, tried = start, torch.zeros_like(at)
    moving = torch.isfinite(value) & (at < n)
    converged = torch.zeros_like(moving)
    damping = torch.full_like(value, 1e-2)
    for _ in range(iterations):
        count = int(moving.sum())
        if count == 0:
            break
        if leave and count <= SHRINK * len(at):
            found.put(at, Minimum(here, value, curvature, tried, converged))
            keep = torch.argsort(~moving, stable=True)[: count + -count % TILE]  # those that have stopped fill the last tile
            at, here, value, damping, gradient, curvature = (each[keep] for each in (at, here, value, damping, gradient, curvature))
            tried, converged, moving, problem = tried[keep], converged[keep], moving[keep], problem.take(keep)
        diagonal = torch.diagonal(curvature, dim1=1, dim2=2)
        step = -torch.linalg.solve_ex(curvature + torch.diag_embed(damping[:, None] * diagonal), gradient[..., None])[0][..., 0]
        step = step / (step.abs() / limit).amax(1, keepdim=True).clamp(min=1.0)
        step = torch.where(torch.isfinite(step), step, torch.zeros_like(step))
        promised = -(gradient * step).sum(1) - 0.5 * (torch.bmm(curvature, step[..., None])[..., 0] * step).sum(1)
        there = here + step
        new_value, new_gradient, new_curvature = problem.terms(there)
        better = moving & (new_value < value)
        decrease = value - new_value
        ratio = decrease / promised.clamp(min=1e-12)
        raised = damping * torch.where(ratio < 0.3, 2.0, 1.0)
        damping = torch.where(better, torch.where(ratio > 0.7, damping / 6, raised), damping * 5).clamp(1e-7, 1e8)
        done = (promised < tolerance) | (better & (decrease < tolerance) & (promised < 10 * tolerance))
        here = torch.where(better[:, None], there, here)
        value = torch.where(better, new_value, value)
        gradient = torch.where(better[:, None], new_gradient, gradient)
        curvature = torch.where(better[:, None, None], new_curvature, curvature)
        tried = tried + moving
        converged = converged | (moving & done)
        moving = moving & ~done & (damping <= HOPELESS)
    found.put(at, Minimum(here, value, curvature, tried, converged))
    return found.take(slice(n))
