"""Many small non-linear least-squares problems at once: Levenberg-Marquardt with an analytic gradient and a positive definite curvature.

Each start has its own damping (Marquardt's: in proportion to the curvature's diagonal) and leaves the batch when it has converged. One whose
value is not finite stays where it is and is reported as not converged. Where a start ends does not depend on its companions: what is done to it
depends on its own numbers alone, and every batch has a multiple of TILE rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

TILE = 16
"""Matrix products with a matrix that all rows share take rows in tiles, and may sum what is left over in another order; full tiles make the result
of a row independent of how many rows there are, to the last bit (MKL on x86; a test checks it on the machine at hand)."""
BLOCK = {"cpu": 512}
"""Starts at a time by type of device: on a CPU so many that their data stay in its cache."""
BLOCK_ELSEWHERE = 32_768
QUICK = 7
"""Steps in which nine of ten starts converge."""
HOPELESS = 1e6
"""Damping at which steps are so short that nothing better is in reach of this precision."""
SHRINK = 0.8
"""The batch is made smaller when fewer than this share of it are still moving: making it smaller copies the data of the rest."""


class Problem(Protocol):
    """n functions of p variables each."""

    def __len__(self) -> int:
        """n."""
        ...

    def terms(self, variables: Float[Tensor, "n p"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n p"], Float[Tensor, "n p p"]]:
        """Value, gradient, and a positive definite approximation of the second derivatives."""
        ...

    def take(self, index: Any) -> Self:
        """Some of the n: at an index tensor or a slice."""
        ...


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where each start ended: variables, value (infinite where it never was finite), curvature, steps tried, whether the stopping rule was met."""

    variables: Float[Tensor, "n p"]
    value: Float[Tensor, " n"]
    curvature: Float[Tensor, "n p p"]
    iterations: Int[Tensor, " n"]
    converged: Bool[Tensor, " n"]

    @classmethod
    def at(cls, start: Float[Tensor, "n p"]) -> Self:
        """Nothing done yet: every value is infinite."""
        n, p = start.shape
        return cls(
            start.clone(), start.new_full((n,), torch.inf), start.new_zeros(n, p, p),
            torch.zeros(n, dtype=torch.int64, device=start.device), torch.zeros(n, dtype=torch.bool, device=start.device),
        )  # fmt: skip

    def take(self, index: Any) -> Self:
        """Some of the rows."""
        return type(self)(*(getattr(self, each.name)[index] for each in fields(self)))

    def put(self, at: Any, those: "Minimum") -> None:
        """Set the rows ``at``."""
        for each in fields(self):
            getattr(self, each.name)[at] = getattr(those, each.name)

    def grouped(self, k: int) -> Self:
        """Rows in groups of k: every field has the shape (n / k, k, ...)."""
        return type(self)(*(getattr(self, each.name).unflatten(0, (len(self.value) // k, k)) for each in fields(self)))


def tiles(index: Int[Tensor, " n"]) -> Int[Tensor, " m"]:
    """The same rows, the first repeated until they are a multiple of TILE."""
    return torch.cat([index, index[:1].expand(-len(index) % TILE)])


@torch.no_grad()
def batched_least_squares(
    problem: Problem,
    start: Float[Tensor, "m p"],
    *,
    of: Int[Tensor, " m"] | None = None,
    largest_step: Sequence[float],
    tolerance: float = 1e-3,
    iterations: int = 60,
) -> Minimum:
    """Minimise functions from their starts; ``of`` says which of the problem's functions each start belongs to (left out: one start each).

    ``largest_step`` bounds each variable's change in one step. A start has converged when the decrease that its quadratic model promises is below
    ``tolerance``, or the decrease of an accepted step is and the promise is below ten times that. Starts are worked on in blocks, QUICK steps each;
    the few that need more then go on together.
    """
    found = Minimum.at(start)
    rows = torch.arange(len(start), device=start.device)
    size = BLOCK.get(start.device.type, BLOCK_ELSEWHERE)
    for steps in (min(QUICK, iterations), iterations - QUICK):
        if steps <= 0 or len(rows) == 0:
            break
        for block in rows.split(size):
            in_order = of is None and len(rows) == len(start) and len(block) % TILE == 0  # a slice copies nothing
            filled = block if in_order else tiles(block)
            part = problem.take(slice(int(block[0]), int(block[-1]) + 1) if in_order else filled if of is None else of[filled])
            ended = descend(part, found.variables[filled], largest_step=largest_step, tolerance=tolerance, iterations=steps).take(
                slice(len(block))
            )
            ended.iterations.add_(found.iterations[block])
            found.put(block, ended)
        rows = torch.nonzero(~found.converged & torch.isfinite(found.value))[:, 0]
    return found


@torch.no_grad()
def descend(
    problem: Problem, start: Float[Tensor, "n p"], *, largest_step: Sequence[float], tolerance: float, iterations: int, leave: bool = True
) -> Minimum:
    """So many steps at most from one start a function, all in one batch; n is a multiple of TILE.

    Without ``leave`` all stay in the batch until the end: for a few steps of problems whose ``take`` is costly.
    """
    limit = start.new_tensor(largest_step)
    value, gradient, curvature = problem.terms(start)
    moving = torch.isfinite(value)
    found = Minimum.at(start)
    at, here, tried, converged = torch.arange(len(start), device=start.device), start, found.iterations, found.converged
    value = torch.where(moving, value, torch.inf)
    damping = torch.full_like(value, 1e-2)
    for _ in range(iterations):
        count = int(moving.sum())
        if count == 0:
            break
        if leave and count <= SHRINK * len(at):
            found.put(at, Minimum(here, value, curvature, tried.clone(), converged.clone()))
            keep = torch.argsort(~moving, stable=True)[: count + -count % TILE]  # those that have stopped fill the last tile
            at, here, value, damping, gradient, curvature = (each[keep] for each in (at, here, value, damping, gradient, curvature))
            tried, converged, moving, problem = tried[keep], converged[keep], moving[keep], problem.take(keep)
        damped = curvature.clone()
        diagonal = torch.diagonal(damped, dim1=1, dim2=2)
        diagonal *= 1 + damping[:, None]
        step = -torch.linalg.solve_ex(damped, gradient[..., None])[0][..., 0]
        usable = torch.isfinite(step).all(1)
        step = torch.where(usable[:, None], step / (step.abs() / limit).amax(1, keepdim=True).clamp(min=1.0), 0.0)
        promised = -((gradient + 0.5 * torch.bmm(curvature, step[..., None])[..., 0]) * step).sum(1)
        new_value, new_gradient, new_curvature = problem.terms(here + step)
        better = moving & (new_value < value)
        decrease = value - new_value
        ratio = decrease / promised.clamp(min=1e-12)
        eased = torch.where(ratio > 0.7, damping / 6, torch.where(ratio < 0.3, 2 * damping, damping))
        damping = torch.where(better, eased, damping * 5).clamp(1e-7, 1e8)
        done = usable & ((promised < tolerance) | (better & (decrease < tolerance) & (promised < 10 * tolerance)))
        here = torch.where(better[:, None], here + step, here)
        value = torch.where(better, new_value, value)
        gradient = torch.where(better[:, None], new_gradient, gradient)
        curvature = torch.where(better[:, None, None], new_curvature, curvature)
        tried = tried + moving
        converged = converged | (moving & done)
        moving = moving & ~done & (damping <= HOPELESS)
    found.put(at, Minimum(here, value, curvature, tried.clone(), converged.clone()))
    return found
